/**
 * The events of the log. Each is one entry `{v, type, actor, key?, data}`; its place in the log gives the rest: the room
 * or user from its subject, `seq` and `at` from the broker, a message's id from its sequence.
 *
 * Config, roster, member, status and profile events carry the *whole* state, so that the last value of their subject is
 * all a reader needs. Member, roster and config events hold ids only: nothing in them ever has to be erased.
 */
import { z } from 'zod';
import { upcast, UPCASTS, type Upcasts } from './event-versions.js';
import {
  content,
  description,
  maxMembers,
  memberRole,
  mentions,
  messageIdText,
  messageType,
  metadata,
  name,
  settings,
  statusMap,
  url,
  userId,
} from './schemas.js';

/** The version that is written today. Older ones are read for ever; a newer one is refused as unreadable. */
export const EVENT_VERSION = 1;

/** A room as it is. `createdAt` (ms) is absent in the event that creates it: there the entry's own time is meant. */
export const roomState = z.object({
  kind: z.enum(['room', 'channel']),
  name: z.string(),
  description,
  isPrivate: z.boolean(),
  maxMembers,
  settings,
  createdBy: userId,
  createdAt: z.int().optional(),
  archived: z.boolean(),
  /** Only for a participant channel: its participants, sorted. */
  participants: z.array(userId).optional(),
});
export type RoomState = z.output<typeof roomState>;

/** The seats of a room; the fence for everything that takes or frees one. */
export const rosterState = z.object({
  members: z.int().min(0),
  limit: maxMembers,
  owner: userId.optional(),
  moderators: z.array(userId),
});
export type RosterState = z.output<typeof rosterState>;

/** A user's membership of one room, whole. Only `standing: 'member'` takes a seat and may send. */
export const memberState = z.object({
  userId,
  standing: z.enum(['member', 'invited', 'left', 'removed']),
  role: memberRole,
  muted: z.boolean(),
  banned: z.boolean(),
});
export type MemberState = z.output<typeof memberState>;

const version = z.int().min(1).max(EVENT_VERSION);
/** The broker's message id of a keyed command, and a hash of its body: the same key with another body is refused. */
const key = z.object({ id: z.string(), body: z.string() });

const entry = <T extends string, D extends z.ZodType>(type: T, data: D) =>
  z.object({ v: version, type: z.literal(type), actor: userId, key: key.optional(), data });

export const messageData = z.object({
  content,
  type: messageType,
  metadata: metadata.optional(),
  mentions: mentions.optional(),
  replyTo: messageIdText.optional(),
});
export type MessageData = z.output<typeof messageData>;

const withRoom = z.object({ room: roomState });
const withRoster = z.object({ roster: rosterState });
const withMember = z.object({ member: memberState });

export const chatEvent = z.discriminatedUnion('type', [
  entry('RoomCreated', withRoom),
  entry('RoomChanged', withRoom),
  entry('RoomArchived', withRoom),
  entry('RosterChanged', withRoster),
  entry('MemberJoined', withMember),
  entry('MemberLeft', withMember),
  entry('MemberRemoved', withMember),
  entry('MemberInvited', withMember),
  entry('MemberChanged', withMember),
  entry('MessageSent', messageData),
  entry('StatusChanged', z.object({ online: z.boolean().optional(), status: statusMap })),
  entry('ProfileChanged', z.object({ username: name, displayName: z.string(), avatarUrl: url })),
]);

export type ChatEvent = z.output<typeof chatEvent>;
export type ChatEventType = ChatEvent['type'];
export type EventOf<T extends ChatEventType> = Extract<ChatEvent, { type: T }>;

const KNOWN_TYPES: ReadonlySet<string> = new Set(chatEvent.options.map((option) => option.shape.type.value));

/** What an entry of the log turned out to be. Unknown types are a newer writer's and are skipped; unreadable ones are reported. */
export type DecodedEvent =
  | { readonly kind: 'event'; readonly event: ChatEvent }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'unreadable'; readonly reason: string };

export const encodeEvent = (event: ChatEvent): string => JSON.stringify(event);

/** Reads an entry's payload. Never throws: an entry that cannot be read must not stop a follower. */
export function decodeEvent(payload: string, upcasts: Upcasts = UPCASTS): DecodedEvent {
  let value: unknown;
  try {
    value = upcast(JSON.parse(payload), EVENT_VERSION, upcasts);
  } catch {
    return { kind: 'unreadable', reason: 'not JSON' };
  }
  const parsed = chatEvent.safeParse(value);
  if (parsed.success) return { kind: 'event', event: parsed.data };
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type === 'string' && !KNOWN_TYPES.has(type)) return { kind: 'unknown', type };
  return { kind: 'unreadable', reason: z.prettifyError(parsed.error) };
}
