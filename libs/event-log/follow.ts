/**
 * The one consume loop: follows a partition in order, without hole or repeat.
 *
 *   reading --(entries)--> handing over --> reading
 *   reading --(nothing)--> waiting --(a wake-up, or followIdleMs)--> reading
 *
 * While a batch is handed over the next one is read already. The place moves only with entries that were handed over in
 * order, so whatever goes wrong with a read (a broker away, an answer cut short, a replica behind) repeats it and
 * nothing else.
 */
import { LOG_LIMITS } from './limits.js';
import type { FollowOptions, StoredEntry } from './log.js';

export interface Step {
  readonly entries: StoredEntry[];
  /** Entries known to stand after these. */
  readonly pending: number;
}

export interface FollowPort {
  /** What comes after `after`, without hole; nothing, too, when it could not be read now. */
  step(partition: number, after: number, max: number): Promise<Step>;
  /** Resolves when something may stand after `after`, when time has come to look, or when `signal` aborts. */
  more(partition: number, after: number, emptySteps: number, signal: AbortSignal): Promise<void>;
}

export async function follow(
  port: FollowPort,
  { partition, after, batchMax = LOG_LIMITS.followBatchMax, signal }: FollowOptions,
  onBatch: (entries: StoredEntry[], last: number) => Promise<void>,
): Promise<void> {
  let place = after;
  let emptySteps = 0;
  let ahead: Promise<Step> | undefined;
  while (!signal.aborted) {
    const step = await orAborted(ahead ?? port.step(partition, place, batchMax), signal);
    ahead = undefined;
    if (!step || signal.aborted) return;
    const { entries, pending } = step;
    const last = entries[entries.length - 1]?.seq;
    if (last === undefined) {
      await port.more(partition, place, emptySteps++, signal);
      continue;
    }
    emptySteps = 0;
    place = last;
    if (pending > 0) ahead = port.step(partition, place, batchMax);
    // Should that fail while the batch is handled, it is thrown when its turn comes.
    ahead?.catch(() => undefined);
    await onBatch(entries, last + pending);
  }
}

/** The promise's value, or undefined as soon as the signal aborts. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener('abort', stop);
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
