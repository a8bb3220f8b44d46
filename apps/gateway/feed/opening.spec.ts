/** What a reader is promised while it is opened: where it begins, what it is told, and when it is given up. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { CLOSE, formatCursor, LIMITS, parseCursor, type ServerFrameOf } from '#contract';
import { waitUntil } from '#embedded';
import { LogUnavailableError, type EventLog, type SubjectRead } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import { REPLAYS_BYTES_MAX, REPLAYS_MAX } from './openings.js';
import { openReader, type OpenFrom } from './opening.js';
import { Reader } from './reader.js';
import { LINES, memoryViews, TestFeed, type TestFeedOptions, type TestReader, TestSink, Writing } from './test-feed.js';

/** A replay goes on when the network has taken all but so much. */
const QUEUE_BYTES = 256 * 1024;
const WAITING_BYTES = QUEUE_BYTES + 1;
/** Twice as long where it is sent: every character is escaped. */
const QUOTES = '"'.repeat(LIMITS.contentBytes);

const WITHIN_MS = 10_000;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  jest.restoreAllMocks();
});

interface Reads {
  readonly seen: { readonly subject: string; readonly after: number }[];
  /** Is waited for; what it throws is the read's answer. */
  before?: (subject: string) => Promise<unknown>;
  /** Of this subject there is more than is read at once; the first time. */
  cut?: string;
}

/** One partition. Room `a` is ann's. What is read of the log can be refused, or held up. */
async function feedWith(options: TestFeedOptions = {}) {
  const log = options.log ?? new MemoryLog({ partitions: 1 });
  const reads: Reads = { seen: [] };
  const seen = (honest: EventLog): EventLog =>
    withParts(honest, {
      readSubject: async (partition, subject, range): Promise<SubjectRead> => {
        reads.seen.push({ subject, after: range.after });
        await reads.before?.(subject);
        if (reads.cut !== subject) return honest.readSubject(partition, subject, range);
        delete reads.cut;
        return { entries: [], complete: false };
      },
    });
  const feed = await new TestFeed({ log, seen, ...options }).start();
  stops.push(() => feed.stop());
  const writing = new Writing(log);
  await writing.room('a', 'ann');
  const ends = (): Promise<number[]> => feed.feed.lastSequences();
  const here = async (): Promise<OpenFrom> => ({ since: formatCursor({ epoch: 'memory', seqs: await ends() }) });
  return Object.assign(feed, { writing, reads, ends, here });
}

type Feed = Awaited<ReturnType<typeof feedWith>>;

const welcomeOf = ({ frames }: { frames: TestReader['frames'] }) => frames[0] as ServerFrameOf<'welcome'>;
const opsOf = ({ frames }: { frames: TestReader['frames'] }) => frames.map(({ op }) => op);

/** A reader of ann's whose network has so much to take; its opening goes on beside the test. */
function openBeside(t: Feed, from: OpenFrom, queuedBytes: number) {
  const sink = new TestSink();
  sink.queuedBytes = queuedBytes;
  const opened: { reader?: TestReader } = {};
  const opening = t.open('ann', from, 'origin', sink).then((reader) => (opened.reader = reader));
  stops.unshift(async () => {
    sink.queuedBytes = 0;
    await opening;
  });
  return { sink, opened, frames: sink.frames };
}

/** The connection ends. */
function goAway(t: Feed): void {
  for (const reader of [...t.feed.readers]) t.feed.leave(reader);
}

describe('a cursor', () => {
  test.each([
    ['of too few partitions', '0'],
    ['of too many partitions', '0.0.0'],
    ['beyond the end of one partition and not of the other', '0.999'],
    ['beyond the end of the other', '999.0'],
  ])('%s is not recovered: the reader begins where the views are', async (_, seqs) => {
    const t = await feedWith({ log: new MemoryLog({ partitions: 2 }) });
    await t.writing.send('a', 'bob', 'before');
    const ann = await t.open('ann', { since: `memory.${seqs}` });
    expect(welcomeOf(ann)).toMatchObject({ recovered: false, rooms: [{ room: 'a', ordinal: 1 }] });
    expect(ann.events('a')).toEqual([]);
  });

  test('is never followed by one that stands before it', async () => {
    const t = await feedWith();
    await t.writing.send('a', 'bob', 'before');
    const from = await t.here();
    const ann = await t.open('ann', from);
    expect(ann.cursor).toBe(from.since);
    expect(parseCursor(ann.cursor)?.seqs).toEqual(await t.ends());
  });
});

