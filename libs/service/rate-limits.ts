/** Token buckets, one a key, in memory: a limit holds for one process, and says so in the docs. */
import { DomainError } from '#contract';

/** Above this many, those that are full again are forgotten, and else some that were used longest ago. */
export const BUCKETS_MAX = 100_000;
/** Many at a time: to look for the first entry of a large map costs as much as to go through it. */
const FORGOTTEN_AT_ONCE = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimit {
  /** In the order of their last use, so that those to be forgotten stand first. */
  private readonly buckets = new Map<string, Bucket>();

  /**
   * @param perSecond tokens that come back a second
   * @param burst tokens a full bucket holds
   */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly enabled: boolean,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /**
   * Takes one token.
   * @throws DomainError `rate_limited` with the time until the next token
   */
  take(key: string): void {
    if (!this.enabled) return;
    const bucket = this.refilled(key);
    if (bucket.tokens < 1) throw this.refusal(bucket);
    bucket.tokens -= 1;
  }

  /** Refuses when the bucket is empty, and takes nothing: for what only counts when it fails (`take` then). */
  check(key: string): void {
    if (!this.enabled) return;
    const bucket = this.refilled(key);
    if (bucket.tokens < 1) throw this.refusal(bucket);
  }

  /** Of what turned out not to count. */
  giveBack(key: string): void {
    if (!this.enabled) return;
    const bucket = this.refilled(key);
    bucket.tokens = Math.min(this.burst, bucket.tokens + 1);
  }

  /** For those who watch over memory. */
  get size(): number {
    return this.buckets.size;
  }

  private refilled(key: string): Bucket {
    const now = this.nowMs();
    const bucket = this.buckets.get(key);
    if (bucket === undefined) return this.open(key, now);
    bucket.tokens = Math.min(this.burst, bucket.tokens + ((now - bucket.atMs) / 1000) * this.perSecond);
    bucket.atMs = now;
    this.buckets.delete(key);
    this.buckets.set(key, bucket);
    return bucket;
  }

  private open(key: string, now: number): Bucket {
    if (this.buckets.size >= BUCKETS_MAX) this.forgetFull(now);
    const bucket = { tokens: this.burst, atMs: now };
    this.buckets.set(key, bucket);
    return bucket;
  }

  private forgetFull(now: number): void {
    const refillMs = (this.burst / this.perSecond) * 1000;
    const keep = BUCKETS_MAX - FORGOTTEN_AT_ONCE;
    for (const [key, { atMs }] of this.buckets) {
      // Under an attack with ever new keys none is full yet: the oldest go, so that memory stays bounded.
      if (this.buckets.size <= keep && now - atMs < refillMs) return;
      this.buckets.delete(key);
    }
  }

  private refusal(bucket: Bucket): DomainError {
    const retryMs = Math.ceil(((1 - bucket.tokens) / this.perSecond) * 1000);
    return new DomainError('rate_limited', undefined, { retryMs });
  }
}
