/**
 * A process's wire to the memory twin, each message on it a step of a schedule: a question reaches the broker, its answer comes
 * back, a copy arrives. Copies and notices of one subscription keep their order, as NATS does; all else may overtake.
 */
import { matches, type MemoryAsked, type MemoryWire } from '#event-log/memory';
import type { Schedule } from './schedule.js';

/** What a step touches: a process's memory, or what the broker has of a partition. */
export type Touch =
  | { readonly process: string }
  | { readonly partition: number | undefined; readonly subjects: readonly string[]; readonly writes: boolean };

/** Whether the order of two steps can make a difference. */
export function dependent(a: Touch, b: Touch): boolean {
  if ('process' in a || 'process' in b) return 'process' in a && 'process' in b && a.process === b.process;
  if (!a.writes && !b.writes) return false;
  if (a.partition !== undefined && b.partition !== undefined && a.partition !== b.partition) return false;
  // Of two appends the later one has the later sequence, whatever their subjects are.
  if (a.writes && b.writes) return true;
  const [writing, reading] = a.writes ? [a, b] : [b, a];
  return reading.subjects.some((filter) => writing.subjects.some((subject) => matches(filter, subject)));
}

export class ScheduledWire implements MemoryWire {
  readonly #lines = new Map<object, Line>();
  #asked = 0;

  constructor(
    private readonly schedule: Schedule<Touch>,
    readonly process: string,
    /** Nothing else goes on in the process while it waits for an answer, so when that comes makes no difference. */
    private readonly alone = false,
  ) {}

  ask<T>({ name, partition, subjects }: MemoryAsked, run: () => T): Promise<T> {
    return this.through(`${name} ${subjects.join(' ')}`, { partition, subjects, writes: name === 'append' }, run);
  }

  /** A question to whatever else is asked: a view. */
  through<T>(what: string, touches: Touch, run: () => T | Promise<T>): Promise<T> {
    const name = `${this.process} ${++this.#asked}: ${what}`;
    return new Promise((resolve) =>
      this.schedule.offer(name, touches, () => {
        const answer = run();
        if (this.alone) return resolve(answer);
        this.schedule.offer(`${name}, answered`, { process: this.process }, () => resolve(answer));
      }),
    );
  }

  deliver(listener: object, what: string, take: () => void): void {
    let line = this.#lines.get(listener);
    if (!line) this.#lines.set(listener, (line = { number: this.#lines.size + 1, waiting: [] }));
    line.waiting.push({ what, take, cause: this.schedule.cause });
    if (line.waiting.length === 1) this.#offerNext(line);
  }

  #offerNext(line: Line): void {
    const [next] = line.waiting;
    if (!next) return;
    const arrive = (): void => {
      line.waiting.shift();
      this.#offerNext(line);
      next.take();
    };
    const name = `${this.process} gets ${next.what} on ${line.number}`;
    this.schedule.offer(name, { process: this.process }, arrive, [next.cause]);
  }
}

interface Line {
  readonly number: number;
  readonly waiting: { readonly what: string; readonly take: () => void; readonly cause: number | undefined }[];
}
