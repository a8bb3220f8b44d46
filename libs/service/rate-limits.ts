/** Token buckets, one a key, in memory: a limit holds for one process, and says so in the docs. */
import { DomainError } from '#contract';

/** Buckets that are full again are forgotten; above this many, the sweep runs at once. */
const BUCKETS_MAX = 100_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimit {
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

  private refilled(key: string): Bucket {
    const now = this.nowMs();
    const bucket = this.buckets.get(key);
    if (bucket === undefined) return this.open(key, now);
    bucket.tokens = Math.min(this.burst, bucket.tokens + ((now - bucket.atMs) / 1000) * this.perSecond);
    bucket.atMs = now;
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
    for (const [key, bucket] of this.buckets) if (now - bucket.atMs >= refillMs) this.buckets.delete(key);
    // Under an attack with ever new keys none is full yet: the oldest go, so that memory stays bounded.
    for (const key of this.buckets.keys()) {
      if (this.buckets.size < BUCKETS_MAX) break;
      this.buckets.delete(key);
    }
  }

  private refusal(bucket: Bucket): DomainError {
    const retryMs = Math.ceil(((1 - bucket.tokens) / this.perSecond) * 1000);
    return new DomainError('rate_limited', undefined, { retryMs });
  }
}
