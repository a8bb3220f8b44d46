/** How a harness ends: everything that it began is ended, whatever else fails, and a signal is no exception to that. */

/** One after the other. @throws the first error, once all were asked to end */
export async function allEnded(ends: readonly (() => Promise<void>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of ends) await end().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** Thrown by what a signal has interrupted. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';

  constructor(
    signal: string,
    /** As a shell has it. */
    readonly exitCode: number,
  ) {
    super(`ended by ${signal}`);
  }
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Aborts at the first signal to end; a second one ends this process at once. */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const [signal, exitCode] of Object.entries(EXIT_CODES))
    process.once(signal, () => controller.abort(new InterruptedError(signal, exitCode)));
  return controller.signal;
}

/** The work's end, or that of everything. What is interrupted may fail later; nobody waits for it any more. */
export async function unlessOver<T>(over: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (over === undefined) return work;
  let interrupt = (): void => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(over.reason as Error);
    if (over.aborted) interrupt();
    else over.addEventListener('abort', interrupt, { once: true });
  });
  return Promise.race([work, interrupted]).finally(() => over.removeEventListener('abort', interrupt));
}
