/**
 * Everything that can be asked of the platform, by the names of the contract: its rule, and how to ask. A route, frame or RPC of
 * the contract that has no line here fails the matrix, and so does a line here that the contract does not have.
 */
import type { RuleName } from './rules.js';

/** What an operation is tried on. */
export interface Case {
  /** Who asks. */
  readonly me: string;
  readonly room: string;
  /** A message in the room. */
  readonly message: string;
  /** A file in the room. */
  readonly file: string;
  /** A plain member of the room. */
  readonly target: string;
  /** Nobody whom the room knows. */
  readonly guest: string;
}

interface Operation {
  readonly rule: RuleName;
  /** It changes the room for those who come after it: each case gets a room of its own. */
  readonly changes?: true;
}

export interface HttpOperation extends Operation {
  readonly query?: (given: Case) => Readonly<Record<string, string>>;
  readonly body?: (given: Case) => object;
  /** Who the `:userId` of the path is; the target when not given. */
  readonly user?: (given: Case) => string;
  /** Names another user as the one who acts. */
  readonly asAnother?: (given: Case) => object;
  /** Never ends by itself. */
  readonly streams?: true;
  /** Not mounted where the platform stands as it does here. */
  readonly absent?: true;
}

const newRoom = (): object => ({ name: 'Another room' });
const marked = ({ message }: Case): object => ({ messageId: message });
const actingFor = ({ guest }: Case): object => ({ userId: guest });
const NOWHERE = 'nobody@example.org';

export const HTTP: Readonly<Record<string, HttpOperation>> = {
  'GET /api/rooms': { rule: 'signedIn' },
  'POST /api/rooms': { rule: 'signedIn', body: newRoom },
  'GET /api/rooms/:roomId': { rule: 'seeRoom' },
  'PATCH /api/rooms/:roomId': { rule: 'changeRoom', changes: true, body: () => ({ description: 'changed' }) },
  'DELETE /api/rooms/:roomId': { rule: 'archiveRoom', changes: true },
  'GET /api/rooms/:roomId/users': { rule: 'seeRoom' },
  'POST /api/rooms/:roomId/join': { rule: 'join', changes: true, body: () => ({}), asAnother: actingFor },
  'POST /api/rooms/:roomId/leave': { rule: 'leave', changes: true, body: () => ({}), asAnother: actingFor },
  'POST /api/rooms/:roomId/invites': { rule: 'invite', changes: true, body: ({ guest }) => ({ userId: guest }) },
  'POST /api/invites/:code/accept': { rule: 'join', changes: true },
  'PUT /api/rooms/:roomId/members/:userId': { rule: 'moderate', changes: true, body: () => ({ muted: true }) },
  'DELETE /api/rooms/:roomId/members/:userId': { rule: 'moderate', changes: true },
  'POST /api/rooms/:roomId/messages': {
    rule: 'send',
    body: () => ({ content: 'hello' }),
    asAnother: (given) => ({ content: 'hello', ...actingFor(given) }),
  },
  'GET /api/rooms/:roomId/messages': { rule: 'readRoom' },
  'GET /api/rooms/:roomId/messages/:messageId': { rule: 'readRoom' },
  'PUT /api/rooms/:roomId/read': { rule: 'readRoom', body: marked },
  'PUT /api/rooms/:roomId/delivered': { rule: 'readRoom', body: marked },
  'GET /api/inbox': { rule: 'signedIn' },
  'GET /api/me': { rule: 'signedIn' },
  'PATCH /api/me': { rule: 'signedIn', body: () => ({ displayName: 'Somebody' }) },
  'PUT /api/users/me/status': { rule: 'signedIn', body: () => ({ status: { mood: 'fine' } }) },
  'GET /api/users/:userId': { rule: 'signedIn' },
  'POST /api/messages': {
    rule: 'signedIn',
    body: ({ me, guest }) => ({ participants: [me, guest], content: 'hello' }),
    asAnother: ({ guest, target }) => ({ participants: [guest, target], content: 'hello' }),
  },
  'GET /api/messages/get': { rule: 'signedIn', query: ({ me, guest }) => ({ participants: `${me},${guest}` }) },
  'POST /api/connections': { rule: 'signedIn', body: ({ target }) => ({ users: [target] }) },
  'GET /api/events': { rule: 'signedIn', streams: true },
  'GET /ws': { rule: 'signedIn' },
  // Who signs in has no token yet. These are tried with what is wrong: what they give is for accounts' own specs.
  'POST /api/auth/register': { rule: 'open', body: () => ({}) },
  'POST /api/auth/login': { rule: 'open', body: () => ({ email: NOWHERE, password: '' }) },
  'POST /api/auth/refresh': { rule: 'open', body: () => ({ refreshToken: '' }) },
  'POST /api/auth/logout': { rule: 'signedIn', body: () => ({}) },
  'POST /api/auth/demo': { rule: 'open', body: () => ({ user: 'alice' }), absent: true },
  'GET /.well-known/jwks.json': { rule: 'open' },
  'GET /health': { rule: 'open' },
  'GET /health/live': { rule: 'open' },
  'GET /health/ready': { rule: 'open' },
  'GET /': { rule: 'open' },
  'GET /page.js': { rule: 'open' },
  'GET /page.css': { rule: 'open' },
  'GET /docs': { rule: 'open' },
  'GET /openapi.json': { rule: 'open' },
  'GET /asyncapi.json': { rule: 'open' },
};

