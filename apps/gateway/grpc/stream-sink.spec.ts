/** What a stream shows, holds and lets go, with a network that the test opens and shuts. */
import { describe, expect, test } from '@jest/globals';
import { CLOSE, type ServerFrame } from '#contract';
import type { RoomEvent } from '../feed/room-event.js';
import type { ChatResponse } from './messages.js';
import { chatService } from './chat-proto.js';
import { chatEncoding, envelopes } from './stream-frames.js';
import { StreamSink } from './stream-sink.js';

const encoding = chatEncoding((id) => ({ id, username: `name of ${id}` }));
const decoded = (bytes: Buffer): ChatResponse => chatService['Chat']?.responseDeserialize(bytes) as ChatResponse;

type Event = NonNullable<RoomEvent['event']>;

function placed(roomId: string, seq: number, event: Event): RoomEvent {
  const kind = 'member' in event.data ? 'member' : 'timeline';
  const place = { roomId, partition: 0, seq, at: seq * 1_000, kind, event } as const;
  return { ...place, prev: seq - 1, ordinal: seq, announced: true, participants: undefined, encoded: [] };
}

const bytesOf = (event: RoomEvent): Buffer => encoding.event(event) ?? Buffer.alloc(0);
const said = (room: string, seq: number, content: string): Buffer =>
  bytesOf(placed(room, seq, { v: 1, type: 'MessageSent', actor: 'ann', data: { content, type: 'text' } }));
const member = (type: 'MemberJoined' | 'MemberLeft', room: string, userId: string): Buffer => {
  const standing = type === 'MemberJoined' ? 'member' : 'left';
  const state = { userId, standing, role: 'member', muted: false, banned: false } as const;
  return bytesOf(placed(room, 1, { v: 1, type, actor: userId, data: { member: state } }));
};
const frame = (of: ServerFrame): Buffer => encoding.frame(of) ?? Buffer.alloc(0);

class Wire {
  readonly came: ChatResponse[] = [];
  readonly closed: string[] = [];
  isOpen = true;
  readonly sink: StreamSink;

  constructor(resumes = false) {
    const write = (bytes: Buffer): boolean => {
      this.came.push(decoded(bytes));
      return this.isOpen;
    };
    const end = (code: number, reason: string): void => void this.closed.push(`${code} ${reason}`);
    this.sink = new StreamSink(encoding, { write, end }, resumes);
    this.sink.userId = 'ben';
  }

  get contents(): (string | undefined)[] {
    return this.came.map(({ action_type, message }) => message?.content ?? action_type);
  }
}

describe('frames', () => {
  test('are taken apart as they were joined', () => {
    const joined = Buffer.concat([said('r1', 1, 'first'), member('MemberJoined', 'r2', 'zoë'), said('r1', 2, '二')]);
    const parts = [...envelopes(joined)];
    expect(parts.map(({ kind, room, user }) => [kind, room, user])).toEqual([
      ['shown', 'r1', 'ann'],
      ['joined', 'r2', 'zoë'],
      ['shown', 'r1', 'ann'],
    ]);
    expect(parts.map(({ bytes }) => decoded(bytes).message?.content)).toEqual(['first', undefined, '二']);
  });

  test('say who it is about, by name, and when it was', () => {
    const [envelope] = [...envelopes(said('r1', 3, 'x'))];
    expect(decoded(envelope?.bytes ?? Buffer.alloc(0))).toMatchObject({
      user_id: 'ann',
      user: { id: 'ann', username: 'name of ann' },
      timestamp: '1970-01-01T00:00:03.000Z',
      message: { id: 'msg_3072', message_type: 'text' },
    });
  });

  test('are not made of what this contract has no word for', () => {
    expect(encoding.frame({ op: 'drain', retryMs: 1 })).toBeUndefined();
    expect(
      encoding.skip(
        placed('r1', 1, { v: 1, type: 'MessageSent', actor: 'ann', data: { content: 'x', type: 'text' } }),
        'k',
      ),
    ).toBeUndefined();
  });
});

