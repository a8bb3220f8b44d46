/** The readers of one room: what each is written, and when. */
import { afterEach, expect, test } from '@jest/globals';
import type { ServerFrame } from '#contract';
import type { Encoding } from './encoding.js';
import type { RoomEvent } from './room-event.js';
import { LINES, TestSink } from './test-feed.js';
import { closeRooms, TestRoom } from './test-room.js';

afterEach(closeRooms);

const bytes = (frame: ServerFrame): Buffer => Buffer.from(`${JSON.stringify(frame)}\n`);
const typing: ServerFrame = { op: 'typing', room: 'a', user: 'eve', typing: true };

/** Lines, and beside them how often something was encoded, and how often several events were put together. */
function counting(slot: number): { encoding: Encoding; encoded: RoomEvent[]; joined: number[] } {
  const encoded: RoomEvent[] = [];
  const joined: number[] = [];
  const event = (of: RoomEvent): Buffer | undefined => (encoded.push(of), LINES.event(of));
  const all = (events: readonly RoomEvent[]): Buffer => {
    joined.push(events.length);
    return Buffer.concat([...events.map((of) => LINES.event(of) ?? Buffer.alloc(0)), bytes(typing)]);
  };
  return { encoding: { ...LINES, slot, event, joined: all }, encoded, joined };
}

test('readers of one encoding share what is made for it; of another they have their own', async () => {
  const t = await new TestRoom().open();
  const shared = counting(8);
  const [ann, bob] = [t.readerIn(shared.encoding), t.readerIn(shared.encoding)];
  const cid = t.reader('cid');
  t.deliver(...(await t.send('one', 'two')));
  t.turn.flush();
  expect(shared.joined).toEqual([2]);
  for (const reader of [ann, bob]) expect(reader.frames.map(({ op }) => op)).toEqual(['event', 'event', 'typing']);
  expect(cid.frames.map(({ op }) => op)).toEqual(['event', 'event']);
  expect(t.room.readerCount).toBe(3);
});

test('readers are written to once in a turn, and told that it was the last of it; who comes in its middle sees the rest', async () => {
  const t = await new TestRoom().open();
  const lasts: boolean[] = [];
  class Sink extends TestSink {
    override write(written: Buffer, isLast = false): void {
      lasts.push(isLast);
      super.write(written);
    }
  }
  const ann = t.reader('ann', { sink: new Sink() });
  const [one, two, three] = await t.send('one', 'two', 'three');
  t.deliver(one, two);
  t.turn.flush();
  expect(ann.timeline('a')).toEqual(['one', 'two']);
  expect(lasts).toEqual([true]);
  t.deliver(three);
  const bob = t.reader('bob', { since: three ?? 0 });
  expect(lasts).toEqual([true, false]);
  t.turn.flush();
  expect([ann.timeline('a'), bob.timeline('a')]).toEqual([['one', 'two', 'three'], []]);
});

test('readers are written nothing when there is nothing, and nothing is made for an encoding whose last reader has gone', async () => {
  const t = await new TestRoom().open();
  const { encoding, encoded, joined } = counting(8);
  const ann = t.readerIn(encoding);
  t.room.flush();
  expect([ann.frames, joined]).toEqual([[], []]);
  t.room.detach(ann.reader, 5);
  t.deliver(...(await t.send('one')));
  t.turn.flush();
  expect([ann.frames, encoded, joined]).toEqual([[], [], []]);
});

test('whoever goes is shown what came before, and nothing after it; without a reader the room is idle since then', async () => {
  const t = await new TestRoom().open();
  t.room.idleSinceMs = 1;
  const [ann, bob] = [t.reader('ann'), t.reader('bob')];
  expect(t.room.idleSinceMs).toBeUndefined();
  const [one, two] = await t.send('one', 'two');
  t.deliver(one);
  t.room.detach(ann.reader, 5);
  expect([t.room.idleSinceMs, t.room.isAttached(ann.reader), t.room.isAttached(bob.reader)]).toEqual([
    undefined,
    false,
    true,
  ]);
  t.deliver(two);
  t.turn.flush();
  expect([ann.timeline('a'), bob.timeline('a')]).toEqual([['one'], ['one', 'two']]);
  t.room.detach(bob.reader, 6);
  t.room.detach(bob.reader, 7);
  expect(t.room.idleSinceMs).toBe(6);
});

test('readers whose connection has ended are let go at the next event', async () => {
  const t = await new TestRoom().open();
  const [ann, bob] = [t.reader('ann'), t.reader('bob')];
  ann.reader.ended();
  t.deliver(...(await t.send('one')));
  t.turn.flush();
  expect([ann.timeline('a'), bob.timeline('a')]).toEqual([[], ['one']]);
  expect(t.room.readerCount).toBe(1);
});

test('readers get what is held back from them as something else, or not at all; others get it whole, in the same write', async () => {
  const t = await new TestRoom().open();
  const [ann, bob, cid] = [t.reader('ann'), t.reader('bob'), t.reader('cid')];
  const [one = 0, two = 0, three = 0] = await t.send('one', 'two', 'three');
  t.instead.set(one, new Map([[ann.reader, undefined]]));
  t.instead.set(
    two,
    new Map([
      [ann.reader, bytes(typing)],
      [bob.reader, undefined],
    ]),
  );
  t.deliver(one, two, three);
  t.turn.flush();
  expect(ann.frames).toMatchObject([{ op: 'typing' }, { seq: three }]);
  expect(bob.timeline('a')).toEqual(['one', 'three']);
  expect(cid.timeline('a')).toEqual(['one', 'two', 'three']);
  expect([ann, bob, cid].map(({ sink }) => sink.writes)).toEqual([1, 1, 1]);
  const [four] = await t.send('four');
  t.deliver(four);
  t.turn.flush();
  expect(ann.timeline('a')).toEqual(['three', 'four']);
});

test('readers hear what has no place in the log behind what came before it: not those who are excepted, joining, or cannot read it', async () => {
  const t = await new TestRoom().open();
  const mute = { ...LINES, slot: 8 };
  const [ann, bob, cid, rob] = [t.reader('ann'), t.reader('bob', { isLive: false }), t.reader('cid'), t.readerIn(mute)];
  t.deliver(...(await t.send('one')));
  const bytesIn = (encoding: Encoding): Buffer | undefined => (encoding === mute ? undefined : bytes(typing));
  t.room.broadcast(bytesIn, (reader) => reader === cid.reader);
  t.turn.flush();
  bob.reader.goLive();
  const ops = [ann, bob, cid, rob].map(({ frames }) => frames.map(({ op }) => op));
  expect(ops).toEqual([['event', 'typing'], ['event'], ['event'], ['event']]);
});
