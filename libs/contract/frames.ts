/** Frames of `parley.v1`, both ways: one JSON object each, `op` names it. */
import { z } from 'zod';
import { ECHO_MODES, type EventFrameType, LIMITS, STATE_FRAME_TYPES, TIMELINE_FRAME_TYPES } from './protocol.js';
import { idempotencyKey, memberRole, messageIdText, messageType, roomId, userId } from './schemas.js';
import { written } from './shapes.js';

/** A client's number or name for a request, given back in the answer. */
export const requestId = z.union([z.string().max(LIMITS.idCharacters), z.number()]);

const op = <T extends string, S extends z.ZodRawShape>(name: T, shape: S) =>
  z.object({ op: z.literal(name), ...shape });
/** A frame that carries a command: its other fields are the command's body and are validated by its handler. */
const commandOp = <T extends string, S extends z.ZodRawShape>(name: T, shape: S) =>
  z.looseObject({ op: z.literal(name), id: requestId, key: idempotencyKey.optional(), ...shape });

export const clientFrame = z.discriminatedUnion('op', [
  op('hello', { token: z.string().optional(), since: z.string().optional(), echo: z.enum(ECHO_MODES).optional() }),
  commandOp('send', { room: z.unknown().optional(), participants: z.unknown().optional() }),
  commandOp('join', { room: z.unknown().optional() }),
  commandOp('leave', { room: z.unknown().optional() }),
  commandOp('status', {}),
  op('read', { id: requestId, room: roomId, messageId: messageIdText }),
  op('delivered', { id: requestId, room: roomId, messageId: messageIdText }),
  op('watch', { id: requestId, users: z.array(userId).max(LIMITS.watchedUsers) }),
  op('typing', { room: roomId, typing: z.boolean() }),
  op('ping', { cursor: z.string().optional() }),
]);
export type ClientFrame = z.output<typeof clientFrame>;

const seq = z.int().min(0);

/** A room in `welcome`: what a client must know to read the events that follow. */
export const welcomeRoom = z.object({
  room: roomId,
  kind: z.enum(['room', 'channel']),
  name: z.string(),
  role: z.string(),
  /** The last timeline entry of the room that is covered by `cursor`; the chain of `prev` goes on from here. */
  seq,
  /** Messages in the room up to there. */
  ordinal: seq,
  participants: z.array(userId).optional(),
});
export type WelcomeRoom = z.output<typeof welcomeRoom>;

export const serverFrame = z.discriminatedUnion('op', [
  op('welcome', {
    session: z.string(),
    user: userId,
    cursor: z.string(),
    recovered: z.boolean(),
    heartbeatMs: z.int(),
    /** The server's clock, RFC 3339: a client's keys carry a time, and its own clock may be wrong. */
    time: z.string(),
    rooms: z.array(welcomeRoom),
  }),
  op('caught_up', { cursor: z.string() }),
  op('cursor', { cursor: z.string() }),
  op('event', {
    type: z.enum([...TIMELINE_FRAME_TYPES, ...STATE_FRAME_TYPES]),
    room: roomId,
    seq,
    prev: seq.optional(),
    actor: userId,
    /** RFC 3339, the broker's time of the entry. */
    at: z.string(),
    data: z.record(z.string(), z.unknown()),
  }),
  op('skip', { room: roomId, seq, prev: seq, key: z.string().optional() }),
  op('ack', {
    id: requestId,
    messageId: messageIdText.optional(),
    room: roomId.optional(),
    seq: seq.optional(),
    position: z.string().optional(),
    duplicate: z.boolean().optional(),
    changed: z.boolean().optional(),
  }),
  op('error', {
    id: requestId.optional(),
    code: z.string(),
    message: z.string(),
    temporary: z.boolean(),
    retryMs: z.int().optional(),
  }),
  op('pong', { cursor: z.string() }),
  op('typing', { room: roomId, user: userId, typing: z.boolean() }),
  op('presence', {
    user: userId,
    online: z.boolean(),
    lastSeen: z.string().nullable(),
    status: z.record(z.string(), z.string()),
  }),
  /** Another device of the same user has moved a mark. */
  op('marked', { room: roomId, messageId: messageIdText, kind: z.enum(['read', 'delivered']) }),
  op('drain', { retryMs: z.int() }),
]);
/**
 * `data` of the events, by type: those that the platform sends today. The frame itself takes any, so that a client of today
 * can pass over what it does not know yet.
 */
const memberData = {
  userId,
  standing: z.enum(['member', 'invited', 'left', 'removed']),
  role: memberRole,
  muted: z.boolean(),
  banned: z.boolean(),
};
const roomData = z.strictObject({
  kind: z.enum(['room', 'channel']),
  name: z.string(),
  description: z.string(),
  isPrivate: z.boolean(),
  maxMembers: z.int().min(1),
  settings: written.texts,
  createdBy: userId,
  createdAt: written.time,
  archived: z.boolean(),
  participants: z.array(userId).optional(),
});
export const EVENT_DATA = {
  'message.sent': z.strictObject({
    id: messageIdText,
    sender: userId,
    content: z.string(),
    type: messageType,
    metadata: written.texts,
    mentions: z.array(userId),
    replyTo: messageIdText.nullable(),
    ordinal: z.int().min(1),
  }),
  'member.joined': z.strictObject(memberData),
  'member.left': z.strictObject({ ...memberData, removed: z.boolean() }),
  'member.updated': z.strictObject(memberData),
  'members.changed': z.strictObject({ count: seq }),
  'room.created': roomData,
  'room.updated': roomData,
} as const satisfies Partial<Record<EventFrameType, z.ZodType>>;

export type ServerFrame = z.output<typeof serverFrame>;
export type ServerFrameOf<T extends ServerFrame['op']> = Extract<ServerFrame, { op: T }>;
