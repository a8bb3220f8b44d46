/**
 * Whatever several users do at once over two handlers, with a broker that loses answers and copies: what the log then holds,
 * and what was acknowledged, agree with the rules.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChatEvent, CommandName, CommandReply } from '#contract';
import { MemoryLog, type CheckOrder } from '#event-log/memory';
import { freshKey, handling, wholeLog, type Handling } from './handler-fixture.js';

const USERS = ['ann', 'bob', 'cyd', 'dan', 'eve'];
const ROOM = 'den';
const SEATS = 3;

interface Act {
  readonly name: CommandName;
  readonly by: string;
  readonly body: object;
  /** Which of two services takes it, and which its repeat, if it is repeated at once. */
  readonly at: number;
  readonly repeatedAt: number | undefined;
}

const user = fc.constantFrom(...USERS);
const act = (name: CommandName, body: fc.Arbitrary<object>): fc.Arbitrary<Act> =>
  fc.record({
    name: fc.constant(name),
    by: user,
    body,
    at: fc.nat(1),
    repeatedAt: fc.option(fc.nat(1), { nil: undefined, freq: 3 }),
  });
const room = fc.constant({ roomId: ROOM });
const acts = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: act('JoinRoom', room) },
    { weight: 4, arbitrary: act('LeaveRoom', room) },
    { weight: 6, arbitrary: act('SendMessage', fc.constant({ roomId: ROOM, content: 'x' })) },
    { weight: 2, arbitrary: act('SendMessage', fc.constant({ participants: ['ann', 'bob'], content: 'x' })) },
    {
      weight: 2,
      arbitrary: act(
        'RemoveMember',
        user.map((userId) => ({ roomId: ROOM, userId })),
      ),
    },
    {
      weight: 2,
      arbitrary: act(
        'ChangeMember',
        fc.record({ roomId: fc.constant(ROOM), userId: user, role: fc.constantFrom('moderator', 'member', 'owner') }),
      ),
    },
  ),
  { minLength: 5, maxLength: 50, size: 'max' },
);
/** Fates of messages on their way to the broker, in order, and then well for ever. */
const fates = fc.array(fc.constantFrom('well', 'well', 'well', 'ack lost', 'lost', 'in flight'), { maxLength: 60 });

interface Ran {
  readonly log: MemoryLog;
  readonly faults: unknown[];
  readonly done: { readonly act: Act; readonly reply: CommandReply; readonly repeat: CommandReply | undefined }[];
}

async function run(order: CheckOrder, all: readonly Act[], planned: readonly string[], abreast: number): Promise<Ran> {
  const fate = [...planned];
  let now: string | undefined;
  const log = new MemoryLog({
    partitions: 1,
    order,
    faults: {
      inFlight: () => (now = fate.shift()) === 'in flight',
      loseAppend: () => now === 'lost',
      loseAck: () => now === 'ack lost',
      dropLive: () => now === 'ack lost',
    },
  });
  const services = [handling(log), handling(log)];
  await services[0]!.handler.follow();
  const found = await ask(services[0]!, {
    name: 'CreateRoom',
    by: 'ann',
    body: { roomId: ROOM, name: 'Den', maxMembers: SEATS },
  });
  expect(found).toHaveProperty('ok');
  const done: Ran['done'] = [];
  const left = [...all];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const key = freshKey();
      const reply = await ask(services[next.at]!, next, key);
      const repeat = next.repeatedAt === undefined ? undefined : await ask(services[next.repeatedAt]!, next, key);
      done.push({ act: next, reply, repeat });
    }
  };
  await Promise.all(Array.from({ length: abreast }, worker));
  return { log, faults: services.flatMap((service) => service.faults), done };
}

const ask = ({ handler }: Handling, { name, by, body }: Pick<Act, 'name' | 'by' | 'body'>, key = freshKey()) =>
  handler.answer(name, { actor: { userId: by }, body, key });

describe.each(['fence-first', 'id-first'] as const)('over a broker that checks %s', (order) => {
  test('seats, senders, keys and acknowledgements hold', async () => {
    await fc.assert(
      fc.asyncProperty(acts, fates, fc.integer({ min: 1, max: 8 }), async (all, planned, abreast) => {
        const { log, faults, done } = await run(order, all, planned, abreast);
        expect(faults).toEqual([]);
        const entries = await wholeLog(log, 0);
        const events = entries.map(({ subject, decoded }) => {
          if (decoded.kind !== 'event') throw new Error('unreadable');
          return { subject, event: decoded.event };
        });
        checkRooms(events);
        checkKeys(events);
        for (const each of done) checkReplies(each, events);
      }),
      { numRuns: 150 },
    );
  });
});

type Stored = { readonly subject: string; readonly event: ChatEvent };

function checkRooms(events: readonly Stored[]): void {
  const members = new Map<string, Set<string>>();
  const rosters = new Map<string, number>();
  for (const [i, { subject, event }] of events.entries()) {
    const roomId = subject.split('.')[3]!;
    const inRoom = members.get(roomId) ?? new Set();
    members.set(roomId, inRoom);
    if (event.type === 'RosterChanged') rosters.set(roomId, event.data.roster.members);
    if ('member' in event.data)
      inRoom[event.data.member.standing === 'member' ? 'add' : 'delete'](event.data.member.userId);
    if (event.type === 'MessageSent') expect(inRoom).toContain(event.actor);
    if (roomId === ROOM) expect(inRoom.size).toBeLessThanOrEqual(SEATS);
    const next = events[i + 1]?.event.type ?? 'MessageSent';
    const batchEnds = event.type !== 'RoomCreated' && ['RosterChanged', 'RoomCreated', 'MessageSent'].includes(next);
    // Before a channel's first message its batch is not over, and its members are all there.
    if (batchEnds) expect([roomId, rosters.get(roomId)]).toEqual([roomId, inRoom.size]);
  }
}

function checkKeys(events: readonly Stored[]): void {
  const ids = events.flatMap(({ event }) => (event.key ? [event.key.id] : []));
  expect(new Set(ids).size).toBe(ids.length);
}

function checkReplies({ act: { by }, reply, repeat }: Ran['done'][number], events: readonly Stored[]): void {
  if ('ok' in reply && reply.ok.changed) {
    expect(events[reply.ok.seq - 1]?.event).toMatchObject({ actor: by, key: expect.anything() });
    if (repeat) expect(repeat).toEqual({ ok: { ...reply.ok, duplicate: true } });
  }
  if ('refused' in reply) expect(['internal', 'unavailable', 'behind', 'key_reused']).not.toContain(reply.refused.code);
}
