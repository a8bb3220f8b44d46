/** The HTTP side of the test kit's server in memory: the queries of the SDK, answered from the mock's rooms. */
import type { InboxEntry, MemberView, MessageView, RoomView, ServerFrameOf, UserView } from '#contract';

export interface MockRoom {
  readonly id: string;
  name: string;
  readonly members: Set<string>;
  /** The timeline, by sequence. */
  readonly log: MockEntry[];
  /** Up to where the client's user has read. */
  readSeq: number;
}

export interface MockEntry {
  readonly seq: number;
  readonly prev: number;
  readonly room: string;
  readonly frame: ServerFrameOf<'event'>;
  /** The key of the send that made it, and whose it was. */
  readonly key: string | undefined;
}

export interface MockViews {
  readonly user: string;
  readonly seq: number;
  readonly rooms: ReadonlyMap<string, MockRoom>;
  /** User names by id, where they are not the ids themselves. */
  readonly names: Readonly<Record<string, string>>;
}

const PAGE = 100;

export const timeOf = (seq: number): string => new Date(Date.UTC(2026, 0, 1) + seq * 1_000).toISOString();

/** Answers a GET of the SDK; anything that the mock does not know is 404. */
export function mockAnswer(url: string, views: MockViews): Response {
  const path = new URL(url).pathname.split('/').map(decodeURIComponent);
  const [, , area, id = '', part] = path;
  if (area === 'inbox') return page(joinedRooms(views).map((room) => inboxEntry(room, views.user)));
  if (area === 'me') return answer(200, userView(views.user, views));
  if (area === 'users')
    return isKnown(id, views) ? answer(200, userView(id, views)) : refusal('user_not_found', 'user');
  if (area === 'rooms' && id === '') return page([...views.rooms.values()].map(roomView));
  const room = views.rooms.get(id);
  if (area !== 'rooms' || room === undefined) return refusal('room_not_found', 'room');
  if (part === undefined) return answer(200, roomView(room));
  if (part === 'users') return answer(200, { users: [...room.members].map((user) => memberView(user, views)) });
  const items = room.log.map(({ frame }) => viewOf(frame)).reverse();
  const next = items.length > PAGE ? 'more' : null;
  return answer(200, { items: items.slice(0, PAGE), next, position: `0-${views.seq}` });
}

const answer = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
const page = (items: readonly unknown[]): Response => answer(200, { items, next: null });
const refusal = (code: string, what: string): Response =>
  answer(404, { status: 404, code, detail: `${what} not found` });

const joinedRooms = ({ rooms, user }: MockViews): MockRoom[] =>
  [...rooms.values()].filter(({ members }) => members.has(user));

const isKnown = (id: string, { rooms, user, names }: MockViews): boolean =>
  id === user || id in names || [...rooms.values()].some(({ members }) => members.has(id));

function userView(id: string, { names }: MockViews): UserView {
  const username = names[id] ?? id;
  return { id, username, displayName: username, avatarUrl: '', online: false, lastSeen: null, status: {} };
}

function memberView(userId: string, views: MockViews): MemberView {
  const { username, displayName } = userView(userId, views);
  return { userId, username, displayName, role: 'member', muted: false, joinedAt: timeOf(0) };
}

function inboxEntry(room: MockRoom, user: string): InboxEntry {
  const last = room.log.at(-1);
  const unread = room.log.filter(({ seq, frame }) => seq > room.readSeq && frame.actor !== user).length;
  return { room: roomView(room), lastMessage: last === undefined ? null : viewOf(last.frame), unread, readUpTo: null };
}

function viewOf({ room, seq, at, data }: ServerFrameOf<'event'>): MessageView {
  const shown = data as unknown as Omit<MessageView, 'roomId' | 'seq' | 'createdAt'>;
  return { ...shown, roomId: room, seq, reactions: {}, editedAt: null, deletedAt: null, createdAt: at };
}

function roomView({ id, name, members }: MockRoom): RoomView {
  const plain = {
    kind: 'room',
    description: '',
    isPrivate: false,
    maxMembers: 100,
    settings: {},
    archived: false,
  } as const;
  return { ...plain, id, name, memberCount: members.size, createdBy: '', createdAt: timeOf(0) };
}
