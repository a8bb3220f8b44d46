/** The routes that are commands: those that `api` mounts by a loop, and those whose JSON is older than the rule. */
import { z } from 'zod';
import { COMMAND_NAMES, type CommandName, commandResult, COMMANDS } from '../commands.js';
import type { RefusalCode } from '../protocol.js';
import { messageIdText, roomId } from '../schemas.js';
import { written } from '../shapes.js';
import { bodyWithout, parametersOf, type Route, type Tag } from './route.js';

const IN_A_ROOM: readonly RefusalCode[] = ['room_not_found', 'room_archived', 'not_member', 'forbidden'];

interface Said {
  readonly tag: Tag;
  readonly summary: string;
  readonly refusals: readonly RefusalCode[];
}

/** What the entries of the contract do not say. */
const SAID: Partial<Record<CommandName, Said>> = {
  CreateRoom: { tag: 'rooms', summary: 'Create a room', refusals: ['already_exists', 'forbidden'] },
  ChangeRoom: { tag: 'rooms', summary: 'Change a room', refusals: [...IN_A_ROOM, 'room_full'] },
  ArchiveRoom: { tag: 'rooms', summary: 'Archive a room', refusals: IN_A_ROOM },
  InviteMember: { tag: 'rooms', summary: 'Invite somebody', refusals: [...IN_A_ROOM, 'banned'] },
  ChangeMember: { tag: 'rooms', summary: 'Change a member', refusals: [...IN_A_ROOM, 'user_not_found'] },
  RemoveMember: { tag: 'rooms', summary: 'Remove a member', refusals: [...IN_A_ROOM, 'user_not_found'] },
  SetStatus: { tag: 'users', summary: 'Set the own status', refusals: [] },
  ChangeProfile: { tag: 'users', summary: 'Change the own profile', refusals: [] },
};

const accepted = { signIn: 'token', keyed: true } as const;

function mounted(name: CommandName): Route[] {
  const entry = COMMANDS[name];
  const said = SAID[name];
  if (!('http' in entry)) return [];
  if (said === undefined) throw new Error(`${name} has a route that nothing is said of`);
  const { method, path } = entry.http;
  const left = parametersOf(path);
  const body =
    name === 'CreateRoom'
      ? bodyWithout(entry.schema, ['roomId'], { id: roomId.optional() })
      : bodyWithout(entry.schema, left);
  const answer = name === 'InviteMember' ? withMore({ code: z.string() }) : commandResult;
  const hasBody = Object.keys(body.shape).length > 0;
  return [{ ...accepted, ...said, method, path, answers: { 202: answer }, ...(hasBody ? { body } : {}) }];
}

/** A command's result, and what its route adds. */
function withMore(more: z.ZodRawShape): z.ZodType {
  return z.strictObject({ ...commandResult.unwrap().shape, ...more });
}

const success = { success: z.literal(true) };
/** Both spellings, because both kinds of client exist. */
const historyItem = z.strictObject({
  eventType: z.enum(['message', 'join', 'leave']),
  event_type: z.enum(['message', 'join', 'leave']),
  offset: z.int().min(0),
  data: z.strictObject({
    userId: z.string(),
    username: z.string(),
    text: z.string(),
    /** ms since 1970. */
    timestamp: z.number(),
  }),
});
/** The token says who acts: another `userId` is refused, a `username` is passed over. */
const sender = { userId: z.string().optional(), username: z.string().optional() };
const { content } = COMMANDS.SendMessage.schema.shape;
const message = bodyWithout(COMMANDS.SendMessage.schema, ['roomId', 'participants', 'content'], {
  ...sender,
  content: content.optional(),
  /** As `content`; one of the two is needed. */
  text: content.optional(),
});

const OLDER: readonly Route[] = [
  {
    ...accepted,
    method: 'POST',
    path: '/api/rooms/:roomId/join',
    tag: 'rooms',
    summary: 'Join a room',
    body: z.strictObject(sender),
    answers: { 202: withMore({ ...success, history: z.array(historyItem) }) },
    refusals: ['room_not_found', 'room_archived', 'room_full', 'banned', 'forbidden', 'behind'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/rooms/:roomId/leave',
    tag: 'rooms',
    summary: 'Leave a room',
    body: z.strictObject(sender),
    answers: { 202: withMore(success) },
    refusals: ['room_not_found', 'forbidden'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/rooms/:roomId/messages',
    tag: 'messages',
    summary: 'Send a message',
    body: message,
    answers: { 202: withMore({ ...success, eventId: messageIdText, offset: z.int().min(1) }) },
    refusals: [...IN_A_ROOM, 'muted', 'rate_limited'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/invites/:code/accept',
    tag: 'rooms',
    summary: 'Accept an invitation',
    answers: { 202: commandResult },
    refusals: ['room_not_found', 'room_archived', 'room_full', 'banned', 'forbidden'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/messages',
    tag: 'participants',
    summary: 'Send to a participant channel',
    plainText: true,
    body: z.object({ participants: z.array(z.string()), content }),
    answers: { 202: withMore({ status: z.literal('message queued') }) },
    refusals: ['forbidden', 'room_archived', 'not_member', 'muted', 'rate_limited'],
  },
];

export const COMMAND_ROUTES: readonly Route[] = [...COMMAND_NAMES.flatMap(mounted), ...OLDER];

export const mark = z.strictObject({ roomId: written.id, messageId: messageIdText, ordinal: z.int().min(0) });