test('changes of membership from before the cursor are not read again: there may be many', async () => {
  const t = await feedWith();
  await t.writing.mute('a', 'ann', true);
  const from = await t.here();
  await t.writing.mute('a', 'ann', false);
  await t.open('ann', from);
  const read = t.reads.seen.filter(({ subject }) => subject === t.subjects.memberships(0, 'ann'));
  expect(read.map(({ after }) => [after])).toEqual([parseCursor(from.since ?? '')?.seqs]);
});

describe('without a cursor', () => {
  test('nothing is missing: it is told so, and begins where the views are', async () => {
    const views = { upTo: [0] };
    const t = await feedWith({ viewsUpTo: () => views.upTo });
    await t.writing.send('a', 'bob', 'in the views');
    views.upTo = await t.ends();
    await t.writing.send('a', 'bob', 'since');
    const ann = await t.open('ann');
    expect(welcomeOf(ann)).toMatchObject({ recovered: true, rooms: [{ ordinal: 1 }] });
    expect(ann.timeline('a')).toEqual(['since']);
  });

  test('a client that knows none gets what came after it was accepted, wherever the views are', async () => {
    const t = await feedWith({ viewsUpTo: () => [0] });
    await t.writing.send('a', 'bob', 'before');
    const ends = await t.ends();
    await t.writing.send('a', 'bob', 'after');
    expect((await t.open('ann', { ends })).timeline('a')).toEqual(['after']);
  });

  test('views of another log have nobody in a room of this one, and begin nobody’s replay at its beginning', async () => {
    const elsewhere = new MemoryLog({ partitions: 1, epoch: 'elsewhere' });
    await new Writing(elsewhere).room('b', 'ann');
    const t = await feedWith({ views: memoryViews(elsewhere, () => undefined) });
    await t.writing.room('b', 'bob');
    await t.writing.send('a', 'bob', 'before');
    const ann = await t.open('ann');
    await t.writing.send('a', 'bob', 'after');
    await t.writing.send('b', 'bob', 'not for ann');
    await t.settle();
    expect(opsOf(ann)).toEqual(['welcome', 'caught_up', 'event']);
    expect(ann.timeline('a')).toEqual(['after']);
  });
});

describe('`welcome`', () => {
  test('tells a room’s place at the cursor, whatever came first since', async () => {
    const t = await feedWith();
    const seq = await t.writing.send('a', 'ann', 'before');
    const from = await t.here();
    await t.writing.join('a', 'bob');
    await t.writing.send('a', 'bob', 'since');
    expect(welcomeOf(await t.open('ann', from)).rooms).toMatchObject([{ seq, ordinal: 1 }]);
  });

  test('counts no message where the first entry since is one that this version cannot read', async () => {
    const t = await feedWith();
    const seq = await t.writing.send('a', 'ann', 'before');
    const from = await t.here();
    await t.log.append({ subject: t.subjects.timeline('a'), event: { type: 'MessageFlown', v: 1 } as never });
    const ann = await t.open('ann', from);
    expect(welcomeOf(ann).rooms).toMatchObject([{ seq, ordinal: 1 }]);
    expect(ann.frames[1]).toMatchObject({ op: 'skip', prev: seq });
  });

  test('tells who takes part in a channel, and of a room its kind, name and role', async () => {
    const log = new MemoryLog({ partitions: 1 });
    const { roomId } = await new Writing(log).channel(['ann', 'bob'], 'hello');
    const views = memoryViews(log, () => undefined);
    const participants = ['ann', 'bob'];
    const roomsOfUser: typeof views.roomsOfUser = async (userId) => {
      const { rooms, ...rest } = await views.roomsOfUser(userId);
      return { rooms: rooms.map((room) => (room.kind === 'room' ? room : { ...room, participants })), ...rest };
    };
    const t = await feedWith({ log, views: withParts(views, { roomsOfUser }) });
    const { rooms } = welcomeOf(await t.open('ann'));
    const channel = { room: roomId, kind: 'channel', name: roomId, role: 'member', participants, ordinal: 1 };
    expect(rooms).toEqual([
      { ...channel, seq: expect.any(Number) },
      { room: 'a', kind: 'room', name: 'a', role: 'owner', seq: 0, ordinal: 0 },
    ]);
  });

  test('leaves out rooms that an encoding does not read, and nothing of them is sent', async () => {
    const t = await feedWith();
    await t.writing.room('b', 'ann');
    const from = await t.here();
    await t.writing.send('a', 'bob', 'read');
    await t.writing.send('b', 'bob', 'not read');
    const sink = new TestSink({ ...LINES, readsRoom: (roomId) => roomId !== 'b' });
    const ann = await t.open('ann', from, 'origin', sink);
    await t.writing.send('b', 'bob', 'nor later');
    await t.settle();
    expect(welcomeOf(ann).rooms).toMatchObject([{ room: 'a' }]);
    expect([ann.timeline('a'), ann.events('b')]).toEqual([['read'], []]);
  });
});

