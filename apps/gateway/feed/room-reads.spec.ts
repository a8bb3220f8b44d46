/** A room's past, read from the log as its readers would have had it live. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ChatEvent, EVENT_VERSION, LIMITS, Subjects } from '#contract';
import type { StoredEntry, SubjectRange } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import { Places } from './places.js';
import type { RoomEvent } from './room-event.js';
import { membershipEvent, membersOf, roomOf, RoomReads } from './room-reads.js';
import type { Room } from './room.js';
import { Tail } from './tail.js';
import { memoryViews, Writing } from './test-feed.js';

const subjects = new Subjects(1);
const everything = { roomId: 'a', after: 0, upTo: Number.MAX_SAFE_INTEGER, members: 0, participants: undefined };

let log: MemoryLog;
let writing: Writing;
let reads: RoomReads;
/** What was asked of the log: subject and place. */
let asked: string[];
/** Happens before each answer. */
let answering: (subject: string, range: SubjectRange) => Promise<void>;

beforeEach(() => {
  log = new MemoryLog({ partitions: 1 });
  writing = new Writing(log);
  asked = [];
  answering = () => Promise.resolve();
  const seen = withParts(log, {
    readSubject: async (partition, subject, range) => {
      asked.push(`${subject} ${range.after}`);
      await answering(subject, range);
      return log.readSubject(partition, subject, range);
    },
  });
  reads = new RoomReads(
    seen,
    subjects,
    new Places(
      log,
      memoryViews(log, () => undefined),
      subjects,
    ),
  );
});

const end = (): Promise<number> => log.lastSequence(0);
const seqs = (events: readonly RoomEvent[]): number[] => events.map(({ seq }) => seq);
const types = (events: readonly RoomEvent[]): (string | undefined)[] => events.map(({ event }) => event?.type);
const announced = (events: readonly RoomEvent[]): (string | undefined)[] =>
  types(events.filter((event) => event.announced));

const unreadable = (seq: number, subject: string): StoredEntry => ({
  partition: 0,
  seq,
  subject,
  prev: undefined,
  at: 0,
  decoded: { kind: 'unreadable', reason: 'of a later version' },
});

