/**
 * Turns: work on one room is done one after the other in this process, so that it does not fence against itself; and what
 * waits for the same turn and goes together shares it.
 */
import { DomainError } from '#contract';
import { DECIDED_WITHIN_MS } from '#service';
import { TooLateError } from './lateness.js';

/** Waiting for one room. Joins that share a batch are done at some 10,000 a second: whoever comes later would wait long. */
const WAITING_MAX = 10_000;

interface Waiting<T, R> {
  readonly task: T;
  readonly settle: (result: R | Promise<R>) => void;
  readonly fail: (error: unknown) => void;
  readonly sinceMs: number;
}

export class Turns<T, R> {
  private readonly queues = new Map<string, Waiting<T, R>[]>();

  /**
   * @param together whether a task may join the group whose turn is next
   * @param work does the group's tasks, at least the first of them, and answers for as many as it did; the others wait on
   */
  constructor(
    private readonly together: (group: readonly T[], next: T) => boolean,
    private readonly work: (group: readonly T[]) => Promise<readonly Promise<R>[]>,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @throws DomainError unavailable, when too many wait already; TooLateError, when its turn does not come in time; and what the work throws */
  take(roomId: string, task: T): Promise<R> {
    const queue = this.queues.get(roomId);
    if (queue && queue.length >= WAITING_MAX)
      return Promise.reject(new DomainError('unavailable', 'too many wait for this room'));
    return new Promise<R>((settle, fail) => {
      const waiting = { task, settle, fail, sinceMs: this.nowMs() };
      if (queue) queue.push(waiting);
      else this.queues.set(roomId, [waiting]);
      // Every failure goes to whoever waits for that task.
      if (!queue) void this.run(roomId);
    });
  }

  private async run(roomId: string): Promise<void> {
    const queue = this.queues.get(roomId) ?? [];
    for (this.letGo(queue); queue.length > 0; this.letGo(queue)) {
      const group = this.next(queue);
      try {
        const done = await this.work(group.map(({ task }) => task));
        for (const [i, { settle }] of queue.splice(0, done.length).entries()) settle(done[i]!);
      } catch (error) {
        for (const { fail } of queue.splice(0, group.length)) fail(error);
      }
    }
    this.queues.delete(roomId);
  }

  /**
   * Nothing has been done for those yet, and they are too late to be decided. Were they done, the work of a room that has fallen behind would be
   * mostly for nobody, and it would never catch up.
   */
  private letGo(queue: Waiting<T, R>[]): void {
    const giveUpBeforeMs = this.nowMs() - DECIDED_WITHIN_MS;
    const inTime = queue.findIndex(({ sinceMs }) => sinceMs >= giveUpBeforeMs);
    const late = queue.splice(0, inTime < 0 ? queue.length : inTime);
    for (const { fail } of late) fail(new TooLateError());
  }

  private next(queue: readonly Waiting<T, R>[]): Waiting<T, R>[] {
    const group: T[] = [];
    for (const { task } of queue) {
      if (group.length > 0 && !this.together(group, task)) break;
      group.push(task);
    }
    return queue.slice(0, group.length);
  }
}
