/**
 * Connect, resume and hand-over to live, through every interleaving of a small world: the real feed, each question to log and
 * views, each answer, each live copy and each notice a step. The history checker judges what the reader was sent: no hole, no repeat,
 * the log's order, nothing outside the membership, no cursor ahead.
 */
import { describe, expect, jest, test } from '@jest/globals';
import type { EventLog } from '#event-log';
import { dependent, describeFailure, explore, replay, withParts, type Explored } from '#testing';
import type { HandOver, Planted } from './test-handover.js';

// A pause only puts off what the schedule puts off anyway.
jest.unstable_mockModule('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));
// A few thousand orders at some milliseconds each, on a machine that may have other things to do.
jest.setTimeout(900_000);
const { handOverOf } = await import('./test-handover.js');

const ORDERS_MAX = 200_000;

const explored = (handOver: HandOver, planted: Planted = {}, bound: { delaysMax?: number } = {}): Promise<Explored> =>
  explore({ world: handOverOf(handOver, planted), dependent, ordersMax: ORDERS_MAX, ...bound });

async function holds(handOver: HandOver, bound: { delaysMax?: number } = {}): Promise<void> {
  const { orders, failure } = await explored(handOver, {}, bound);
  expect(failure && `${JSON.stringify(handOver)}\n${describeFailure(failure)}`).toBeUndefined();
  const which = bound.delaysMax === undefined ? '' : ` with at most ${bound.delaysMax} delays`;
  process.stdout.write(`${expect.getState().currentTestName}: all ${orders} orders${which}\n`);
}

/** These have more orders than anybody can run: so many delays in `npm test`, more with `INTERLEAVINGS=all npm run jest -- interleavings`. */
const DELAYS_MAX = process.env['INTERLEAVINGS'] === 'all' ? 4 : 3;
const holdsDelayed = (handOver: HandOver): Promise<void> => holds(handOver, { delaysMax: DELAYS_MAX });

const fresh: HandOver = { member: true, before: [], moves: ['connect to a'], courses: [] };
const live: HandOver = { member: true, before: ['connect to a'], moves: [], courses: [] };
const resuming: HandOver = { member: true, before: ['connect to a', 'cut'], moves: ['connect to b'], courses: [] };

describe('every interleaving of', () => {
  test('connecting and a message', () => holds({ ...fresh, courses: [['send']] }));

  test('connecting with views that lag, and a message', () => holds({ ...fresh, viewsLag: true, courses: [['send']] }));

  test('live delivery, a lost copy and a sweep that gives cursors', () =>
    holds({ ...live, courses: [['send', 'send'], ['sweep a']], lost: [1] }));

  test('resuming on the other gateway, and a message', () => holds({ ...resuming, courses: [['send']] }));

  test('connecting and coming into the room', () => holds({ ...fresh, member: false, courses: [['join']] }));

  test('being cut off, resuming on the other gateway, and a message', () =>
    holds({ ...live, moves: ['cut', 'connect to b'], courses: [['send']] }));
});

describe('every interleaving with few delays of', () => {
  test('connecting and leaving the room', () => holdsDelayed({ ...fresh, courses: [['leave']] }));

  test('live delivery with its ticks, and leaving the room', () =>
    holdsDelayed({ ...live, courses: [['send', 'leave']], ticks: 'steps' }));

  test('live delivery, leaving the room and coming back', () =>
    holdsDelayed({ ...live, courses: [['leave', 'join']] }));

  test('resuming on the other gateway, a lost copy and a sweep', () =>
    holdsDelayed({ ...resuming, courses: [['send', 'send'], ['sweep b']], lost: [1] }));

  test('being cut off while connecting, and a message', () =>
    holdsDelayed({ ...fresh, moves: ['connect to a', 'cut', 'connect to b'], courses: [['send']] }));
});

describe('a fault at the wiring is found:', () => {
  const found = async (handOver: HandOver, planted: Planted): Promise<string> => {
    const { failure } = await explored(handOver, planted);
    if (!failure) return 'nothing';
    const [first = ''] = failure.wrong.split('\n');
    expect(await replay({ world: handOverOf(handOver, planted) }, failure.choices)).toContain(first);
    expect((await explored(handOver, planted, { delaysMax: 3 })).failure?.wrong).toBeDefined();
    return failure.wrong;
  };

  test('a subscription that is not waited for, so that it may come after the read', async () => {
    const late = (log: EventLog): EventLog =>
      withParts(log, {
        live: async (subject, onEntry) => {
          const subscribed = log.live(subject, onEntry);
          return { stop: async () => (await subscribed).stop() };
        },
        // Notices would mend it in the end.
        tails: (partition, onNotice) => log.tails(partition, (notice) => onNotice({ ...notice, last: [] })),
      });
    expect(await found({ ...fresh, courses: [['send']] }, { log: late })).toMatch(/missing: |cursor-ahead: /);
    const large: HandOver = { ...fresh, moves: ['connect to a', 'cut', 'connect to b'], courses: [['send']] };
    expect((await explored(large, { log: late }, { delaysMax: 3 })).failure?.wrong).toMatch(/missing: |cursor-ahead: /);
  });

  test('a mark that moves before what it covers has been taken', async () => {
    const early: Planted = {
      feed({ feed }) {
        const take = feed.takeMissing.bind(feed);
        feed.takeMissing = async (...moved) => void take(...moved);
      },
    };
    const handOver: HandOver = { ...live, courses: [['send', 'send'], ['sweep a']], lost: [1, 2] };
    expect(await found(handOver, early)).toContain('cursor-ahead: ');
  });

  test('a feed that takes no notice of what was lost', async () => {
    const deaf = (log: EventLog): EventLog =>
      withParts(log, {
        tails: (partition, onNotice) => log.tails(partition, (notice) => onNotice({ ...notice, last: [] })),
      });
    expect(await found({ ...live, courses: [['send']], lost: [1] }, { log: deaf })).toContain('missing: ');
  });

  test('a replay that begins one entry too late', async () => {
    const offByOne = (log: EventLog): EventLog =>
      withParts(log, {
        readSubject: (partition, subject, range) =>
          log.readSubject(partition, subject, { ...range, after: range.after + 1 }),
      });
    expect(await found({ ...resuming, courses: [['send', 'send']] }, { log: offByOne })).not.toBe('nothing');
  });
});