describe('the events of a range', () => {
  test('have the places that they had live: the message before, and how many there were', async () => {
    await writing.room('a', 'ann');
    const first = await writing.send('a', 'ann', 'one');
    await writing.room('b', 'ann');
    await writing.send('b', 'ann', 'elsewhere');
    await writing.join('a', 'bob');
    const second = await writing.send('a', 'bob', 'two');
    const third = await writing.send('a', 'bob', 'three');
    const whole = await reads.between(everything);
    const said = whole.filter(({ kind }) => kind === 'timeline');
    expect(said.map(({ seq, prev, ordinal }) => [seq, prev, ordinal])).toEqual([
      [first, 0, 1],
      [second, first, 2],
      [third, second, 3],
    ]);
    expect(types(whole)).toEqual([
      ...['RoomCreated', 'RosterChanged', 'MemberJoined', 'MessageSent'],
      ...['RosterChanged', 'MemberJoined', 'MessageSent', 'MessageSent'],
    ]);
    expect(whole.filter(({ kind }) => kind !== 'timeline').map(({ prev }) => prev)).toEqual(Array(5).fill(undefined));
    const rest = await reads.between({ ...everything, after: first, upTo: second });
    expect(rest.map(({ seq, prev, ordinal }) => [seq, prev, ordinal]).at(-1)).toEqual([second, first, 2]);
    expect(rest).toHaveLength(3);
    const alone = await reads.timelineBetween({ ...everything, after: first }, { timelineSeq: first, ordinal: 1 });
    expect(alone.map(({ seq, prev, ordinal }) => [seq, prev, ordinal])).toEqual([
      [second, first, 2],
      [third, second, 3],
    ]);
  });

  test('without a message have no places looked for', async () => {
    await writing.room('a', 'ann');
    await reads.between({ ...everything, after: 1 });
    expect(asked).toEqual(['chat.0.room.a.> 1']);
  });

  test('name who comes and goes in a small room, and count them in a large one', async () => {
    await writing.room('a', 'ann');
    const made = await end();
    await writing.join('a', 'bob');
    await writing.roster('a', LIMITS.announcedMembers);
    await writing.leave('a', 'bob');
    await writing.roster('a', LIMITS.announcedMembers + 1);
    await writing.mute('a', 'bob', true);
    expect(announced(await reads.between({ ...everything, after: made }))).toEqual([
      'MemberJoined',
      'MemberLeft',
      'RosterChanged',
    ]);
    const large = { ...everything, members: LIMITS.announcedMembers + 1 };
    expect(announced(await reads.between({ ...large, upTo: 1 }))).toEqual(['RoomCreated']);
    expect(announced(await reads.between({ ...large, after: made, upTo: made + 2 }))).toEqual(['MemberJoined']);
    expect(announced(await reads.between({ ...large, after: made + 1, upTo: made + 2 }))).toEqual([]);
  });

  test('carry the participants of a channel, from where its config says them', async () => {
    const { roomId } = await writing.channel(['ann', 'bob'], 'hello');
    const [first, ...rest] = await reads.between({ ...everything, roomId, participants: ['before'] });
    expect([first, ...rest].map((event) => event?.participants)).toEqual(Array(6).fill(['ann', 'bob']));
    const said = await reads.between({ ...everything, roomId, after: 5, participants: ['ann', 'bob'] });
    expect(said.map(({ participants }) => participants)).toEqual([['ann', 'bob']]);
  });

  test('that are more than one read has come all, by count and by bytes', async () => {
    await writing.room('a', 'ann');
    for (let i = 0; i < 2_100; i += 1) await writing.send('a', 'ann', 'x');
    expect(seqs(await reads.between(everything))).toEqual(Array.from({ length: 2_103 }, (_, i) => i + 1));
    expect(asked).toEqual(['chat.0.room.a.> 0', 'chat.0.room.a.> 1000', 'chat.0.room.a.> 2000']);
    asked = [];
    for (let i = 0; i < 3; i += 1) await writing.send('a', 'ann', 'x'.repeat(500_000));
    expect(await reads.between({ ...everything, after: 2_103 })).toHaveLength(3);
    expect(asked).toEqual(['chat.0.room.a.> 2103', 'chat.0.room.a.> 2105']);
  });

  test('are counted read by read, and no more is read of what is too much', async () => {
    await writing.room('a', 'ann');
    for (let i = 0; i < 1_500; i += 1) await writing.send('a', 'ann', 'xyz');
    const taken: number[][] = [];
    await reads.between(everything, { take: (events, textBytes) => taken.push([events, textBytes]) });
    expect(taken).toEqual([
      [1_000, 3 * 997],
      [503, 3 * 503],
    ]);
    asked = [];
    const none = {
      take: () => {
        throw new Error('too much');
      },
    };
    await expect(reads.between(everything, none)).rejects.toThrow('too much');
    expect(asked).toHaveLength(1);
  });

  test('that this version cannot read have their place, and are no messages', async () => {
    const entries = [
      unreadable(3, 'chat.0.room.a.timeline'),
      unreadable(4, 'chat.0.room.a.of-a-later-version'),
      unreadable(5, 'chat.0.room.a.roster'),
    ];
    const later = withParts(log, { readSubject: () => Promise.resolve({ entries, complete: true }) });
    const views = memoryViews(log, () => undefined);
    const events = await new RoomReads(later, subjects, new Places(log, views, subjects)).between(everything);
    expect(events.map(({ seq, kind, prev, ordinal, event }) => [seq, kind, prev, ordinal, event])).toEqual([
      [3, 'timeline', 0, 0, undefined],
      [5, 'roster', undefined, 0, undefined],
    ]);
  });
});

describe('a user’s own comings and goings', () => {
  test('are theirs alone, in the range alone, and all of them', async () => {
    await writing.room('a', 'ann');
    await writing.join('a', 'bob');
    const from = await end();
    for (let i = 0; i < 1_100; i += 1) await writing.mute('a', 'bob', i % 2 === 0);
    await writing.mute('a', 'ann', true);
    const upTo = await end();
    await writing.leave('a', 'bob');
    const changes = await reads.membershipsOf('a', 'bob', from, upTo);
    expect(seqs(changes)).toEqual(Array.from({ length: 1_100 }, (_, i) => from + 1 + i));
    expect(announced(changes)).toHaveLength(1_100);
  });

  test('are made of entries of members that can be read, and of no others', async () => {
    const seq = await writing.join('a', 'bob');
    const joining = (await log.entry(0, seq))!;
    for (const subject of [subjects.roster('a'), 'nothing of ours'])
      expect(membershipEvent({ ...joining, subject })).toEqual([]);
    expect(membershipEvent(unreadable(3, subjects.member('a', 'bob')))).toEqual([]);
    const [event] = membershipEvent(joining);
    expect(event).toMatchObject({ seq, kind: 'member', prev: undefined, ordinal: 0, announced: true });
  });
});

