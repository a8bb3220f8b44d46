import { describe, expect, test } from '@jest/globals';
import { DomainError } from '#contract';
import { BUCKETS_MAX, RateLimit } from './rate-limits.js';

/** Two a second, five at once, on a clock of its own. */
function limit(): { readonly limit: RateLimit; pass(ms: number): void } {
  let nowMs = 0;
  return { limit: new RateLimit(2, 5, true, () => nowMs), pass: (ms) => void (nowMs += ms) };
}

function refusal(act: () => void): { code: string; retryMs: number | undefined } | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { code: error.code, retryMs: error.retryMs };
  }
}

describe('a rate limit', () => {
  test('lets a burst through, and then as many as come back, and says when', () => {
    const { limit: rate, pass } = limit();
    for (let i = 0; i < 5; i++) rate.take('a');
    expect(refusal(() => rate.take('a'))).toEqual({ code: 'rate_limited', retryMs: 500 });
    rate.take('b');
    pass(400);
    expect(refusal(() => rate.take('a'))).toEqual({ code: 'rate_limited', retryMs: 100 });
    pass(100);
    rate.take('a');
    expect(refusal(() => rate.check('a'))).toEqual({ code: 'rate_limited', retryMs: 500 });
  });

  test('of failures: looking takes nothing, and what did not fail is given back', () => {
    const { limit: rate } = limit();
    for (let i = 0; i < 20; i++) rate.check('a');
    for (let i = 0; i < 20; i++) {
      rate.take('a');
      rate.giveBack('a');
    }
    for (let i = 0; i < 5; i++) rate.take('a');
    expect(refusal(() => rate.check('a'))).toEqual({ code: 'rate_limited', retryMs: 500 });
  });

  test('that is off refuses nobody and remembers nothing', () => {
    const off = new RateLimit(1, 1, false);
    for (let i = 0; i < 20; i++) off.take('a');
    expect(off.size).toBe(0);
  });

  test('remembers so many and no more under a million addresses, and those that are in use longest', () => {
    const { limit: rate, pass } = limit();
    for (let i = 0; i < 5; i++) rate.take('victim');
    let most = 0;
    for (let i = 0; i < 1_000_000; i++) {
      rate.take(`address ${i}`);
      most = Math.max(most, rate.size);
      if (i % 50_000 === 0) expect(refusal(() => rate.check('victim'))).toBeDefined();
    }
    expect(most).toBe(BUCKETS_MAX);
    expect(refusal(() => rate.take('victim'))?.code).toBe('rate_limited');
    pass(2_500);
    for (let i = 0; i < BUCKETS_MAX; i++) rate.take(`later ${i}`);
    expect(rate.size).toBeLessThanOrEqual(BUCKETS_MAX);
    rate.take('victim');
  });
});