export interface FrameOperation extends Operation {
  readonly frame: (given: Case) => object;
}

/** By `op`. */
export const FRAMES: Readonly<Record<string, FrameOperation>> = {
  hello: { rule: 'signedIn', frame: () => ({}) },
  send: { rule: 'send', frame: ({ room }) => ({ room, content: 'hello' }) },
  join: { rule: 'join', changes: true, frame: ({ room }) => ({ room }) },
  leave: { rule: 'leave', changes: true, frame: ({ room }) => ({ room }) },
  status: { rule: 'signedIn', frame: () => ({ status: { mood: 'fine' } }) },
  read: { rule: 'readRoom', frame: ({ room, message }) => ({ room, messageId: message }) },
  delivered: { rule: 'readRoom', frame: ({ room, message }) => ({ room, messageId: message }) },
  watch: { rule: 'signedIn', frame: ({ target }) => ({ users: [target] }) },
  typing: { rule: 'type', frame: ({ room }) => ({ room, typing: true }) },
  ping: { rule: 'signedIn', frame: () => ({}) },
};

export interface RpcOperation extends Operation {
  readonly request?: (given: Case) => object;
  /** Names another user as the one who acts. */
  readonly asAnother?: (given: Case) => object;
  /** Of a stream of actions: the rule of each. */
  readonly actions?: Readonly<Record<string, RuleName>>;
}

const message = ({ me, room }: Case): object => ({ user_id: me, room_id: room, content: 'hello' });
const membership = ({ me, room }: Case): object => ({ user_id: me, room_id: room });
const ofRoom = ({ room }: Case): object => ({ room_id: room });
const ofTarget = ({ target }: Case): object => ({ user_id: target });
const file = ({ me, room }: Case): object => ({
  user_id: me,
  room_id: room,
  filename: 'a.txt',
  content_type: 'text/plain',
  size: 2,
  data: Buffer.from('hi'),
});
/** The same request, with somebody else in the caller's place. */
const forGuest =
  (request: (given: Case) => object) =>
  (given: Case): object =>
    request({ ...given, me: given.guest });
const ACTIONS = { join: 'join', leave: 'leaveOnStream', send: 'send', typing: 'type', stop_typing: 'type' } as const;
const found = ({ me, room }: Case): object => ({ room_id: room, query: 'hello', user_id: me });
const named = ({ me }: Case): object => ({ user_id: me });
const status = ({ me }: Case): object => ({ user_id: me, status: { mood: 'fine' } });
const created = ({ me }: Case): object => ({ name: 'Another room', created_by: me });

/** By name. */
export const RPCS: Readonly<Record<string, RpcOperation>> = {
  ChatStream: { rule: 'signedIn', actions: ACTIONS },
  Chat: { rule: 'signedIn', actions: ACTIONS },
  SendMessage: {
    rule: 'send',
    request: (given) => ({ message: message(given) }),
    asAnother: forGuest((given) => ({ message: message(given) })),
  },
  GetMessages: { rule: 'readRoom', request: ofRoom },
  GetMessageHistory: { rule: 'readRoom', request: ofRoom },
  SearchMessages: { rule: 'readRoom', request: found, asAnother: forGuest(found) },
  GetRooms: { rule: 'signedIn', request: named, asAnother: forGuest(named) },
  ListRooms: {
    rule: 'signedIn',
    request: (given) => ({ ...named(given), include_private: true }),
    asAnother: forGuest(named),
  },
  GetUsers: { rule: 'seeRoom', request: ofRoom },
  ListUsers: { rule: 'seeRoom', request: ofRoom },
  CreateRoom: { rule: 'signedIn', request: created, asAnother: forGuest(created) },
  JoinRoom: { rule: 'join', changes: true, request: membership, asAnother: forGuest(membership) },
  LeaveRoom: { rule: 'leave', changes: true, request: membership, asAnother: forGuest(membership) },
  UpdateUserStatus: { rule: 'signedIn', request: status, asAnother: forGuest(status) },
  UpdateUser: { rule: 'signedIn', request: status, asAnother: forGuest(status) },
  GetUserProfile: { rule: 'signedIn', request: ofTarget },
  GetUser: { rule: 'signedIn', request: ofTarget },
  ShareFile: { rule: 'share', request: file, asAnother: forGuest(file) },
  GetFile: { rule: 'readRoom', request: (given) => ({ file_id: given.file }) },
  HealthCheck: { rule: 'open', request: () => ({}) },
};
