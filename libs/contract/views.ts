/**
 * What queries answer with: the shapes of the read side, as JSON prints them. One definition each: the types that the code is
 * written in, and the descriptions that clients read, come of these schemas. Nothing is parsed with them on the way out.
 */
import { z } from 'zod';
import { LIMITS } from './protocol.js';
import { memberRole, messageIdText, messageType } from './schemas.js';
import { written } from './shapes.js';

const { id, time, texts, cursor } = written;
/** What is stored is not limited again on its way out. */
const text = z.string();
const count = z.int().min(0);

export const roomView = z
  .strictObject({
    id,
    kind: z.enum(['room', 'channel']),
    name: text,
    description: text,
    isPrivate: z.boolean(),
    maxMembers: count,
    memberCount: count,
    settings: texts,
    createdBy: text,
    createdAt: time,
    archived: z.boolean(),
    /** Of a participant channel. */
    participants: z.array(text).readonly().exactOptional(),
  })
  .readonly();
export type RoomView = z.output<typeof roomView>;

export const memberView = z
  .strictObject({
    userId: text,
    username: text,
    displayName: text,
    role: memberRole,
    muted: z.boolean(),
    joinedAt: time,
  })
  .readonly();
export type MemberView = z.output<typeof memberView>;

export const messageView = z
  .strictObject({
    id: messageIdText,
    roomId: id,
    seq: count,
    /** 1 for the room's first message. */
    ordinal: z.int().min(1),
    sender: text,
    content: text,
    type: messageType,
    metadata: texts,
    mentions: z.array(text).readonly(),
    replyTo: messageIdText.nullable(),
    reactions: z.record(text, z.array(text).readonly()).readonly(),
    editedAt: time.nullable(),
    deletedAt: time.nullable(),
    createdAt: time,
  })
  .readonly();
export type MessageView = z.output<typeof messageView>;

export const inboxEntry = z
  .strictObject({
    room: roomView,
    lastMessage: messageView.nullable(),
    unread: count,
    readUpTo: messageIdText.nullable(),
  })
  .readonly();
export type InboxEntry = z.output<typeof inboxEntry>;

const user = {
  id: text,
  username: text,
  displayName: text,
  avatarUrl: text,
  online: z.boolean(),
  lastSeen: time.nullable(),
  status: texts,
};
export const userView = z.strictObject(user).readonly();
export type UserView = z.output<typeof userView>;

/** The caller's own profile; the e-mail address is the account's, absent where another issuer has it. */
export const meView = z.strictObject({ ...user, email: text.exactOptional() }).readonly();
export type MeView = z.output<typeof meView>;

/** One page of a list; `next` is the cursor of the page after it, null at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
export const pageOf = <S extends z.ZodType, E extends z.ZodRawShape>(item: S, extra: E) =>
  z.strictObject({
    items: z.array(item).max(LIMITS.page).readonly(),
    next: cursor.nullable(),
    ...extra,
  });
