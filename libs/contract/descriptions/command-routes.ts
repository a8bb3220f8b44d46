/** The routes that are commands: those that `api` mounts by a loop, and those whose JSON is older than the rule. */
import { z } from 'zod';
import { invitedAnswer, joinedAnswer, leftAnswer, queuedAnswer, sentAnswer } from '../answers.js';
import { COMMAND_NAMES, type CommandName, commandResult, COMMANDS } from '../commands.js';
import type { RefusalCode } from '../protocol.js';
import { roomId } from '../schemas.js';
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
  const answer = name === 'InviteMember' ? invitedAnswer : commandResult;
  const hasBody = Object.keys(body.shape).length > 0;
  return [{ ...accepted, ...said, method, path, answers: { 202: answer }, ...(hasBody ? { body } : {}) }];
}

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
    answers: { 202: joinedAnswer },
    refusals: ['room_not_found', 'room_archived', 'room_full', 'banned', 'forbidden', 'behind'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/rooms/:roomId/leave',
    tag: 'rooms',
    summary: 'Leave a room',
    body: z.strictObject(sender),
    answers: { 202: leftAnswer },
    refusals: ['room_not_found', 'forbidden'],
  },
  {
    ...accepted,
    method: 'POST',
    path: '/api/rooms/:roomId/messages',
    tag: 'messages',
    summary: 'Send a message',
    body: message,
    answers: { 202: sentAnswer },
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
    answers: { 202: queuedAnswer },
    refusals: ['forbidden', 'room_archived', 'not_member', 'muted', 'rate_limited'],
  },
];

export const COMMAND_ROUTES: readonly Route[] = [...COMMAND_NAMES.flatMap(mounted), ...OLDER];
