import { describe, expect, test } from '@jest/globals';
import { roomEvent, type RoomEvent } from './room-event.js';
import { Tail } from './tail.js';

const PLACING = { prev: undefined, ordinal: 0, announced: true, participants: undefined };

function join(seq: number): RoomEvent {
  const subject = { kind: 'member', partition: 0, roomId: 'den', userToken: `user-${seq}` } as const;
  const decoded = { kind: 'unreadable', reason: 'not read here' } as const;
  return roomEvent({ partition: 0, seq, subject: `${seq}`, prev: undefined, at: 0, decoded }, subject, PLACING);
}

function grow(tail: Tail, from: number, count: number): void {
  for (let seq = from; seq < from + count; seq += 1) tail.add(join(seq));
}

describe('a tail', () => {
  test('has the last events, so many', () => {
    const tail = new Tail(0);
    grow(tail, 1, 5_000);
    expect(tail.covers(1)).toBe(false);
    expect(tail.after(tail.from).length).toBeLessThanOrEqual(512);
    expect(tail.after(4_990).map(({ seq }) => seq)).toEqual([
      4_991, 4_992, 4_993, 4_994, 4_995, 4_996, 4_997, 4_998, 4_999, 5_000,
    ]);
  });

  test('takes in front what was read from the log, and is narrow again after two sweeps', () => {
    const tail = new Tail(2_000);
    grow(tail, 2_001, 500);
    tail.widen();
    const read = Array.from({ length: 2_000 }, (_, i) => join(i + 1));
    tail.extend(0, 2_000, read);
    grow(tail, 2_501, 2_500);
    expect(tail.covers(0)).toBe(true);
    expect(tail.after(0).map(({ seq }) => seq)).toEqual(Array.from({ length: 5_000 }, (_, i) => i + 1));
    tail.settle();
    expect(tail.covers(0)).toBe(true);
    tail.settle();
    expect(tail.covers(0)).toBe(false);
    expect(tail.after(tail.from).length).toBeLessThanOrEqual(512);
    expect(tail.after(tail.from).at(-1)?.seq).toBe(5_000);
    tail.clear();
  });

  test('takes nothing in front that does not end where it begins', () => {
    const tail = new Tail(10);
    grow(tail, 11, 2);
    tail.extend(0, 9, [join(3)]);
    tail.extend(5, 11, [join(11)]);
    expect(tail.from).toBe(10);
    expect(tail.after(0).map(({ seq }) => seq)).toEqual([11, 12]);
    tail.clear();
  });

  test('is bounded also while it is wide', () => {
    const tail = new Tail(0);
    tail.widen();
    grow(tail, 1, 50_000);
    expect(tail.covers(0)).toBe(false);
    expect(tail.after(tail.from).length).toBeLessThanOrEqual(16_384);
    const { from } = tail;
    tail.extend(
      0,
      from,
      Array.from({ length: 16_384 }, (_, i) => join(i + 1)),
    );
    expect(tail.from).toBe(from);
    tail.clear();
  });
});
