/**
 * What a client knows, and the one reducer that makes it, for replayed and live events alike.
 *
 * A room's timeline is a chain: an event is taken when its `prev` is at most the last sequence that the room has, dropped when
 * the room has it already, and otherwise there is a *hole*: the room is `stale` until it has been fetched again. Members and
 * the room itself are state: the highest sequence wins. States are replaced, never changed in place, so that a user interface
 * can compare them by identity.
 */
import type { MessageView, RoomView, ServerFrame, ServerFrameOf, WelcomeRoom } from '#contract';

/** A message of a room, as the feed or a page of history shows it. */
export interface Message {
  readonly id: string;
  readonly room: string;
  readonly seq: number;
  readonly sender: string;
  readonly content: string;
  readonly type: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly mentions: readonly string[];
  readonly replyTo: string | null;
  /** RFC 3339, the log's time. */
  readonly at: string;
}

export interface Member {
  readonly userId: string;
  readonly role: string;
  readonly muted: boolean;
  /** Of the event that says so. */
  readonly seq: number;
}

export interface RoomState {
  readonly id: string;
  readonly kind: 'room' | 'channel';
  readonly name: string;
  readonly role: string;
  readonly participants: readonly string[];
  /** The user is a member now. */
  readonly joined: boolean;
  /** The last sequence of the timeline that this client has. */
  readonly lastSeq: number;
  /** Oldest first; at most `messagesPerRoom` of the newest. */
  readonly messages: readonly Message[];
  /** Whoever came, went or changed while this client looked on. */
  readonly members: ReadonlyMap<string, Member>;
  /** Of the event that last described the room, or changed the own membership. */
  readonly seq: number;
  /** There is a hole: the room is being fetched again, and events wait. */
  readonly stale: boolean;
}

export interface ChatState {
  readonly user: string;
  readonly rooms: ReadonlyMap<string, RoomState>;
}

export type EventFrame = ServerFrameOf<'event'>;

/** What a frame did, beside changing the state. */
export interface Reduced {
  readonly state: ChatState;
  /** Rooms that have a hole since this frame. */
  readonly refetch: readonly string[];
  /** The event is news: it was not dropped as a repeat, and did not fall into a hole. */
  readonly news: boolean;
}

export const initialState = (): ChatState => ({ user: '', rooms: new Map() });

/** @param messagesPerRoom how many messages of a room are kept */
export function reduce(state: ChatState, frame: ServerFrame, messagesPerRoom: number): Reduced {
  switch (frame.op) {
    case 'welcome':
      return welcome(state, frame);
    case 'event':
      return frame.prev === undefined
        ? stateEvent(state, frame)
        : timelineEvent(state, frame, frame.prev, messagesPerRoom);
    case 'skip':
      return advance(state, frame.room, frame.seq, frame.prev, (room) => room);
    default:
      return { state, refetch: [], news: false };
  }
}

/**
 * The newest page of a room's history takes its place, and the chain goes on from its end. Where it does not reach back to
 * what the room has, the room keeps the page alone: there is never a hole in `messages`.
 * @param page newest first; `isAll`: the room has nothing older
 */
export function fetched(
  state: ChatState,
  roomId: string,
  page: { readonly items: readonly MessageView[]; readonly isAll: boolean },
  messagesPerRoom: number,
): ChatState {
  const room = state.rooms.get(roomId);
  if (room === undefined) return state;
  const seqs = page.items.map(({ seq }) => seq);
  const reachesBack = page.isAll || Math.min(...seqs) <= room.lastSeq;
  // Own messages may have their place before the views that the page is from.
  const kept = reachesBack ? room.messages : room.messages.filter(({ seq }) => seq > Math.max(...seqs));
  const messages = mergeMessages(kept, page.items.map(messageOfView), messagesPerRoom);
  const lastSeq = Math.max(room.lastSeq, ...seqs);
  return withRoom(state, { ...room, messages, lastSeq, stale: false });
}

/** What a room is, where the feed has only shown what happens in it; a newer event knows better. */
export function described(state: ChatState, { id, kind, name, participants = [] }: RoomView): ChatState {
  const room = state.rooms.get(id);
  return room === undefined || room.seq > 0 ? state : withRoom(state, { ...room, kind, name, participants });
}

/** An own message, as its acknowledgement places it; the feed only skips it. */
export function placed(state: ChatState, message: Message, messagesPerRoom: number): ChatState {
  const room = state.rooms.get(message.room);
  if (room === undefined) return state;
  return withRoom(state, { ...room, messages: mergeMessages(room.messages, [message], messagesPerRoom) });
}

function welcome(state: ChatState, { user, recovered, rooms: told }: ServerFrameOf<'welcome'>): Reduced {
  const rooms = new Map(recovered ? state.rooms : []);
  for (const room of told) {
    const known = state.rooms.get(room.room);
    rooms.set(
      room.room,
      known === undefined ? newRoom(room) : recovered ? { ...known, name: room.name } : startAgain(known, room),
    );
  }
  const refetch = recovered ? [] : told.filter(({ room }) => state.rooms.has(room)).map(({ room }) => room);
  return { state: { user, rooms }, refetch, news: true };
}