describe('too much', () => {
  test('in bytes as it is sent, though its texts are not: nothing of it is replayed', async () => {
    const t = await feedWith();
    const from = await t.here();
    const messages = Math.ceil((0.6 * LIMITS.replayBytes) / QUOTES.length);
    for (let i = 0; i < messages; i++) await t.writing.send('a', 'bob', QUOTES);
    const ann = await t.open('ann', from);
    expect(welcomeOf(ann)).toMatchObject({ recovered: false, rooms: [{ ordinal: messages }] });
    expect(ann.timeline('a')).toEqual([]);
  });

  test('in changes of membership, of which only some would be read: not recovered', async () => {
    const t = await feedWith();
    const from = await t.here();
    await t.writing.mute('a', 'ann', true);
    t.reads.cut = t.subjects.memberships(0, 'ann');
    const ann = await t.open('ann', from);
    expect(welcomeOf(ann).recovered).toBe(false);
    expect(ann.events('a')).toEqual([]);
  });

  test('what came live meanwhile comes once when it is begun again from the views', async () => {
    const views = { upTo: [0] };
    const t = await feedWith({ viewsUpTo: () => views.upTo });
    await t.writing.room('b', 'ann');
    const from = await t.here();
    for (let i = 0; i <= LIMITS.replayEvents; i++) await t.writing.send('b', 'bob', 'x');
    views.upTo = await t.ends();
    t.reads.before = async (subject) => {
      if (subject !== t.subjects.room('b')) return;
      delete t.reads.before;
      await t.settle();
      await t.writing.send('a', 'bob', 'meanwhile');
      await t.settle();
    };
    const ann = await t.open('ann', from);
    await t.settle();
    expect(welcomeOf(ann).recovered).toBe(false);
    expect(ann.timeline('a')).toEqual(['meanwhile']);
  });
});

describe('a log that does not answer fails the opening: the client comes back with what it has', () => {
  test.each([
    ['with a cursor', true],
    ['without one', false],
  ])('%s', async (_, hasCursor) => {
    const t = await feedWith({ viewsUpTo: () => [0] });
    const from = hasCursor ? await t.here() : {};
    t.reads.before = async () => {
      delete t.reads.before;
      throw new LogUnavailableError('away');
    };
    await t.writing.send('a', 'bob', 'since');
    const sink = new TestSink();
    await expect(t.open('ann', from, 'origin', sink)).rejects.toThrow(LogUnavailableError);
    expect(sink.frames).toEqual([]);
  });

  test('for one of several rooms', async () => {
    const t = await feedWith();
    await t.writing.room('b', 'ann');
    const from = await t.here();
    for (const room of ['a', 'b']) await t.writing.send(room, 'bob', 'since');
    t.reads.before = async (subject) => {
      if (subject === t.subjects.room('b')) throw new LogUnavailableError('away');
    };
    const sink = new TestSink();
    await expect(t.open('ann', from, 'origin', sink)).rejects.toThrow(LogUnavailableError);
    expect(sink.frames).toEqual([]);
  });

  test('for the first of many rooms: those that wait their turn are not read', async () => {
    const t = await feedWith();
    const rooms = Array.from({ length: 60 }, (_, i) => `r${i}`);
    for (const room of rooms) await t.writing.room(room, 'ann');
    const from = await t.here();
    for (const room of rooms) await t.writing.send(room, 'bob', 'x');
    t.reads.seen.length = 0;
    t.reads.before = async (subject) => {
      if (subject === t.subjects.room('r0')) throw new LogUnavailableError('away');
    };
    await expect(t.open('ann', from)).rejects.toThrow(LogUnavailableError);
    await t.settle();
    const read = rooms.filter((room) => t.reads.seen.some(({ subject }) => subject === t.subjects.room(room)));
    expect(read.length).toBeLessThan(rooms.length / 2);
  });
});

