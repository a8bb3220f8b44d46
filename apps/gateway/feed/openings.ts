/**
 * How many connections are opened at a time. Each reads its user's rooms, several side by side, and what it reads waits in memory for
 * the network. A crowd that comes back together is let in one after the other, in the order in which it came; only whoever comes
 * behind all who may wait is sent away.
 */
import { Gate } from '#service';

export const OPENINGS_MAX = 32;
export const OPENINGS_WAITING_MAX = 10_000;
/** Replays that are being written, and their bytes, all together. */
export const REPLAYS_MAX = 256;
export const REPLAYS_BYTES_MAX = 256 * 1024 * 1024;

const refusal = 'too many connections are opening';

export class Openings {
  private readonly reading = new Gate({ inside: OPENINGS_MAX, waiting: OPENINGS_WAITING_MAX, refusal });
  private readonly writing = new Gate({
    inside: REPLAYS_MAX,
    waiting: OPENINGS_MAX,
    weight: REPLAYS_BYTES_MAX,
    refusal,
  });

  /** The next one would be sent away. */
  get isFull(): boolean {
    return this.reading.isFull;
  }

  /**
   * Reads when its turn comes. The turn is over when there is room for what was read among what is being written.
   * @param bytesOf how much that is
   * @returns what was read, and what to call when it has been written
   * @throws DomainError `unavailable` when too many wait
   */
  async read<T>(
    read: () => Promise<T>,
    bytesOf: (value: T) => number,
  ): Promise<{ readonly value: T; readonly written: () => void }> {
    const leave = await this.reading.enter();
    try {
      const value = await read();
      return { value, written: await this.writing.enter(bytesOf(value)) };
    } finally {
      leave();
    }
  }
}
