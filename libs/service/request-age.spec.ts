/** How old a request is, told without clocks that agree. */
import { performance } from 'node:perf_hooks';
import { describe, expect, test } from '@jest/globals';
import { EDGES_MAX, RequestAges, Stamps, WINDOW_MS } from './request-age.js';

/** An edge whose clock is off by so much, and goes faster by so much. */
function edge(name: string, { offMs = 0, fasterBy = 0 } = {}) {
  const stamps = new Stamps();
  let n = 0;
  /** @param firstMs by a clock that is right, as `atMs` */
  return (atMs: number, firstMs = atMs): string => {
    const at = (ms: number): number => ms * (1 + fasterBy) + offMs;
    return `_INBOX_api.${name}.${(n++).toString(36)}-${stamps.of(at(atMs), at(firstMs))}`;
  };
}

/** A clock that is right, as the service's: what counts is the time between. */
const START_MS = 1_000_000;
const HOUR_MS = 3_600_000;

describe('the age of a request', () => {
  const ageOf = (ages: RequestAges, reply: string, nowMs: number): number =>
    nowMs - ages.timesOf(reply, nowMs).askedAtMs;

  test.each([0, -10 * HOUR_MS, 10 * HOUR_MS])(
    'is how much longer it took than others did, with clocks %d ms apart',
    (offMs) => {
      const [ages, made] = [new RequestAges(), edge('a', { offMs: offMs + 20 * HOUR_MS })];
      expect(ageOf(ages, made(START_MS), START_MS + 40)).toBe(0);
      expect(ageOf(ages, made(START_MS + 100), START_MS + 105)).toBeCloseTo(0, -1);
      expect(ageOf(ages, made(START_MS + 200), START_MS + 6_205)).toBeCloseTo(6_000, -1);
      // One that came faster than all before says what those before were.
      expect(ageOf(ages, made(START_MS + 6_300), START_MS + 6_301)).toBeCloseTo(0, -1);
    },
  );

  test('is known after a long silence, and after a long standstill', () => {
    const [ages, made] = [new RequestAges(), edge('a')];
    ages.timesOf(made(START_MS), START_MS);
    const thawedMs = START_MS + HOUR_MS;
    // Three of one command, in the order in which they were made.
    for (const agoMs of [10_000, 5_000, 100])
      expect(Math.abs(ageOf(ages, made(thawedMs - agoMs), thawedMs) - agoMs)).toBeLessThan(1_000);
    expect(ageOf(ages, made(thawedMs + 9_000), thawedMs + 9_900)).toBeGreaterThan(100);
  });

  test('does not grow with the drift of two clocks, busy or idle', () => {
    const ages = new RequestAges();
    const [busy, idle] = [edge('busy', { fasterBy: -0.0001 }), edge('idle', { fasterBy: -0.0001 })];
    for (let ms = START_MS; ms < START_MS + 24 * HOUR_MS; ms += 5_000)
      expect(ageOf(ages, busy(ms), ms)).toBeLessThan(10);
    for (let ms = START_MS; ms < START_MS + 240 * HOUR_MS; ms += 12 * HOUR_MS)
      expect(ageOf(ages, idle(ms), ms)).toBeLessThan(10);
  });

  test('of an edge whose clock stood still is right again before the edge gives up', () => {
    const [ages, before, after] = [new RequestAges(), edge('a'), edge('a', { offMs: -HOUR_MS })];
    ages.timesOf(before(START_MS), START_MS);
    const resumedMs = START_MS + 2 * HOUR_MS;
    expect(ageOf(ages, after(resumedMs), resumedMs)).toBeGreaterThan(HOUR_MS / 2);
    for (let ms = resumedMs; ms < resumedMs + WINDOW_MS; ms += 1_000) ages.timesOf(after(ms), ms);
    expect(ageOf(ages, after(resumedMs + WINDOW_MS), resumedMs + WINDOW_MS)).toBeLessThan(10);
  });

  test('is one of each edge; of too many, those known for longest begin anew', () => {
    const ages = new RequestAges();
    const edges = Array.from({ length: EDGES_MAX + 1 }, (_, i) => edge(`e${i}`, { offMs: i * 60_000 }));
    for (const made of edges) expect(ageOf(ages, made(START_MS), START_MS)).toBe(0);
    const latest = edges.at(-1)!;
    expect(ageOf(ages, latest(START_MS), START_MS + 4_000)).toBe(4_000);
    expect(ageOf(ages, edges[0]!(START_MS), START_MS + 4_000)).toBe(0);
    expect(ageOf(ages, latest(START_MS), START_MS + 4_000)).toBe(4_000);
  });

  test.each([
    '',
    'x',
    '_INBOX.abc.def',
    '_INBOX.a-b.12',
    '_INBOX.a.1-',
    '_INBOX.a.1-?',
    '_INBOX.a.-',
    '_INBOX.a.1--',
    '_INBOX.a.1-?-5',
  ])('of one without a stamp is none: %j', (reply) => {
    const ages = new RequestAges();
    for (const nowMs of [1_000, 9_000])
      expect(ages.timesOf(reply, nowMs)).toEqual({ askedAtMs: nowMs, firstAskedAtMs: nowMs });
  });
});

test('a repeat says when the command was asked first, by whatever clock', () => {
  const [ages, made] = [new RequestAges(), edge('a', { offMs: 5 * HOUR_MS })];
  ages.timesOf(made(START_MS), START_MS);
  const { askedAtMs, firstAskedAtMs } = ages.timesOf(made(START_MS + 5_050, START_MS), START_MS + 5_050);
  expect([askedAtMs, firstAskedAtMs].map((ms) => Math.round(ms - START_MS))).toEqual([5_050, 0]);
});

test('a stamp is the time of its edge, near the wall clock', () => {
  const nowMs = performance.now();
  expect(Math.abs(parseInt(new Stamps().of(nowMs, nowMs), 36) - Date.now())).toBeLessThan(HOUR_MS);
});
