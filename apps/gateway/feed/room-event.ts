/** An entry of a room as the gateway holds it: decoded once, encoded once for each encoding that somebody reads. */
import type { ChatEvent, LogSubject, MemberState } from '#contract';
import type { StoredEntry } from '#event-log';
import type { Encoding } from './encoding.js';

type RoomSubject = Exclude<LogSubject, { kind: 'status' | 'profile' }>;

export interface RoomEvent {
  readonly roomId: string;
  readonly partition: number;
  readonly seq: number;
  /** ms since 1970 */
  readonly at: number;
  readonly kind: RoomSubject['kind'];
  /** Undefined where the entry cannot be read by this version: it still has its place on the timeline. */
  readonly event: ChatEvent | undefined;
  /** Timeline only: the sequence before it on the room's timeline. */
  readonly prev: number | undefined;
  /** Timeline only: messages in the room up to and including this entry. */
  readonly ordinal: number;
  /** False for the comings and goings of a large room, which are announced as a count; and for a small room's count. */
  readonly announced: boolean;
  /** Of a participant channel, for encodings that show them with each message. */
  readonly participants: readonly string[] | undefined;
  /** By slot of the encoding; null where the encoding shows nothing. */
  readonly encoded: (Buffer | null | undefined)[];
}

/** Where an event stands in its room: what a reader of the entry alone cannot know. */
export interface Placing {
  readonly prev: number | undefined;
  readonly ordinal: number;
  readonly announced: boolean;
  readonly participants: readonly string[] | undefined;
}

export function roomEvent(entry: StoredEntry, subject: RoomSubject, placing: Placing): RoomEvent {
  const { partition, seq, at, decoded } = entry;
  const event = decoded.kind === 'event' ? decoded.event : undefined;
  const { prev, ordinal, announced, participants } = placing;
  // Written out: a spread makes objects of another, slower kind, and this is done for every event.
  return {
    roomId: subject.roomId,
    partition,
    seq,
    at,
    kind: subject.kind,
    event,
    prev,
    ordinal,
    announced,
    participants,
    encoded: [],
  };
}

/** The event's bytes in an encoding, made on first use. */
export function bytesOf(event: RoomEvent, encoding: Encoding): Buffer | undefined {
  const known = event.encoded[encoding.slot];
  if (known !== undefined) return known ?? undefined;
  const made = encoding.event(event);
  event.encoded[encoding.slot] = made ?? null;
  return made;
}

/** The membership that an event says, if it says one. */
export function memberOf(event: RoomEvent): MemberState | undefined {
  if (event.kind !== 'member' || event.event === undefined) return undefined;
  return 'member' in event.event.data ? event.event.data.member : undefined;
}

export const isMessage = (entry: StoredEntry): boolean =>
  entry.decoded.kind === 'event' && entry.decoded.event.type === 'MessageSent';

/** Lets its member in, who was out before it: other changes of a member find them in. */
export const isJoining = (event: ChatEvent | undefined): boolean => event?.type === 'MemberJoined';

const NOTHING = Buffer.alloc(0);

/** The frames of several events in one buffer, so that each reader costs one write. */
export function joinBytes(parts: readonly (Buffer | undefined)[]): Buffer {
  const present = parts.filter((part): part is Buffer => part !== undefined && part.length > 0);
  if (present.length === 1) return present[0] ?? NOTHING;
  return present.length === 0 ? NOTHING : Buffer.concat(present);
}
