import { afterEach, describe, expect, test } from '@jest/globals';
import { type ChatEvent, EVENT_VERSION } from '#contract';
import { roomEvent, type RoomEvent } from './room-event.js';
import { Tail, TAILS_BYTES_MAX, tailsAreFull } from './tail.js';

const PLACING = { prev: undefined, ordinal: 0, announced: true, participants: undefined };
/** What an event without a text takes; a character of text takes two. */
const EVENT_BYTES = 600;
const NARROW_BYTES = 512 * 1024;
const WIDE_BYTES = 16 * 1024 * 1024;

const tails: Tail[] = [];

/** What all tails hold together is counted: each one made here is emptied after its test. */
function newTail(from: number): Tail {
  const tail = new Tail(from);
  tails.push(tail);
  return tail;
}

afterEach(() => {
  for (const tail of tails.splice(0)) tail.clear();
});

function join(seq: number): RoomEvent {
  const subject = { kind: 'member', partition: 0, roomId: 'den', userToken: `user-${seq}` } as const;
  const decoded = { kind: 'unreadable', reason: 'not read here' } as const;
  return roomEvent({ partition: 0, seq, subject: `${seq}`, prev: undefined, at: 0, decoded }, subject, PLACING);
}

function messageOf(bytes: number, seq: number): RoomEvent {
  const data = { content: 'x'.repeat((bytes - EVENT_BYTES) / 2), type: 'text' } as const;
  const event = { v: EVENT_VERSION, type: 'MessageSent', actor: 'bob', data } as ChatEvent;
  const subject = { kind: 'timeline', partition: 0, roomId: 'den' } as const;
  const entry = { partition: 0, seq, subject: '', prev: 0, at: 0, decoded: { kind: 'event', event } as const };
  return roomEvent(entry, subject, { ...PLACING, prev: 0, ordinal: 1 });
}

function grow(tail: Tail, from: number, count: number, event: (seq: number) => RoomEvent = join): void {
  for (let seq = from; seq < from + count; seq += 1) tail.add(event(seq));
}

const seqsAfter = (tail: Tail, seq: number): number[] => tail.after(seq).map((event) => event.seq);
const run = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const read = (from: number, to: number): RoomEvent[] => run(from, to).map(join);

/** Fills what all tails may hold, to the byte. */
function fillAll(): void {
  const large = messageOf(WIDE_BYTES, 1);
  for (let held = 0; held < TAILS_BYTES_MAX; held += WIDE_BYTES) {
    const tail = newTail(0);
    tail.widen();
    tail.add(large);
  }
}

describe('a tail', () => {
  test('has the last events, so many, and lets a quarter go at a time', () => {
    const tail = newTail(0);
    grow(tail, 1, 512);
    expect(tail.from).toBe(0);
    expect(seqsAfter(tail, 0)).toEqual(run(1, 512));
    grow(tail, 513, 1);
    expect(tail.from).toBe(129);
    expect(seqsAfter(tail, 0)).toEqual(run(130, 513));
  });

  test('has all after a sequence, or does not claim to', () => {
    const tail = newTail(10);
    grow(tail, 10, 6);
    expect(seqsAfter(tail, 0)).toEqual(run(11, 15));
    expect([9, 10, 15].map((seq) => tail.covers(seq))).toEqual([false, true, true]);
    expect(run(10, 16).map((seq) => seqsAfter(tail, seq).length)).toEqual([5, 4, 3, 2, 1, 0, 0]);
  });

  test('puts in its place what comes late', () => {
    const tail = newTail(0);
    for (const seq of [2, 6, 4, 1, 5, 3]) tail.add(join(seq));
    expect(seqsAfter(tail, 0)).toEqual(run(1, 6));
  });

  test('has so many bytes: texts count twice, and every event for itself', () => {
    const fits = (last: RoomEvent): boolean => {
      const tail = newTail(0);
      grow(tail, 1, 31, (seq) => messageOf(NARROW_BYTES / 32, seq));
      tail.add(last);
      return tail.covers(0);
    };
    expect(fits(messageOf(NARROW_BYTES / 32, 32))).toBe(true);
    expect(fits(messageOf(NARROW_BYTES / 32 + 2, 32))).toBe(false);
  });

  test('has room again for what it has let go', () => {
    const tail = newTail(0);
    grow(tail, 1, 33, (seq) => messageOf(NARROW_BYTES / 32, seq));
    expect(tail.from).toBe(9);
    grow(tail, 34, 8, (seq) => messageOf(NARROW_BYTES / 32, seq));
    expect(tail.from).toBe(9);
    grow(tail, 42, 1, (seq) => messageOf(NARROW_BYTES / 32, seq));
    expect(tail.from).toBe(18);
    tail.clear();
    expect([tail.from, tail.after(0)]).toEqual([42, []]);
    grow(tail, 43, 32, (seq) => messageOf(NARROW_BYTES / 32, seq));
    expect(tail.from).toBe(42);
    tail.clear();
    grow(tail, 75, 512);
    expect(tail.from).toBe(74);
  });

  test('that is empty stays where it is when it is cleared', () => {
    const tail = newTail(7);
    tail.clear();
    expect(tail.from).toBe(7);
  });
});

