/** Waiting and chance, the two things that tests of the log's rules replace. */
import { randomInt } from 'node:crypto';

export const random = (): number => randomInt(1 << 20) / (1 << 20);

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
