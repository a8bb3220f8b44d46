/**
 * The feed as gRPC streams write it. An event is encoded once for each of the two RPCs; each frame is in an envelope that says
 * what the stream itself has to know of it: its kind, its room, and whom it is about. A stream shows the rooms that it has
 * joined, and does not tell users of their own comings and goings.
 */
import { messageId, type ServerFrame } from '#contract';
import type { Encoding } from '../feed/encoding.js';
import { eventFrame } from '../feed/event-frames.js';
import type { RoomEvent } from '../feed/room-event.js';
import { encodeAction, encodeResponse } from './chat-proto.js';
import type { ChatMessage, ChatResponse, Texts, User } from './messages.js';

/** `cursor` and `welcome` are for the stream, not for its client. */
const KINDS = ['shown', 'joined', 'left', 'welcome', 'cursor'] as const;
export type EnvelopeKind = (typeof KINDS)[number];

export interface Envelope {
  readonly kind: EnvelopeKind;
  readonly room: string;
  /** Whom it is about. */
  readonly user: string;
  /** What the client gets; of `cursor` and `welcome`, the text itself. */
  readonly bytes: Buffer;
}

/** Lengths of: all that follows, kind, room, user. */
const HEADER_BYTES = 4 + 1 + 2 + 2;

function sealed({ kind, room, user, bytes }: Envelope): Buffer {
  const roomBytes = Buffer.byteLength(room);
  const userBytes = Buffer.byteLength(user);
  const envelope = Buffer.allocUnsafe(HEADER_BYTES + roomBytes + userBytes + bytes.length);
  envelope.writeUInt32BE(envelope.length, 0);
  envelope.writeUInt8(KINDS.indexOf(kind), 4);
  envelope.writeUInt16BE(roomBytes, 5);
  envelope.writeUInt16BE(userBytes, 7);
  envelope.write(room, HEADER_BYTES);
  envelope.write(user, HEADER_BYTES + roomBytes);
  bytes.copy(envelope, HEADER_BYTES + roomBytes + userBytes);
  return envelope;
}

/** What the feed has joined, taken apart again. The bytes are the feed's own: nothing is copied. */
export function* envelopes(joined: Buffer): Generator<Envelope> {
  for (let at = 0; at < joined.length;) {
    const end = at + joined.readUInt32BE(at);
    const roomAt = at + HEADER_BYTES;
    const userAt = roomAt + joined.readUInt16BE(at + 5);
    const bytesAt = userAt + joined.readUInt16BE(at + 7);
    yield {
      kind: KINDS[joined.readUInt8(at + 4)] ?? 'shown',
      room: joined.toString('utf8', roomAt, userAt),
      user: joined.toString('utf8', userAt, bytesAt),
      bytes: joined.subarray(bytesAt, end),
    };
    at = end;
  }
}

/** An answer or an event, filled in. */
export interface Said {
  readonly type: string;
  readonly user: string;
  readonly room: string;
  /** RFC 3339; of an event, its time in the log. */
  readonly at: string;
  readonly message?: ChatMessage;
  readonly metadata?: Texts;
}

export interface StreamEncoding extends Encoding {
  /** Whether it says how users are called. */
  readonly namesUsers: boolean;
  /** Something for one stream alone, in no envelope. */
  say(said: Said): Buffer;
}

type Named = (userId: string) => Pick<User, 'id'> & Partial<User>;

/** Slots 0 and 1 are the sockets', 2 is the server-sent events'. */
export const chatStreamEncoding = (): StreamEncoding => streamEncoding(3, encodeAction, undefined);
export const chatEncoding = (named: Named): StreamEncoding => streamEncoding(4, encodeResponse, named);

function streamEncoding(
  slot: number,
  encode: (response: ChatResponse) => Buffer,
  named: Named | undefined,
): StreamEncoding {
  const say = ({ type, user, room, at, message, metadata = {} }: Said): Buffer =>
    encode({
      user_id: user,
      room_id: room,
      action_type: type,
      message: message ?? null,
      user: named === undefined || user === '' ? null : named(user),
      timestamp: at,
      metadata,
    });
  return {
    slot,
    namesUsers: named !== undefined,
    replaysOwn: true,
    readsRoom: () => true,
    say,
    event: (event) => {
      const shown = show(event);
      if (shown === undefined) return undefined;
      const { kind, ...said } = shown;
      return sealed({ kind, room: said.room, user: said.user, bytes: say(said) });
    },
    // Streams hear their own, so nothing is ever held back.
    skip: () => undefined,
    frame: (frame) => transient(frame, say),
  };
}

function show(place: RoomEvent): (Said & { readonly kind: EnvelopeKind }) | undefined {
  const frame = eventFrame(place);
  if (frame?.op !== 'event') return undefined;
  const { room, at } = frame;
  const { event } = place;
  switch (event?.type) {
    case 'MessageSent':
      return { kind: 'shown', type: 'message', user: event.actor, room, at, message: messageOf(place, at) };
    case 'MemberJoined':
      return { kind: 'joined', type: 'user_joined', user: event.data.member.userId, room, at };
    case 'MemberLeft':
    case 'MemberRemoved':
      return { kind: 'left', type: 'user_left', user: event.data.member.userId, room, at };
    default:
      return undefined; // this contract knows no other events
  }
}

function messageOf(place: RoomEvent, timestamp: string): ChatMessage {
  const { event } = place;
  if (event?.type !== 'MessageSent') throw new Error('not a message');
  const { content, type, metadata = {}, mentions = [], replyTo = '' } = event.data;
  const ids = { id: messageId(place), user_id: event.actor, room_id: place.roomId };
  return { ...ids, content, message_type: type, timestamp, metadata, mentions, reply_to: replyTo };
}

/** What has no place in the log: typing, for clients; cursors, for the stream. */
function transient(frame: ServerFrame, say: (said: Said) => Buffer): Buffer | undefined {
  switch (frame.op) {
    case 'typing': {
      const { room, user, typing } = frame;
      const type = typing ? 'user_typing' : 'user_stop_typing';
      return sealed({ kind: 'shown', room, user, bytes: say({ type, user, room, at: new Date().toISOString() }) });
    }
    case 'welcome':
      return sealed({ kind: 'welcome', room: '', user: '', bytes: Buffer.from(String(frame.recovered)) });
    case 'caught_up':
    case 'cursor':
    case 'pong':
      return sealed({ kind: 'cursor', room: '', user: '', bytes: Buffer.from(frame.cursor) });
    default:
      return undefined; // presence and marks are not watched here, answers are the stream's own
  }
}
