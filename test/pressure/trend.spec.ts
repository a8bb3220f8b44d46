import { expect, test } from '@jest/globals';
import { isFlat, trendOf, type Sample } from './trend.js';

const EVERY_MS = 10_000;
const NOISE = { amount: 4, share: 0.05 };

/** Half an hour of samples, 10 s apart. */
const halfAnHour = (valueAt: (minute: number, i: number) => number): Sample[] =>
  Array.from({ length: 180 }, (_, i) => ({ atMs: i * EVERY_MS, value: valueAt((i * EVERY_MS) / 60_000, i) }));

test('what saws up and down about a level is flat', () => {
  const trend = trendOf(halfAnHour((_, i) => 100 + (i % 7)));
  expect(trend).toMatchObject({ max: 106, start: expect.closeTo(103, 0), end: expect.closeTo(103, 0) });
  expect(isFlat(trend, NOISE)).toBe(true);
});

test('what fills up once and then stays is flat', () => {
  const trend = trendOf(halfAnHour((minute) => 50 + 10 * Math.min(minute, 12)));
  expect(trend).toMatchObject({ start: expect.closeTo(64, 0), end: 170, perHour: 0 });
  expect(isFlat(trend, NOISE)).toBe(true);
});

test('a leak of half a megabyte a minute is none, under the same saw', () => {
  const trend = trendOf(halfAnHour((minute, i) => 60 + 0.5 * minute + (i % 5)));
  expect(trend.perHour / 10).toBeCloseTo(3, 0);
  expect(trend.growth).toBeGreaterThan(7);
  expect(isFlat(trend, NOISE)).toBe(false);
});

test('what falls is flat', () => {
  expect(isFlat(trendOf(halfAnHour((minute) => 100 - minute)), NOISE)).toBe(true);
});

test('nothing is said of too little', () => {
  expect(() => trendOf(halfAnHour(() => 1).slice(0, 3))).toThrow(RangeError);
});
