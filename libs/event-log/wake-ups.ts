/**
 * Wakes followers at rest: one subscription to everything that is republished, for all followers of a process, kept
 * only while there are any. Which partition an entry belongs to follows from its subject, so a message costs no header
 * parsing; only a follower that is about to wait reads the sequence of the last one.
 *
 * A wake-up is a hint. Entries whose copy was lost are found when `followIdleMs` have passed.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { HEADERS, LIVE, partitionOf } from '#contract';
import { LOG_LIMITS, retryPauseMs } from './limits.js';
import { pause } from './pause.js';
import { headerBlock, headerField } from './stored-message.js';

interface Partition {
  /** The last copy seen, unread. */
  newest?: Msg;
  readonly sleepers: Set<(message: Msg) => void>;
}

export class WakeUps {
  readonly #partitions: readonly Partition[];
  #subscription: Subscription | undefined;
  #followers = 0;

  constructor(
    private readonly nc: NatsConnection,
    partitions: number,
  ) {
    this.#partitions = Array.from({ length: partitions }, () => ({ sleepers: new Set<(message: Msg) => void>() }));
  }

  join(): void {
    if (this.#followers++ === 0)
      this.#subscription = this.nc.subscribe(LIVE.everything, {
        callback: (error, message) => this.#take(error, message),
      });
  }

  leave(): void {
    if (--this.#followers > 0) return;
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  /**
   * Resolves when something after `after` was announced, or after `followIdleMs`. What was announced and yet not found
   * by `emptySteps` reads stands on the leader and not yet on the replica that answered: a short pause, then again.
   */
  async more(partition: number, after: number, emptySteps: number, signal: AbortSignal): Promise<void> {
    const cell = this.#partitions[partition];
    if (!cell || signal.aborted) return;
    const isNews = (message: Msg): boolean => Number(headerField(headerBlock(message), HEADERS.sequence)) > after;
    if (cell.newest && isNews(cell.newest))
      return emptySteps === 0
        ? undefined
        : pause(
            retryPauseMs(emptySteps - 1, () => 0),
            signal,
          );
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        cell.sleepers.delete(wake);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const wake = (message: Msg): void => {
        if (isNews(message)) done();
      };
      const timer = setTimeout(done, LOG_LIMITS.followIdleMs);
      cell.sleepers.add(wake);
      signal.addEventListener('abort', done);
    });
  }

  #take(error: Error | null, message: Msg): void {
    if (error) return;
    const owner = message.subject.split('.', 3)[2];
    const cell = owner === undefined ? undefined : this.#partitions[partitionOf(owner, this.#partitions.length)];
    if (!cell) return;
    cell.newest = message;
    for (const wake of [...cell.sleepers]) wake(message);
  }
}
