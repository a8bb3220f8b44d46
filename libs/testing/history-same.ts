/** Whether what somebody was shown is what the log has. Only what is there is compared, as it came: another shape differs. */
import type { ChatEvent, EventFrameType, RoomState, ServerFrameOf } from '#contract';
import type { LoggedMessage, StateEntry } from './history-truth.js';

const timeText = (at: number): string => new Date(at).toISOString();

/** A message as somebody was shown it, whatever came. */
interface SeenMessage {
  readonly id?: unknown;
  readonly sender?: unknown;
  readonly content?: unknown;
  readonly ordinal?: unknown;
  readonly createdAt?: unknown;
  readonly type?: unknown;
  readonly metadata?: unknown;
  readonly mentions?: unknown;
  readonly replyTo?: unknown;
}

/** Of a message's fields those that identify it must be there; each of the others may be absent. Called for every frame. */
export function sameMessage(seen: SeenMessage, logged: LoggedMessage, createdAt: unknown = seen.createdAt): boolean {
  const { data } = logged;
  return (
    seen.id === logged.id &&
    seen.sender === logged.sender &&
    seen.content === logged.content &&
    seen.ordinal === logged.ordinal &&
    (createdAt === undefined || createdAt === logged.createdAt) &&
    (seen.type === undefined || seen.type === data.type) &&
    (seen.metadata === undefined || isSame(seen.metadata, data.metadata ?? {})) &&
    (seen.mentions === undefined || isSame(seen.mentions, data.mentions ?? [])) &&
    (seen.replyTo === undefined || seen.replyTo === (data.replyTo ?? null))
  );
}

/** What a state frame has to say of an entry. */
export function sameState(frame: ServerFrameOf<'event'>, { event, at }: StateEntry): boolean {
  if (frame.type !== FRAME_OF[event.type] || frame.actor !== event.actor || frame.at !== timeText(at)) return false;
  if ('member' in event.data) return hasAll(frame.data, event.data.member);
  if ('roster' in event.data) return frame.data['count'] === event.data.roster.members;
  return 'room' in event.data && sameRoom(frame.data, event.data.room, at);
}

/** @param createdAt where the state does not say it: the time of the entry that made the room */
export function sameRoom(
  seen: object,
  { createdAt: stated, participants, ...room }: RoomState,
  createdAt: number,
): boolean {
  const also = participants === undefined ? {} : { participants };
  return agrees(seen, { ...room, ...also, createdAt: timeText(stated ?? createdAt) });
}

const FRAME_OF: Readonly<Partial<Record<ChatEvent['type'], EventFrameType>>> = {
  RoomCreated: 'room.created',
  RoomChanged: 'room.updated',
  RoomArchived: 'room.updated',
  RosterChanged: 'members.changed',
  MemberJoined: 'member.joined',
  MemberLeft: 'member.left',
  MemberRemoved: 'member.left',
  MemberInvited: 'member.updated',
  MemberChanged: 'member.updated',
};

const hasAll = (seen: object, expected: object): boolean =>
  Object.entries(expected).every(([name, value]) => isSame(fieldOf(seen, name), value));

/** The fields that are there are these. */
export const agrees = (seen: object, expected: object): boolean =>
  Object.entries(expected).every(([name, value]) => {
    const field = fieldOf(seen, name);
    return field === undefined || isSame(field, value);
  });

const fieldOf = (seen: object, name: string): unknown => (seen as Readonly<Record<string, unknown>>)[name];

/** Plain data, from whatever realm. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [one, other] = [Object.entries(a), Object.entries(b)];
  return one.length === other.length && one.every(([name, value]) => name in b && isSame(value, fieldOf(b, name)));
}
