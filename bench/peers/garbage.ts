/** For the rows that weigh memory: what is left after the garbage is gone. The program has to be started with `--expose-gc`. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('start this program with --expose-gc');
  globalThis.gc();
}
