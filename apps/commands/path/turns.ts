/** Turns: work on one room is done one after the other in this process, so that it does not fence against itself. */
import { DomainError } from '#contract';

/** Waiting for one room. At about 1 ms each, whoever comes later would wait for seconds. */
const WAITING_MAX = 2_000;

export class Turns {
  private readonly queues = new Map<string, { tail: Promise<unknown>; waiting: number }>();

  /** @throws DomainError unavailable, when too many wait already */
  async take<T>(roomId: string, work: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(roomId) ?? { tail: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= WAITING_MAX) throw new DomainError('unavailable', 'too many wait for this room');
    this.queues.set(roomId, queue);
    queue.waiting++;
    const mine = queue.tail.then(work);
    // The next one's turn comes however this one ends; its caller has `mine` and hears of a failure there.
    queue.tail = mine.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await mine;
    } finally {
      queue.waiting--;
      if (queue.waiting === 0) this.queues.delete(roomId);
    }
  }
}
