/**
 * The fenced append with retry, through every interleaving of a small world: the real command path of several processes, each
 * question to the broker and each answer a step. The invariants are the history checker's, and that every answer agrees with the log.
 */
import { describe, expect, jest, test } from '@jest/globals';
import type { Append, EventLog } from '#event-log';
import type { CheckOrder } from '#event-log/memory';
import { dependent, describeFailure, explore, replay, withParts, type Explored } from '#testing';
import type { Course, Fate, Making, Race } from './test-race.js';

// A pause after a moved fence only puts off what the schedule puts off anyway.
jest.unstable_mockModule('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));
// A few thousand orders at about a millisecond each, on a machine that may have other things to do.
jest.setTimeout(600_000);
const { handling } = await import('./handler-fixture.js');
const { join, leave, mute, raceOf, remove, send } = await import('./test-race.js');

const ORDERS: readonly CheckOrder[] = ['fence-first', 'id-first'];
const FATES: readonly Fate[] = ['well', 'ack lost', 'lost', 'in flight'];
const ORDERS_MAX = 50_000;

const explored = (race: Race, making: Making = handling): Promise<Explored> =>
  explore({ world: raceOf(race, making), dependent, ordersMax: ORDERS_MAX });

async function holds(races: readonly Race[]): Promise<void> {
  let orders = 0;
  for (const race of races) {
    const found = await explored(race);
    expect(found.failure && `${JSON.stringify(race)}\n${describeFailure(found.failure)}`).toBeUndefined();
    orders += found.orders;
  }
  process.stdout.write(`${expect.getState().currentTestName}: all ${orders} orders of ${races.length} worlds\n`);
}

/** `npm test` has time for some of the fates; `INTERLEAVINGS=all npm run jest -- interleavings` runs all. */
const everything = process.env['INTERLEAVINGS'] === 'all';
const some = (...fates: readonly Fate[]): readonly Fate[] => (everything ? FATES : fates);

/** Each world over both orders in which brokers check, and with each fate of the first append of `p1`. */
const varied = (race: Omit<Race, 'order' | 'fates'>, fates: readonly Fate[] = FATES): Race[] =>
  ORDERS.flatMap((order) => fates.map((fate) => ({ ...race, order, fates: { p1: [fate] } })));

const k1 = send('bob', 'k1');
const inTheDen = { seats: 3, members: ['bob'] };
/** The processes know bob's membership already, and will not hear that it has changed. */
const remembering: Course = [
  ['p1', send('bob', 'k2')],
  ['p3', send('bob', 'k3')],
];

describe('every interleaving of', () => {
  test('a send and a leave', () => holds(varied({ ...inTheDen, courses: [[['p1', k1]], [['p2', leave('bob')]]] })));

  test('a send, its repeat at once by another process, and a leave', () =>
    holds(
      varied(
        { ...inTheDen, courses: [[['p1', k1]], [['p3', k1]], [['p2', leave('bob')]]] },
        some('ack lost', 'in flight'),
      ),
    ));

  test('a send, its repeat by a process that remembers an older membership, while one leaves and comes back', () => {
    const courses: Course[] = [
      [
        ['p1', k1, 'unheard'],
        ['p3', k1],
      ],
      [
        ['p2', leave('bob')],
        ['p2', join('bob')],
      ],
    ];
    return holds(varied({ ...inTheDen, before: remembering, courses }, some('ack lost')));
  });

  test('a send that is given up, its repeat meanwhile, and one who leaves and comes back', () => {
    const courses: Course[] = [
      [['p1', k1, 'unheard']],
      [['p3', k1]],
      [
        ['p2', leave('bob')],
        ['p2', join('bob')],
      ],
    ];
    const all = varied({ ...inTheDen, before: remembering, courses }, some('well'));
    return holds(everything ? all : all.slice(0, 1));
  });

  test('a send and a removal by a moderator, and the way back', () =>
    holds(
      varied(
        {
          ...inTheDen,
          before: remembering,
          courses: [
            [['p1', k1]],
            [
              ['p2', remove('ann', 'bob')],
              ['p2', join('bob')],
            ],
          ],
        },
        some('ack lost'),
      ),
    ));

  test('a send and a muting', () =>
    holds(varied({ ...inTheDen, before: remembering, courses: [[['p1', k1]], [['p2', mute('ann', 'bob')]]] })));

  test('two joins for the last seat, while somebody leaves', () =>
    holds(
      varied(
        { ...inTheDen, courses: [[['p1', join('cyd')]], [['p2', join('dan')]], [['p3', leave('bob')]]] },
        some('well'),
      ),
    ));

  test('two joins for the last seat at one process', () =>
    holds(varied({ seats: 2, members: [], courses: [[['p1', join('cyd')]], [['p1', join('dan')]]] })));

  test('a join, its repeat at once by another process, and a leave', () => {
    const joining = join('cyd');
    const courses: Course[] = [[['p1', joining]], [['p2', joining]], [['p3', leave('cyd')]]];
    const all = varied({ seats: 2, members: [], courses }, some('well'));
    return holds(everything ? all : all.slice(0, 1));
  });

  test('a join and a first send, and a removal', () => {
    const courses: Course[] = [
      [
        ['p1', join('cyd')],
        ['p2', send('cyd', 'k1')],
      ],
      [['p3', remove('ann', 'cyd')]],
    ];
    return holds(varied({ seats: 3, members: [], courses }, some('ack lost')));
  });
});

describe('a fault at the wiring is found:', () => {
  /** The same log, but for how it is written to. */
  const writing =
    (change: (log: EventLog) => Partial<EventLog>): Making =>
    (log) =>
      handling(withParts(log, change(log)));
  const unfenced = ({ subject, event }: Append): Append => ({ subject, event });
  const sendAndLeave: Race = { ...inTheDen, order: 'id-first', courses: [[['p1', k1]], [['p2', leave('bob')]]] };
  const found = async (race: Race, making: Making): Promise<string> => {
    const { failure } = await explored(race, making);
    if (!failure) return 'nothing';
    const [first = ''] = failure.wrong.split('\n');
    expect(await replay({ world: raceOf(race, making) }, failure.choices)).toContain(first);
    return failure.wrong;
  };

  test('a send without its fence', async () => {
    const making = writing((log) => ({ append: (append, options) => log.append(unfenced(append), options) }));
    expect(await found(sendAndLeave, making)).toContain('without-membership: bob was left');
  });

  test('seats without their fence', async () => {
    const making = writing((log) => ({ appendBatch: (appends) => log.appendBatch(appends.map(unfenced)) }));
    const courses: Course[] = [[['p1', join('cyd')]], [['p2', join('dan')]]];
    expect(await found({ order: 'fence-first', seats: 2, members: [], courses }, making)).toContain('over-capacity');
  });

  test('a send whose key the broker is not told', async () => {
    const making = writing((log) => ({ append: (append) => log.append(append) }));
    const courses: Course[] = [[['p1', k1]], [['p3', k1]]];
    expect(await found({ ...inTheDen, order: 'fence-first', courses }, making)).toContain('stored-twice');
  });

  test('an acknowledgement that does not wait for the broker', async () => {
    const making = writing((log) => ({
      append: async (append, options) => {
        const seq = (await log.lastSequence(0)) + 1;
        log.append(append, options).catch(() => undefined);
        return { partition: 0, seq, duplicate: false };
      },
    }));
    expect(await found(sendAndLeave, making)).toMatch(/lost: |stored-elsewhere: /);
  });
});
