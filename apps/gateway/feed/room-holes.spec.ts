/** What a room lacks: holes in its timeline, what they hold back, and what comes late. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { CLOSE } from '#contract';
import { waitUntil } from '#embedded';
import { type EventLog, LogUnavailableError, type SubjectRange } from '#event-log';
import type { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import { HELD_ENTRIES_MAX } from './room.js';
import { TestFeed, type TestReader, TestSink, Writing } from './test-feed.js';
import { AT_THE_START, closeRooms, gate, TestRoom } from './test-room.js';

const WITHIN_MS = 10_000;

afterEach(closeRooms);

/** A log that answers a read of several entries when `before` has been done. */
const reading =
  (before: (range: SubjectRange, subject: string) => Promise<unknown> | undefined) =>
  (log: MemoryLog): EventLog =>
    withParts(log, {
      readSubject: async (partition, subject, range) => {
        await before(range, subject);
        return log.readSubject(partition, subject, range);
      },
    });

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i + 1}`);
/** A chain without a hole, as a client checks it. */
const isChained = ({ frames }: TestReader): boolean =>
  frames
    .flatMap((frame) => (frame.op === 'event' && frame.type === 'message.sent' ? [frame] : []))
    .every((frame, i, all) => frame.prev === (all[i - 1]?.seq ?? 0) && frame.data['ordinal'] === i + 1);

describe('a hole', () => {
  test('holds back what follows it, in whatever order that comes, until it has been read', async () => {
    const read = gate();
    const reads: number[] = [];
    const t = await new TestRoom(reading(({ upTo }) => (reads.push(upTo), read.opened))).open();
    const ann = t.reader('ann');
    const [one, two, three, four, five] = await t.send('one', 'two', 'three', 'four', 'five');
    t.deliver(one, three, five, four, three);
    t.turn.flush();
    expect(ann.timeline('a')).toEqual(['one']);
    t.deliver(two, one);
    read.open();
    await t.settle();
    expect(ann.timeline('a')).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(isChained(ann)).toBe(true);
    expect(ann.sink.writes).toBe(2);
    // What was held needs not be read, whatever its order was.
    expect(reads).toEqual([two]);
    t.deliver(one, two, three, four, five);
    t.turn.flush();
    expect(ann.frames).toHaveLength(5);
  });

  test('is read in pages, and nothing behind it is shown before the last', async () => {
    const ranges: SubjectRange[] = [];
    const t = await new TestRoom(reading(async (range) => ranges.push(range))).open();
    const ann = t.reader('ann');
    const sent = numbers(2_100);
    const seqs = await t.send(...sent);
    t.deliver(seqs.at(-1));
    await t.settle();
    expect(ann.timeline('a')).toEqual(sent);
    expect(isChained(ann)).toBe(true);
    expect(ranges.map(({ after }) => after)).toEqual([0, 1_000, 2_000]);
  });

  test('brings the states that stand in it, in their place, and goes on over pages that have nothing else', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [one] = await t.send('one');
    const muted = await t.writing.mute('a', 'bob', true);
    for (let i = 0; i < 1_000; i++) await t.writing.mute('a', `u${i}`, true);
    const [two, three] = await t.send('two', 'three');
    t.deliver(one, three, muted);
    await t.settle();
    expect(ann.timeline('a')).toEqual(['one', 'two', 'three']);
    const seqs = ann.frames.flatMap((frame) => (frame.op === 'event' ? [frame.seq] : []));
    expect(seqs).toEqual(Array.from({ length: 1_004 }, (_, i) => i + 1));
    expect(two).toBe(1_003);
  });

  test('behind another is filled, too, though it shows only when the first has been', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [, two, , four, , six] = await t.send(...numbers(6));
    t.deliver(six, four, two);
    await t.settle();
    expect(ann.timeline('a')).toEqual(numbers(6));
    expect(isChained(ann)).toBe(true);
  });

  test('that shows in the very moment in which another one has been filled is filled, too', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [, two, , four] = await t.send(...numbers(4));
    // Copies come in turns of their own: this one before anybody who waits for the filling goes on.
    t.onEvent = ({ seq }) => seq === two && queueMicrotask(() => t.deliver(four));
    t.deliver(two);
    await t.settle();
    await t.settle();
    expect(ann.timeline('a')).toEqual(numbers(4));
  });

  test('that was there before the room was open is filled when it is', async () => {
    const t = new TestRoom();
    const ann = t.reader('ann');
    const [, two] = await t.send('one', 'two');
    const located = gate();
    const opening = t.openWith(() => located.opened.then(() => AT_THE_START));
    t.deliver(two);
    located.open();
    await opening;
    await t.settle();
    expect(ann.timeline('a')).toEqual(['one', 'two']);
  });

  test('of which entries were erased is none: the chain goes on over them', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [one, gone, three, alsoGone, five] = await t.send('one', 'gone', 'three', 'gone, too', 'five');
    for (const seq of [gone, alsoGone]) t.stored.erase(0, seq ?? 0);
    t.deliver(one, three, five);
    await t.settle();
    expect(ann.timeline('a')).toEqual(['one', 'three', 'five']);
    expect(isChained(ann)).toBe(true);
    expect([alsoGone, five, (five ?? 0) + 1].map((seq) => t.room.lacks(t.subjects.timeline('a'), seq ?? 0))).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('a notice that names a place on the timeline', () => {
  test('has all up to it read, once, and waits until it has been taken', async () => {
    const read = gate();
    const reads: number[] = [];
    const t = await new TestRoom(reading(({ upTo }) => (reads.push(upTo), read.opened))).open();
    const ann = t.reader('ann');
    const [one = 0, , three = 0, four = 0] = await t.send(...numbers(4));
    const filled = Promise.all([t.room.fillTo(one), t.room.fillTo(three)]);
    t.deliver(four, one);
    t.turn.flush();
    expect(ann.frames).toEqual([]);
    read.open();
    await filled;
    await t.settle();
    expect(ann.timeline('a')).toEqual(numbers(4));
    expect(reads[0]).toBe(one);
    await t.room.fillTo(four);
    expect(reads).toHaveLength(2);
  });

  test('that was erased since is done with, and what comes next is shown', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [one, gone = 0, three] = await t.send('one', 'gone', 'three');
    t.deliver(one);
    t.stored.erase(0, gone);
    await t.room.fillTo(gone);
    expect(t.room.lacks(t.subjects.timeline('a'), gone)).toBe(false);
    t.deliver(three);
    t.turn.flush();
    expect(ann.timeline('a')).toEqual(['one', 'three']);
  });
});

describe('a log that cannot be read', () => {
  test('is asked again until it is back, and then nothing is missing', async () => {
    let tries = 0;
    const away = async (): Promise<void> => {
      tries += 1;
      if (tries === 2) throw new LogUnavailableError('away');
    };
    const t = await new TestRoom(reading(away)).open();
    const ann = t.reader('ann');
    const seqs = await t.send(...numbers(1_002));
    t.deliver(seqs.at(-1));
    await t.settle();
    expect(ann.timeline('a')).toEqual(numbers(1_002));
    expect([tries, t.faults]).toEqual([3, []]);
  });

  test('is not asked again when the room has been closed', async () => {
    let tries = 0;
    const away = async (): Promise<never> => {
      tries += 1;
      throw new LogUnavailableError('away');
    };
    const t = await new TestRoom(reading(away)).open();
    const [one, two] = await t.send('one', 'two');
    t.deliver(two);
    await waitUntil('the log is asked', WITHIN_MS, () => tries === 1);
    await t.room.close();
    await t.room.settled();
    await t.room.fillTo(one ?? 0);
    expect(tries).toBe(1);
  });

  test('for a reason that does not pass, is a fault of the room, once', async () => {
    const broken = new Error('broken');
    const t = await new TestRoom(
      reading(async ({ after }) => {
        if (after > 0) throw broken;
      }),
    ).open();
    const ann = t.reader('ann');
    const [, two, , four] = await t.send(...numbers(4));
    t.deliver(two, four);
    await expect(t.room.settled()).rejects.toBe(broken);
    await new Promise((resolve) => setImmediate(resolve));
    t.turn.flush();
    expect(t.faults).toEqual([broken]);
    expect(ann.timeline('a')).toEqual(['m1', 'm2']);
  });

  test('is told to whoever wanted it read; who wants it again has it read again', async () => {
    const broken = new Error('broken');
    let isBroken = true;
    const t = await new TestRoom(
      reading(async () => {
        if (isBroken) throw broken;
      }),
    ).open();
    const ann = t.reader('ann');
    const [one = 0, two] = await t.send('one', 'two');
    await expect(t.room.fillTo(one)).rejects.toBe(broken);
    isBroken = false;
    t.deliver(two);
    await t.room.settled();
    await t.room.fillTo(one);
    t.turn.flush();
    expect(ann.timeline('a')).toEqual(['one', 'two']);
    expect(t.faults).toEqual([]);
  });
});

test('a room that is closed while the log is read takes nothing of what was read', async () => {
  const read = gate();
  const t = await new TestRoom(reading(() => read.opened)).open();
  const [, two] = await t.send('one', 'two');
  t.deliver(two);
  await t.room.close();
  read.open();
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(t.room.tail.after(0)).toEqual([]);
  expect(t.room.timelineSeq).toBe(0);
});

test('so many entries are held and no more: what comes on top is lacking, and read when somebody says so', async () => {
  const located = gate();
  const t = new TestRoom();
  const opening = t.openWith(() => located.opened.then(() => AT_THE_START));
  const [one] = await t.send('one');
  const copy = t.copyOf(one);
  for (let seq = 1; seq <= HELD_ENTRIES_MAX + 1; seq += 1) t.room.receive({ ...copy, seq, prev: seq - 1 });
  located.open();
  await opening;
  expect(t.room.timelineSeq).toBe(HELD_ENTRIES_MAX);
  expect(t.room.lacks(copy.subject, HELD_ENTRIES_MAX + 1)).toBe(true);
});

describe('what comes late, behind what followed it,', () => {
  test('is shown at once, behind what has come before it, to all who were members then', async () => {
    const t = await new TestRoom().open();
    const muted = await t.writing.mute('a', 'rob', true);
    const [one = 0, two = 0] = await t.send('one', 'two');
    const ann = t.reader('ann');
    t.deliver(one);
    t.turn.flush();
    const [bob, cid] = [t.reader('bob', { since: muted }), t.reader('cid', { since: one })];
    t.deliver(two, muted);
    t.turn.flush();
    expect(ann.events('a')).toEqual(['message.sent', 'message.sent', 'member.updated']);
    expect(bob.events('a')).toEqual(['message.sent']);
    expect(cid.events('a')).toEqual(['message.sent']);
  });

  test('is not for all, where somebody has come since, though nothing was shown meanwhile', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const [one] = await t.send('one');
    const joined = await t.writing.join('a', 'bob');
    const bob = t.reader('bob', { since: joined });
    t.deliver(one);
    t.turn.flush();
    expect([ann.timeline('a'), bob.timeline('a')]).toEqual([['one'], []]);
  });

  test('is held back from whom it would have been, and shows nothing in an encoding that has nothing of it', async () => {
    const t = await new TestRoom().open();
    const [ann, bob, cid] = [t.reader('ann'), t.reader('bob'), t.reader('cid')];
    const [one = 0] = await t.send('one');
    const muted = await t.writing.mute('a', 'rob', true);
    const instead = Buffer.from(`${JSON.stringify({ op: 'skip', room: 'a', seq: one, prev: 0 })}\n`);
    t.instead.set(
      one,
      new Map([
        [ann.reader, undefined],
        [bob.reader, instead],
      ]),
    );
    const roster = await t.writing.roster('a', 3);
    const [two] = await t.send('two');
    t.deliver(muted, two);
    await t.settle();
    t.deliver(roster);
    t.turn.flush();
    const seen = [ann, bob, cid].map(({ frames }) => frames.map((frame) => ('type' in frame ? frame.type : frame.op)));
    expect(seen).toEqual([
      ['member.updated', 'message.sent'],
      ['member.updated', 'skip', 'message.sent'],
      ['member.updated', 'message.sent', 'message.sent'],
    ]);
  });
});

test('a room that cannot go on while somebody is about to read it sends them away, to come back with their cursor', async () => {
  const read = gate();
  const isOfRoom = (subject: string): boolean => subject.endsWith('.room.a.>');
  const t = await new TestFeed({
    seen: reading((_, subject) => (isOfRoom(subject) ? read.opened : undefined)),
  }).start();
  const writing = new Writing(t.log);
  await writing.room('a', 'ann');
  const before = await t.open('ann');
  t.feed.leave(before.reader);
  t.nowMs += 120_000;
  t.feed.sweep();
  await writing.send('a', 'eve', 'meanwhile');
  const sink = new TestSink();
  const opening = t.open('ann', { since: before.cursor }, 'origin', sink);
  await t.settle();
  const broken = new Error('broken');
  t.feed.fault(t.feed.activeRoom('a'), broken);
  read.open();
  await opening;
  expect(sink.closed?.code).toBe(CLOSE.replayFailed);
  expect(t.faults).toEqual([broken]);
  await t.stop();
});