/** Nobody knows what was missed: the room keeps nothing that may have a hole before it. */
function startAgain(known: RoomState, room: WelcomeRoom): RoomState {
  return { ...newRoom(room), seq: known.seq, stale: true };
}

function newRoom({ room, kind, name, role, seq, participants }: WelcomeRoom): RoomState {
  return {
    id: room,
    kind,
    name,
    role,
    participants: participants ?? [],
    joined: true,
    lastSeq: seq,
    messages: [],
    members: new Map(),
    seq: 0,
    stale: false,
  };
}

function timelineEvent(state: ChatState, frame: EventFrame, prev: number, messagesPerRoom: number): Reduced {
  return advance(state, frame.room, frame.seq, prev, (room) => {
    if (frame.type !== 'message.sent') return room; // a later version's: the chain goes on over it
    return { ...room, messages: mergeMessages(room.messages, [messageOf(frame)], messagesPerRoom) };
  });
}

function advance(
  state: ChatState,
  roomId: string,
  seq: number,
  prev: number,
  change: (room: RoomState) => RoomState,
): Reduced {
  const room = state.rooms.get(roomId) ?? unknownRoom(roomId, prev);
  if (seq <= room.lastSeq) return { state, refetch: [], news: false };
  if (prev > room.lastSeq) {
    if (room.stale) return { state, refetch: [], news: false };
    return { state: withRoom(state, { ...room, stale: true }), refetch: [roomId], news: false };
  }
  return { state: withRoom(state, change({ ...room, lastSeq: seq })), refetch: [], news: true };
}

function stateEvent(state: ChatState, frame: EventFrame): Reduced {
  const isOwnJoining = frame.type === 'member.joined' && frame.data['userId'] === state.user;
  // What was said before is history and not a hole: whoever wants it asks for it.
  const room = state.rooms.get(frame.room) ?? unknownRoom(frame.room, isOwnJoining ? frame.seq : 0);
  const changed = frame.type.startsWith('member.') ? memberEvent(state.user, room, frame) : roomEvent(room, frame);
  if (changed === undefined) return { state, refetch: [], news: false };
  return { state: withRoom(state, changed), refetch: [], news: true };
}

function memberEvent(self: string, room: RoomState, { type, seq, data }: EventFrame): RoomState | undefined {
  const userId = String(data['userId']);
  if ((room.members.get(userId)?.seq ?? 0) >= seq) return undefined;
  const member = { userId, role: String(data['role']), muted: data['muted'] === true, seq };
  const members = new Map(room.members).set(userId, member);
  if (userId !== self) return { ...room, members };
  return { ...room, members, role: member.role, joined: data['standing'] === 'member' && type !== 'member.left' };
}

function roomEvent(room: RoomState, { type, seq, data }: EventFrame): RoomState | undefined {
  if (type === 'members.changed') return room;
  if (room.seq >= seq) return undefined;
  const participants = Array.isArray(data['participants']) ? data['participants'].map(String) : room.participants;
  const kind = data['kind'] === 'channel' ? 'channel' : 'room';
  return { ...room, seq, kind, name: String(data['name'] ?? room.name), participants };
}

/** A room that the feed shows before anything has described it: its joining is on the way. */
function unknownRoom(id: string, lastSeq: number): RoomState {
  return { ...newRoom({ room: id, kind: 'room', name: id, role: 'member', seq: lastSeq, ordinal: 0 }), joined: false };
}

function withRoom(state: ChatState, room: RoomState): ChatState {
  return { ...state, rooms: new Map(state.rooms).set(room.id, room) };
}

/** Both by sequence; the same sequence once. Most messages are the newest, which costs a copy and no sort. */
function mergeMessages(known: readonly Message[], more: readonly Message[], messagesMax: number): readonly Message[] {
  const fresh = more.filter(({ seq }) => !known.some((message) => message.seq === seq));
  if (fresh.length === 0) return known;
  const merged = [...known, ...fresh];
  const newest = known.at(-1)?.seq ?? 0;
  if (fresh.length > 1 || (fresh[0]?.seq ?? 0) < newest) merged.sort((a, b) => a.seq - b.seq);
  return merged.length > messagesMax ? merged.slice(-messagesMax) : merged;
}

function messageOf({ room, seq, at, data }: EventFrame): Message {
  const { id, sender, content, type, metadata, mentions, replyTo } = data as unknown as Omit<
    Message,
    'room' | 'seq' | 'at'
  >;
  return { id, room, seq, sender, content, type, metadata, mentions, replyTo, at };
}

function messageOfView({
  id,
  roomId,
  seq,
  sender,
  content,
  type,
  metadata,
  mentions,
  replyTo,
  createdAt,
}: MessageView): Message {
  return { id, room: roomId, seq, sender, content, type, metadata, mentions, replyTo, at: createdAt };
}
