/**
 * The one consume loop: follows a partition in order, without hole or repeat.
 *
 *   reading --(entries)--> handing over --> reading
 *   reading --(nothing)--> waiting --(a wake-up, or followIdleMs; not before paceMs)--> reading
 *
 * While a batch is handed over the next one is read already. The place moves only with entries that were handed over in
 * order, so whatever goes wrong with a read (a broker away, an answer cut short, a replica behind) repeats it and
 * nothing else.
 */
import { LOG_LIMITS } from './limits.js';
import type { FollowOptions } from './log.js';
import { pause } from './pause.js';

/** What a follower needs to know of an entry: its place. */
interface AtPlace {
  readonly seq: number;
}

export interface Step<E> {
  readonly entries: E[];
  /** Entries known to stand after these. */
  readonly pending: number;
}

export interface FollowPort<E> {
  /** What comes after `after`, without hole; nothing, too, when it could not be read now. */
  step(partition: number, after: number, max: number): Promise<Step<E>>;
  /** Resolves when something may stand after `after`, when time has come to look, or when `signal` aborts. */
  more(partition: number, after: number, emptySteps: number, signal: AbortSignal): Promise<void>;
}

export async function follow<E extends AtPlace>(
  port: FollowPort<E>,
  { partition, after, batchMax = LOG_LIMITS.followBatchMax, paceMs = 0, signal }: FollowOptions,
  onBatch: (entries: E[], last: number) => Promise<void>,
): Promise<void> {
  let place = after;
  let emptySteps = 0;
  let ahead: Promise<Step<E>> | undefined;
  let readAtMs = 0;
  /** Until there may be more, and it is time to look. */
  const rest = async (): Promise<void> => {
    await port.more(partition, place, emptySteps, signal);
    const leftMs = readAtMs + paceMs - performance.now();
    if (leftMs > 0) await pause(leftMs, signal);
  };
  const read = (): Promise<Step<E>> => {
    readAtMs = performance.now();
    return port.step(partition, place, batchMax);
  };
  while (!signal.aborted) {
    const step = await orAborted(ahead ?? read(), signal);
    ahead = undefined;
    if (!step || signal.aborted) return;
    const { entries, pending } = step;
    const last = entries[entries.length - 1]?.seq;
    if (last === undefined) {
      await rest();
      emptySteps += 1;
      continue;
    }
    emptySteps = 0;
    place = last;
    if (pending > 0) ahead = read();
    // Should that fail while the batch is handled, it is thrown when its turn comes.
    ahead?.catch(() => undefined);
    await onBatch(entries, last + pending);
    // Nothing is known to stand there: looking at once would mostly be for nothing, once for each batch.
    if (pending === 0 && !signal.aborted) await rest();
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
