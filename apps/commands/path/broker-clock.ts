/**
 * The broker's clock, by which a key's age is judged. It is this process's clock, corrected by what the broker's times
 * of entries say; an entry of our own, just stored, tells exactly.
 */
import { performance } from 'node:perf_hooks';

/** How often an own entry is read back to compare the clocks. */
const SAMPLE_EVERY_MS = 10_000;

export class BrokerClock {
  /** The broker's time less `performance.now()`, which unlike the wall clock never jumps. */
  private offsetMs: number | undefined;
  private sampleErrorMs = 0;
  private sampledAtMs = Number.NEGATIVE_INFINITY;

  /** ms since 1970. Before the first sample: this machine's clock. */
  now(): number {
    return this.offsetMs === undefined ? Date.now() : performance.now() + this.offsetMs;
  }

  /** At most so much `now()` is ahead of the broker that told it. */
  get errorMs(): number {
    return this.sampleErrorMs;
  }

  /** Whether whoever appends next should say when its entry was stored. */
  wantsSample(): boolean {
    if (performance.now() - this.sampledAtMs < SAMPLE_EVERY_MS) return false;
    this.sampledAtMs = performance.now();
    return true;
  }

  /**
   * @param storedAtMs the broker's time of an entry
   * @param sentAtMs `performance.now()` before it was sent; the error is at most the round trip, and makes keys older
   */
  sample(storedAtMs: number, sentAtMs: number): void {
    this.offsetMs = storedAtMs - sentAtMs;
    this.sampleErrorMs = performance.now() - sentAtMs;
  }
}