describe('a stream', () => {
  test('shows the rooms that it has joined, and no other', () => {
    const { sink, ...wire } = new Wire();
    sink.show('r1');
    sink.write(Buffer.concat([said('r1', 1, 'one'), said('r2', 2, 'two'), said('r1', 3, 'three')]));
    expect(wire.came.map(({ message }) => message?.content)).toEqual(['one', 'three']);
  });

  test('holds what comes while a room is being joined, and shows it behind the answer', () => {
    const wire = new Wire();
    wire.sink.hold('r1');
    wire.sink.write(said('r1', 1, 'meanwhile'));
    expect(wire.contents).toEqual([]);
    expect(wire.sink.queuedBytes).toBeGreaterThan(0);
    wire.sink.say({ type: 'joined', user: 'ben', room: 'r1', at: '' });
    wire.sink.show('r1');
    expect(wire.contents).toEqual(['joined', 'meanwhile']);
    expect(wire.sink.queuedBytes).toBe(0);
  });

  test('lets go of what it held where joining is refused', () => {
    const wire = new Wire();
    wire.sink.hold('r1');
    wire.sink.write(said('r1', 1, 'secret'));
    wire.sink.hide('r1');
    wire.sink.write(said('r1', 2, 'secret'));
    expect(wire.contents).toEqual([]);
    expect(wire.sink.queuedBytes).toBe(0);
  });

  test('tells of others coming and going, not of oneself; and ends a room with one’s own leaving', () => {
    const wire = new Wire();
    wire.sink.show('r1');
    wire.sink.write(Buffer.concat([member('MemberJoined', 'r1', 'cleo'), member('MemberJoined', 'r1', 'ben')]));
    wire.sink.write(Buffer.concat([member('MemberLeft', 'r1', 'cleo'), member('MemberLeft', 'r1', 'ben')]));
    wire.sink.write(said('r1', 9, 'after'));
    expect(wire.contents).toEqual(['user_joined', 'user_left']);
  });

  test('queues what the network does not take, in order, with the cursors in their places', () => {
    const wire = new Wire();
    wire.sink.show('r1');
    wire.isOpen = false;
    wire.sink.write(said('r1', 1, 'one'));
    wire.sink.write(frame({ op: 'cursor', cursor: 'e.1' }));
    wire.sink.write(said('r1', 2, 'two'));
    wire.sink.write(frame({ op: 'cursor', cursor: 'e.2' }));
    expect({ contents: wire.contents, cursor: wire.sink.cursor }).toEqual({ contents: ['one'], cursor: '' });
    expect(wire.sink.stalledSinceMs).toBeGreaterThan(0);
    wire.sink.drained();
    expect({ contents: wire.contents, cursor: wire.sink.cursor }).toEqual({ contents: ['one', 'two'], cursor: 'e.1' });
    wire.isOpen = true;
    wire.sink.drained();
    expect(wire.sink).toMatchObject({ cursor: 'e.2', queuedBytes: 0, stalledSinceMs: 0 });
  });

  test('gives no cursor that covers what it holds', () => {
    const wire = new Wire();
    wire.sink.hold('r1');
    wire.sink.write(Buffer.concat([said('r1', 1, 'held'), frame({ op: 'cursor', cursor: 'e.1' })]));
    expect(wire.sink.cursor).toBe('');
    wire.sink.show('r1');
    expect({ contents: wire.contents, cursor: wire.sink.cursor }).toEqual({ contents: ['held'], cursor: 'e.1' });
    wire.sink.hold('r2');
    wire.sink.write(frame({ op: 'cursor', cursor: 'e.2' }));
    wire.sink.hide('r2');
    expect(wire.sink.cursor).toBe('e.2');
  });

  test('forgets its queue when it is closed', () => {
    const wire = new Wire();
    wire.sink.show('r1');
    wire.isOpen = false;
    wire.sink.write(Buffer.concat([said('r1', 1, 'one'), said('r1', 2, 'two')]));
    wire.sink.hold('r2');
    wire.sink.write(said('r2', 3, 'three'));
    wire.sink.close(CLOSE.slowReader, 'slow reader');
    wire.sink.drained();
    expect(wire).toMatchObject({ contents: ['one'], closed: ['4001 slow reader'] });
    expect(wire.sink.queuedBytes).toBe(0);
  });

  test('that resumes shows all rooms, and says first whether it could', () => {
    const wire = new Wire(true);
    const place = { session: 's', user: 'ben', cursor: 'e.0', time: '1970-01-01T00:00:00Z' };
    const welcome = { ...place, recovered: false, heartbeatMs: 1, rooms: [] };
    wire.sink.write(frame({ op: 'welcome', ...welcome }));
    wire.sink.write(said('r7', 1, 'anywhere'));
    expect(wire.contents).toEqual(['resumed', 'anywhere']);
    expect(wire.came[0]?.metadata).toEqual({ recovered: 'false' });
  });
});