describe('a room up to now', () => {
  const anActive = (from: number) => {
    const room = {
      id: 'a',
      tail: new Tail(from),
      members: 2,
      participants: undefined,
      flushed: 0,
      flush: () => undefined,
    };
    room.flush = () => void (room.flushed += 1);
    return room as unknown as Room & { flushed: number };
  };
  const known = async (room: Room): Promise<void> => {
    for (const event of await new RoomReads(
      log,
      subjects,
      new Places(
        log,
        memoryViews(log, () => undefined),
        subjects,
      ),
    ).between({ ...everything, after: room.tail.from }))
      room.tail.add(event);
  };
  const run = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  beforeEach(async () => {
    await writing.room('a', 'ann');
    for (let i = 0; i < 17; i += 1) await writing.send('a', 'ann', `${i}`);
  });

  test('is its tail alone where that goes back far enough', async () => {
    const room = anActive(10);
    await known(room);
    expect(await reads.upToNow(room, 12, seqs)).toEqual(run(13, 20));
    expect([asked, room.flushed]).toEqual([[], 1]);
    room.tail.clear();
  });

  test('is the log up to its tail, and then its tail; both are counted', async () => {
    const room = anActive(10);
    await known(room);
    const taken: number[] = [];
    const budget = { take: (events: number) => taken.push(events) };
    expect(await reads.upToNow(room, 4, seqs, budget)).toEqual(run(5, 20));
    expect([asked, taken]).toEqual([['chat.0.room.a.> 4'], [6, 10]]);
    expect(room.tail.from).toBe(10);
    room.tail.clear();
  });

  test('has no hole where the tail begins later by the time the log was read', async () => {
    const room = anActive(10);
    answering = () => {
      answering = () => Promise.resolve();
      room.tail.from = 15;
      return Promise.resolve();
    };
    expect(await reads.upToNow(room, 4, seqs)).toEqual(run(5, 15));
    expect(asked.map((each) => each.split(' ')[1])).toEqual(['4', '10']);
  });

  test('is read once for all who ask for it meanwhile, from where the first one asked or later', async () => {
    const room = anActive(10);
    await known(room);
    const crowd = [4, 4, 6, 9].map((after) => reads.upToNow(room, after, seqs));
    expect(await Promise.all(crowd)).toEqual([run(5, 20), run(5, 20), run(7, 20), run(10, 20)]);
    expect([asked, room.tail.from]).toEqual([['chat.0.room.a.> 4'], 4]);
    room.tail.clear();
  });

  test('is read for itself by whoever needs more than the first one', async () => {
    const room = anActive(10);
    await known(room);
    expect(await Promise.all([6, 3].map((after) => reads.upToNow(room, after, seqs)))).toEqual([
      run(7, 20),
      run(4, 20),
    ]);
    expect([asked.map((each) => each.split(' ')[1]), room.tail.from]).toEqual([['6', '3'], 10]);
    room.tail.clear();
  });

  test('is read by the next one where the first one’s read fails', async () => {
    const room = anActive(10);
    await known(room);
    answering = () => {
      answering = () => Promise.resolve();
      return Promise.reject(new Error('away'));
    };
    const [first, second] = await Promise.allSettled([4, 4].map((after) => reads.upToNow(room, after, seqs)));
    expect([first, second]).toMatchObject([{ status: 'rejected' }, { value: run(5, 20) }]);
    room.tail.clear();
  });

  test('waits for nobody who has read already', async () => {
    const room = anActive(10);
    await known(room);
    await reads.upToNow(room, 4, seqs);
    await reads.upToNow(room, 4, seqs);
    expect([asked.length, room.tail.from]).toEqual([2, 10]);
    room.tail.clear();
  });
});

describe('what a room’s last states say', () => {
  const entryOf = (event: Pick<ChatEvent, 'type' | 'data'>): StoredEntry => ({
    ...unreadable(1, 'chat.0.room.a.any'),
    decoded: { kind: 'event', event: { v: EVENT_VERSION, actor: 'ann', ...event } as ChatEvent },
  });
  const roster = entryOf({ type: 'RosterChanged', data: { roster: { members: 7, limit: 9, moderators: [] } } });
  const said = entryOf({ type: 'MessageSent', data: { content: 'x', type: 'text' } });

  test('how many members there are; none where nothing says it', () => {
    expect([roster, said, unreadable(1, ''), undefined].map(membersOf)).toEqual([7, 0, 0, 0]);
  });

  test('what the room is; nothing where nothing says it', async () => {
    await writing.channel(['ann', 'bob'], 'hello');
    const [config] = (await log.readSubject(0, 'chat.0.room.*.config', { after: 0, upTo: 99, max: 1 })).entries;
    expect(roomOf(config)).toMatchObject({ kind: 'channel', participants: ['ann', 'bob'] });
    expect([roster, unreadable(1, ''), undefined].map(roomOf)).toEqual([undefined, undefined, undefined]);
  });
});