describe('a wide tail', () => {
  test('takes in front what was read from the log, and is narrow again after two sweeps', () => {
    const tail = newTail(2_000);
    grow(tail, 2_001, 500);
    tail.widen();
    tail.extend(0, 2_000, read(1, 2_000));
    grow(tail, 2_501, 2_500);
    tail.settle();
    expect(tail.covers(0)).toBe(true);
    expect(seqsAfter(tail, 0)).toEqual(run(1, 5_000));
    tail.settle();
    expect(tail.covers(0)).toBe(false);
    const left = seqsAfter(tail, 0);
    expect(left.length).toBeLessThanOrEqual(512);
    expect(left).toEqual(run(tail.from + 1, 5_000));
  });

  test('that has nothing to let go loses nothing when it is narrow again', () => {
    const tail = newTail(0);
    tail.widen();
    grow(tail, 1, 512);
    for (let sweeps = 0; sweeps < 4; sweeps += 1) tail.settle();
    expect(seqsAfter(tail, 0)).toEqual(run(1, 512));
  });

  test('is wide again for as long when it is needed again', () => {
    const tail = newTail(0);
    tail.widen();
    grow(tail, 1, 600);
    tail.settle();
    tail.widen();
    tail.settle();
    expect(tail.covers(0)).toBe(true);
    tail.settle();
    expect(tail.covers(0)).toBe(false);
  });

  test('takes nothing in front that does not end where it begins', () => {
    const tail = newTail(10);
    grow(tail, 11, 2);
    tail.extend(0, 9, [join(3)]);
    tail.extend(5, 11, [join(11)]);
    expect(tail.from).toBe(10);
    expect(seqsAfter(tail, 0)).toEqual([11, 12]);
  });

  test('is bounded, by what comes and by what is put in front', () => {
    const tail = newTail(20_000);
    tail.widen();
    grow(tail, 20_001, 10_000);
    tail.extend(13_615, 20_000, read(13_616, 20_000));
    expect(tail.from).toBe(20_000);
    tail.extend(13_616, 20_000, read(13_617, 20_000));
    expect(tail.from).toBe(13_616);
    grow(tail, 30_001, 1);
    expect(tail.from).toBe(13_616 + 4_097);
  });

  test('is bounded in bytes, by what comes and by what is put in front', () => {
    const half = WIDE_BYTES / 2;
    const tail = newTail(1);
    tail.widen();
    tail.add(messageOf(half, 2));
    tail.extend(0, 1, [messageOf(half + 2, 1)]);
    expect(tail.from).toBe(1);
    tail.extend(0, 1, [messageOf(half, 1)]);
    expect(tail.from).toBe(0);
    tail.add(join(3));
    expect(tail.from).toBe(1);
    expect(seqsAfter(tail, 0)).toEqual([2, 3]);
  });
});

describe('tails together', () => {
  test('are full above their bytes, and have room again for what is let go', () => {
    fillAll();
    expect(tailsAreFull()).toBe(false);
    const one = newTail(0);
    one.add(join(1));
    expect(tailsAreFull()).toBe(true);
    one.clear();
    expect(tailsAreFull()).toBe(false);
  });

  test('keep only the fewest events while they are full, and give up even those at a sweep', () => {
    fillAll();
    const [tail, wide] = [newTail(0), newTail(0)];
    wide.widen();
    for (const each of [tail, wide]) {
      grow(each, 1, 16);
      expect(seqsAfter(each, 0)).toEqual(run(1, 16));
      grow(each, 17, 1);
      expect(each.from).toBe(5);
    }
    tail.settle();
    expect([tail.from, tail.after(0)]).toEqual([17, []]);
  });

  test('take nothing in front that would make them full', () => {
    fillAll();
    tails[0]?.clear();
    const tail = newTail(1);
    tail.widen();
    tail.extend(0, 1, [messageOf(WIDE_BYTES, 1)]);
    expect([tail.from, tailsAreFull()]).toEqual([0, false]);
    tail.clear();
    const [late, other] = [newTail(1), newTail(0)];
    other.add(join(1));
    late.widen();
    late.extend(0, 1, [messageOf(WIDE_BYTES, 1)]);
    expect(late.from).toBe(1);
  });
});
