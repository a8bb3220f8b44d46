/**
 * The commands: one entry each, which the handlers, the HTTP routes, the socket and gRPC mount by a loop. To add one, add
 * its entry here, its rule in `libs/domain`, and the rule's spec.
 */
import { z } from 'zod';
import type { Refusal } from './protocol.js';
import {
  content,
  description,
  idempotencyKey,
  maxMembers,
  memberRole,
  mentions,
  messageIdText,
  metadata,
  name,
  participants,
  roomId,
  sendableType,
  settings,
  statusMap,
  url,
  userId,
} from './schemas.js';
import { written } from './shapes.js';

export const COMMAND_SERVICES = ['send', 'join', 'leave', 'status'] as const;
export type CommandService = (typeof COMMAND_SERVICES)[number];

interface HttpRoute {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path parameters have the names of the body's fields. */
  readonly path: string;
}

interface CommandEntry {
  readonly service: CommandService;
  readonly schema: z.ZodType;
  /** Mounted by the loop of `api`; absent where an ordinary controller serves a route of another shape. */
  readonly http?: HttpRoute;
  /** The socket op that carries it, if one does. */
  readonly op?: string;
}

const command = z.strictObject;

export const COMMANDS = {
  SendMessage: {
    service: 'send',
    op: 'send',
    schema: command({
      roomId: roomId.optional(),
      /** Instead of `roomId`: the participant channel, which is created with its first message. */
      participants: participants.optional(),
      content,
      type: sendableType.default('text'),
      metadata: metadata.optional(),
      mentions: mentions.optional(),
      replyTo: messageIdText.optional(),
    }).refine((body) => (body.roomId === undefined) !== (body.participants === undefined), {
      error: 'either roomId or participants is required',
    }),
  },
  CreateRoom: {
    service: 'join',
    http: { method: 'POST', path: '/api/rooms' },
    schema: command({
      roomId: roomId.optional(),
      name,
      description: description.default(''),
      isPrivate: z.boolean().default(false),
      /** 0 or absent: the platform's maximum. */
      maxMembers: z.union([z.literal(0), maxMembers]).default(0),
      settings: settings.default({}),
    }),
  },
  ChangeRoom: {
    service: 'join',
    http: { method: 'PATCH', path: '/api/rooms/:roomId' },
    schema: command({
      roomId,
      name: name.optional(),
      description: description.optional(),
      isPrivate: z.boolean().optional(),
      maxMembers: maxMembers.optional(),
      settings: settings.optional(),
    }),
  },
  ArchiveRoom: {
    service: 'join',
    http: { method: 'DELETE', path: '/api/rooms/:roomId' },
    schema: command({ roomId }),
  },
  JoinRoom: { service: 'join', op: 'join', schema: command({ roomId }) },
  InviteMember: {
    service: 'join',
    http: { method: 'POST', path: '/api/rooms/:roomId/invites' },
    schema: command({ roomId, userId }),
  },
  ChangeMember: {
    service: 'join',
    http: { method: 'PUT', path: '/api/rooms/:roomId/members/:userId' },
    schema: command({
      roomId,
      userId,
      role: memberRole.optional(),
      muted: z.boolean().optional(),
      banned: z.boolean().optional(),
    }),
  },
  LeaveRoom: { service: 'leave', op: 'leave', schema: command({ roomId }) },
  RemoveMember: {
    service: 'leave',
    http: { method: 'DELETE', path: '/api/rooms/:roomId/members/:userId' },
    schema: command({ roomId, userId }),
  },
  SetStatus: {
    service: 'status',
    op: 'status',
    http: { method: 'PUT', path: '/api/users/me/status' },
    schema: command({ online: z.boolean().optional(), status: statusMap.optional() }),
  },
  ChangeProfile: {
    service: 'status',
    http: { method: 'PATCH', path: '/api/me' },
    schema: command({ username: name.optional(), displayName: name.optional(), avatarUrl: url.optional() }),
  },
} as const satisfies Record<string, CommandEntry>;

export type CommandName = keyof typeof COMMANDS;
/** A command's body as its handler has it, validated. */
export type CommandBody<N extends CommandName> = z.output<(typeof COMMANDS)[N]['schema']>;

export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** Who acts: the verified claims that an edge passes on. */
export const actor = z.object({
  userId,
  /** The name shown where the user has no account and no profile. */
  username: z.string().optional(),
});
export type Actor = z.output<typeof actor>;

/** What an edge sends to a command's handler. The body is the caller's, unread: the handler validates it, once. */
export const commandRequest = z.object({ actor, body: z.unknown(), key: idempotencyKey.optional() });

/** What a command that was accepted answers with: it is in the log. */
export const commandResult = z
  .strictObject({
    /** The message's id, the room's, or the user's: what the command made or changed. */
    id: z.string(),
    /** `<partition>-<sequence>` of its last event. */
    position: written.position,
    /** The sequence in the position, for clients that order by it. */
    seq: z.int().min(0),
    /** This is the first result of a key that was used before. */
    duplicate: z.boolean(),
    /** False where nothing had to be done: joining as a member, leaving as none. */
    changed: z.boolean(),
    /** The room it concerned, if any. */
    roomId: written.id.exactOptional(),
  })
  .readonly();
export type CommandResult = z.output<typeof commandResult>;

/**
 * How a handler answers an edge: a refusal is an answer, not an error of the transport. `again`: nothing was decided, because the
 * request came too late; an edge that still waits asks again.
 */
export type CommandReply = { readonly ok: CommandResult } | { readonly refused: Refusal; readonly again?: true };

/** A request that `projection` answers after its commit: the greatest mark wins. */
export const markRequest = z.object({
  userId,
  roomId,
  messageId: messageIdText,
  kind: z.enum(['read', 'delivered']),
});
export type MarkRequest = z.output<typeof markRequest>;
export type MarkReply = { readonly ok: { readonly ordinal: number } } | { readonly refused: Refusal };
