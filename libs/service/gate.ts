/**
 * A bound on work that others bring: so many tasks at a time, so many more wait for their turn in the order in which they came, and
 * whoever comes then is told to come again. An answer now is worth more than one in a minute, and memory has an end.
 *
 * A task may have a weight (bytes); then all tasks inside weigh at most so much together, but one alone is always let in.
 */
import { DomainError } from '#contract';

export interface GateLimits {
  readonly inside: number;
  /** 0: nobody waits. */
  readonly waiting: number;
  readonly weight?: number;
  /** What is told to whoever comes too late. */
  readonly refusal: string;
  /** When to come again, ms; the table's when not given. */
  readonly retryMs?: number;
}

interface Waiting {
  readonly weight: number;
  readonly enter: () => void;
}

export class Gate {
  private inside = 0;
  private weight = 0;
  private queue: Waiting[] = [];

  constructor(private readonly limits: GateLimits) {}

  get busy(): number {
    return this.inside;
  }

  get waiting(): number {
    return this.queue.length;
  }

  get isFull(): boolean {
    return !this.fits(0) && this.queue.length >= this.limits.waiting;
  }

  /** @throws DomainError `unavailable` when too many wait, and what the task throws */
  async run<T>(task: () => Promise<T>, weight = 0): Promise<T> {
    const leave = await this.enter(weight);
    try {
      return await task();
    } finally {
      leave();
    }
  }

  /**
   * Waits for a place.
   * @returns gives it back; a second call does nothing
   * @throws DomainError `unavailable` when too many wait
   */
  async enter(weight = 0): Promise<() => void> {
    if (this.queue.length === 0 && this.fits(weight)) this.take(weight);
    else if (this.queue.length < this.limits.waiting)
      await new Promise<void>((enter) => this.queue.push({ weight, enter }));
    else throw this.refused();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.leave(weight);
    };
  }

  private fits(weight: number): boolean {
    const { inside, weight: weightMax = Number.POSITIVE_INFINITY } = this.limits;
    return this.inside < inside && (this.inside === 0 || this.weight + weight <= weightMax);
  }

  private take(weight: number): void {
    this.inside += 1;
    this.weight += weight;
  }

  /** The place goes to the next one directly, so that nobody who comes now can slip in between. */
  private leave(weight: number): void {
    this.inside -= 1;
    this.weight -= weight;
    for (let next = this.queue[0]; next !== undefined && this.fits(next.weight); next = this.queue[0]) {
      this.queue.shift();
      this.take(next.weight);
      next.enter();
    }
  }

  private refused(): DomainError {
    const { refusal, retryMs } = this.limits;
    return new DomainError('unavailable', refusal, retryMs === undefined ? {} : { retryMs });
  }
}
