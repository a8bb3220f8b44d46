/** Lanes that each do one thing after the other: as fast as answers come, or each at its time. */
import { once } from 'node:events';

export interface Pace {
  /** At most: `end` ends it before. */
  readonly seconds: number;
  /**
   * Of all lanes together, each at its time, whatever became of the one before; what takes time counts from the time that was meant, so
   * that nobody who waits goes uncounted. Without it each lane goes on when the last answer has come.
   */
  readonly perSecond?: number;
}

export class PacedRun {
  private readonly startMs = performance.now();
  private endMs: number;

  constructor(private readonly pace: Pace) {
    this.endMs = this.startMs + pace.seconds * 1_000;
  }

  /** What is under way comes to its end; nothing more begins. */
  end(): void {
    this.endMs = 0;
  }

  /** @param one is told since when it counts @returns seconds */
  async over<T>(lanes: readonly T[], one: (lane: T, sinceMs: number) => Promise<unknown>): Promise<number> {
    const { perSecond } = this.pace;
    const everyMs = perSecond === undefined ? 0 : (lanes.length / perSecond) * 1_000;
    const run = async (lane: T, index: number): Promise<void> => {
      // Lanes are spread over one interval, so that the whole load is even.
      let dueMs = this.startMs + (everyMs * index) / lanes.length;
      for (; Math.max(dueMs, performance.now()) < this.endMs; dueMs += everyMs) {
        // What is late because the last answer was counts from when it was due; what waited for the load's own timer does not.
        const isLate = everyMs > 0 && performance.now() > dueMs;
        if (everyMs > 0) await until(dueMs);
        await one(lane, isLate ? dueMs : performance.now());
      }
    };
    await Promise.all(lanes.map(run));
    return (performance.now() - this.startMs) / 1_000;
  }
}

/** What goes by the clock has no condition to wait for. @param atMs as `performance.now` has it */
export const until = async (atMs: number): Promise<void> => {
  const leftMs = atMs - performance.now();
  if (leftMs > 0) await once(AbortSignal.timeout(Math.ceil(leftMs)), 'abort');
};
