/** A crowd that comes at once, and what it makes a gateway keep. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { type ChatEvent, DomainError, EVENT_VERSION, LIMITS, type ServerFrameOf } from '#contract';
import type { EventLog } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import { Openings, OPENINGS_MAX, OPENINGS_WAITING_MAX, REPLAYS_BYTES_MAX } from './openings.js';
import { roomEvent } from './room-event.js';
import { Tail, TAILS_BYTES_MAX, tailsAreFull } from './tail.js';
import { TestFeed, TestSink, Writing } from './test-feed.js';

const stop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of stop.splice(0)) await each();
});

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function feedOn(log: MemoryLog, seen?: (log: MemoryLog) => EventLog): Promise<TestFeed> {
  const feed = await new TestFeed({ log, ...(seen && { seen }) }).start();
  stop.push(() => feed.stop());
  return feed;
}

describe('openings', () => {
  test('are so many at a time, in the order of their coming; behind all who may wait nobody is let in', async () => {
    const openings = new Openings();
    const order: number[] = [];
    const ends: (() => void)[] = [];
    const open = (i: number): Promise<string> =>
      openings
        .read(
          () => {
            order.push(i);
            return new Promise<void>((end) => ends.push(end));
          },
          () => 0,
        )
        .then(
          ({ written }) => (written(), 'opened'),
          (error: unknown) => (error instanceof DomainError ? `${error.code} ${error.retryMs}` : String(error)),
        );
    const all = OPENINGS_MAX + OPENINGS_WAITING_MAX;
    const opened = Array.from({ length: all }, (_, i) => open(i));
    expect(openings.isFull).toBe(true);
    expect(await open(all)).toBe('unavailable 1000');
    expect(order).toEqual(Array.from({ length: OPENINGS_MAX }, (_, i) => i));
    while (order.length < all || ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await turnOfTheLoop();
    }
    expect(new Set(await Promise.all(opened))).toEqual(new Set(['opened']));
    expect(order).toEqual(Array.from({ length: all }, (_, i) => i));
    expect(openings.isFull).toBe(false);
  });

  test('what was read and is being written is bounded: the next one keeps its turn until there is room', async () => {
    const openings = new Openings();
    const read = (bytes: number) =>
      openings.read(
        async () => bytes,
        (value) => value,
      );
    const first = await read(REPLAYS_BYTES_MAX);
    let second: { written: () => void } | undefined;
    const waiting = read(1).then((opened) => (second = opened));
    await turnOfTheLoop();
    expect(second).toBeUndefined();
    first.written();
    await waiting;
    second?.written();
  });

  test('a crowd on one gateway is opened whole, whoever has gone meanwhile left out', async () => {
    const log = new MemoryLog({ partitions: 1 });
    const writing = new Writing(log);
    await writing.room('a', 'ann');
    const feed = await feedOn(log);
    const sinks = Array.from({ length: 4 * OPENINGS_MAX }, () => new TestSink());
    const opening = sinks.map((sink) => feed.open('ann', {}, 'origin', sink));
    await Promise.all(opening);
    await writing.send('a', 'bob', 'hello');
    await feed.settle();
    for (const { frames } of sinks) expect(frames.map(({ op }) => op)).toEqual(['welcome', 'caught_up', 'event']);
  });
});

test('a replay that is too much in bytes is given up while it is read, and none is sent in part', async () => {
  const log = new MemoryLog({ partitions: 1 });
  const writing = new Writing(log);
  await writing.room('a', 'ann');
  const reads: number[] = [];
  const counting = (counted: MemoryLog): EventLog =>
    withParts(counted, {
      readSubject: async (partition, subject, range) => {
        const read = await counted.readSubject(partition, subject, range);
        // What makes the mark move is read once for all readers.
        if (subject.startsWith('chat.0.room.')) reads.push(JSON.stringify(read.entries).length);
        return read;
      },
    });
  const feed = await feedOn(log, counting);
  const first = await feed.open('ann');
  const { cursor } = first;
  first.reader.ended();
  feed.feed.leave(first.reader);
  feed.nowMs += 120_000;
  feed.feed.sweep();
  const content = 'x'.repeat(LIMITS.contentBytes);
  for (let bytes = 0; bytes <= 2 * LIMITS.replayBytes; bytes += content.length) await writing.send('a', 'bob', content);
  reads.length = 0;
  const again = await feed.open('ann', { since: cursor });
  expect(again.frames[0] as ServerFrameOf<'welcome'>).toMatchObject({ op: 'welcome', recovered: false });
  expect(again.timeline('a')).toEqual([]);
  expect(reads.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(1.6 * LIMITS.replayBytes);
});

describe('tails of all rooms', () => {
  const longMessage = (seq: number) => {
    const data = { content: 'x'.repeat(LIMITS.contentBytes), type: 'text' } as const;
    const event = { v: EVENT_VERSION, type: 'MessageSent', actor: 'bob', data } as ChatEvent;
    const subject = { kind: 'timeline', partition: 0, roomId: 'elsewhere' } as const;
    const entry = { partition: 0, seq, subject: '', prev: 0, at: 0, decoded: { kind: 'event', event } as const };
    return roomEvent(entry, subject, { prev: 0, ordinal: 1, announced: true, participants: undefined });
  };

  test('are bounded together: silent rooms give theirs up, and whoever comes back reads the log', async () => {
    const log = new MemoryLog({ partitions: 1 });
    const writing = new Writing(log);
    await writing.room('a', 'ann');
    const feed = await feedOn(log);
    feed.startTails();
    const ann = await feed.open('ann');
    const { cursor } = ann;
    await writing.send('a', 'bob', 'before');
    await feed.settle();
    const elsewhere: Tail[] = [];
    for (let seq = 1; !tailsAreFull(); seq += 1) {
      if (seq % 8 === 1) elsewhere.push(new Tail(0));
      elsewhere.at(-1)?.add(longMessage(seq));
      expect(elsewhere.length).toBeLessThan(TAILS_BYTES_MAX / LIMITS.contentBytes);
    }
    const { tail } = feed.feed.activeRoom('a') ?? {};
    expect(tail?.after(0)).not.toEqual([]);
    feed.feed.sweep();
    expect(tail?.after(0)).toEqual([]);
    elsewhere.forEach((each) => each.clear());
    expect(tailsAreFull()).toBe(false);
    const again = await feed.open('ann', { since: cursor });
    expect(again.timeline('a')).toEqual(['before']);
  });
});
