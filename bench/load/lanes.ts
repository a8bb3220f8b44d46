/** Work on many things, some at a time. */
export async function eachOf<T>(
  all: readonly T[],
  lanes: number,
  work: (each: T, index: number) => Promise<unknown>,
): Promise<void> {
  const rest = all.entries();
  const lane = async (): Promise<void> => {
    for (const [index, each] of rest) await work(each, index);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