describe('a replay that the network does not take', () => {
  async function withReplay(messages = ['one', 'two']) {
    const t = await feedWith();
    const from = await t.here();
    for (const message of messages) await t.writing.send('a', 'bob', message);
    return { t, from };
  }

  test('goes on while no more than its share waits', async () => {
    const { t, from } = await withReplay();
    const { opened, frames } = openBeside(t, from, QUEUE_BYTES);
    await waitUntil('it is open', WITHIN_MS, () => opened.reader);
    expect(opsOf({ frames })).toEqual(['welcome', 'event', 'event', 'caught_up']);
  });

  test('waits, and goes on when it has been taken', async () => {
    const { t, from } = await withReplay();
    const { sink, opened, frames } = openBeside(t, from, WAITING_BYTES);
    await waitUntil('it has begun', WITHIN_MS, () => frames.length > 1);
    await t.settle();
    expect(opsOf({ frames })).toEqual(['welcome', 'event']);
    sink.queuedBytes = 0;
    await waitUntil('it is open', WITHIN_MS, () => opened.reader);
    expect(opsOf({ frames })).toEqual(['welcome', 'event', 'event', 'caught_up']);
  });

  test('for a minute closes the reader, with a code to come back with', async () => {
    const { t, from } = await withReplay();
    const { sink, opened, frames } = openBeside(t, from, WAITING_BYTES);
    await waitUntil('it has begun', WITHIN_MS, () => frames.length > 1);
    expect(sink.closed).toBeUndefined();
    const laterMs = performance.now() + 60_000;
    jest.spyOn(performance, 'now').mockImplementation(() => laterMs);
    await waitUntil('its opening is over', WITHIN_MS, () => opened.reader);
    expect(sink.closed).toEqual({ code: CLOSE.slowReader, reason: 'slow reader' });
    expect(opsOf({ frames })).toEqual(['welcome', 'event']);
  });

  test('ends with its connection', async () => {
    const { t, from } = await withReplay();
    const { opened, frames } = openBeside(t, from, WAITING_BYTES);
    await waitUntil('it has begun', WITHIN_MS, () => frames.length > 1);
    goAway(t);
    await waitUntil('its opening is over', WITHIN_MS, () => opened.reader);
    expect(opsOf({ frames })).toEqual(['welcome', 'event']);
  });

  test('keeps others from reading more than all replays may have in memory together', async () => {
    const { t, from } = await withReplay(Array.from({ length: 120 }, () => QUOTES));
    const { sink } = await t.open('ann', from);
    const bytes = sink.frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
    const most = Math.floor(REPLAYS_BYTES_MAX / bytes);
    const readers = Array.from({ length: most + 8 }, () => openBeside(t, from, WAITING_BYTES));
    const welcomed = (): number => readers.filter(({ frames }) => frames.length > 0).length;
    await waitUntil('as many as fit are welcome', 5_000, () => welcomed() >= most);
    await t.settle();
    expect(welcomed()).toBe(most);
    goAway(t);
  });
});

describe('a connection that ends', () => {
  test('before its turn is not entered: nothing of its user is kept', async () => {
    const t = await feedWith();
    const reader = new Reader('s', new TestSink(), 'origin');
    t.feed.leave(reader);
    await openReader(t.feed, reader, 'ann');
    expect([t.feed.user('ann'), t.feed.readers.size]).toEqual([undefined, 0]);
  });

  test.each([
    ['its memberships are', 'chat.0.room.*.member.'],
    ['a room is', 'chat.0.room.a'],
  ])('while %s read is attached to no room', async (_, part) => {
    const t = await feedWith();
    const from = await t.here();
    await t.writing.mute('a', 'ann', true);
    t.reads.before = async (subject) => {
      if (subject.startsWith(part)) goAway(t);
    };
    const ann = await t.open('ann', from);
    expect(ann.frames).toEqual([]);
    expect(t.feed.activeRoom('a')?.readerCount ?? 0).toBe(0);
  });

  test('while its replay waits gives its place to whoever is next', async () => {
    const t = await feedWith();
    const from = await t.here();
    await t.writing.send('a', 'bob', 'since');
    const waiting = Array.from({ length: REPLAYS_MAX }, () => openBeside(t, from, WAITING_BYTES));
    await waitUntil('all wait', WITHIN_MS, () => waiting.every(({ frames }) => frames.length > 1));
    goAway(t);
    const next = openBeside(t, from, 0);
    await waitUntil('the next is open', WITHIN_MS, () => next.opened.reader);
    expect(opsOf(next)).toEqual(['welcome', 'event', 'caught_up']);
  });
});
