/** What the log says happened, folded once: the truth that everything else in a history is held against. */
import { messageId, parseLogSubject, type ChatEvent, type EventOf, type MemberState, type RoomState } from '#contract';
import type { StoredEntry } from '#event-log';
import type { KeyRecord } from './history-records.js';

/** An entry of a room's timeline. */
export interface TimelineEntry {
  readonly room: string;
  readonly partition: number;
  readonly seq: number;
  /** The entry before it on the timeline, 0 for the first. */
  readonly prev: number;
  readonly at: number;
  readonly actor: string;
  /** Only of a message. */
  readonly message?: LoggedMessage;
}

export interface LoggedMessage {
  readonly room: string;
  readonly id: string;
  readonly seq: number;
  readonly ordinal: number;
  readonly sender: string;
  readonly content: string;
  /** RFC 3339, as clients and queries are told it. */
  readonly createdAt: string;
  readonly data: EventOf<'MessageSent'>['data'];
}

/** An entry about the room or its members. */
export interface StateEntry {
  readonly seq: number;
  readonly at: number;
  readonly event: ChatEvent;
}

/** A user was a member from the entry `from` until the entry `to`; Infinity while it lasts. */
export interface Period {
  readonly from: number;
  readonly fromAt: number;
  to: number;
  toAt: number;
}

export interface RoomTruth {
  readonly room: string;
  readonly partition: number;
  readonly timeline: TimelineEntry[];
  /** By sequence: entries of the timeline. */
  readonly places: Map<number, TimelineEntry>;
  readonly messages: LoggedMessage[];
  readonly members: Map<string, MemberState>;
  /** By user: the last event about their membership. */
  readonly changedAt: Map<string, number>;
  /** By sequence: entries of config, roster and members. */
  readonly states: Map<number, StateEntry>;
  readonly periods: Map<string, Period[]>;
  config?: { readonly state: RoomState; readonly seq: number; readonly createdAt: number };
}

/** What the log says. */
export interface Truth {
  readonly rooms: ReadonlyMap<string, RoomTruth>;
  /** By user: the rooms that they ever were in. */
  readonly roomsOf: ReadonlyMap<string, readonly RoomTruth[]>;
  /** By the user's token, as subjects have it. */
  readonly statuses: ReadonlyMap<string, EventOf<'StatusChanged'>['data']>;
  readonly profiles: ReadonlyMap<string, EventOf<'ProfileChanged'>['data']>;
  /** By id: of each key its first command's last event. */
  readonly keys: ReadonlyMap<string, KeyRecord>;
}

interface Folding extends Truth {
  readonly rooms: Map<string, RoomTruth>;
  readonly statuses: Map<string, EventOf<'StatusChanged'>['data']>;
  readonly profiles: Map<string, EventOf<'ProfileChanged'>['data']>;
  readonly keys: Map<string, KeyRecord>;
}

export function foldLog(log: readonly StoredEntry[]): Truth {
  const truth: Folding = {
    rooms: new Map(),
    roomsOf: new Map(),
    statuses: new Map(),
    profiles: new Map(),
    keys: new Map(),
  };
  for (const entry of log) if (entry.decoded.kind === 'event') addEntry(truth, entry, entry.decoded.event);
  const roomsOf = new Map<string, RoomTruth[]>();
  for (const room of truth.rooms.values())
    for (const user of room.periods.keys()) {
      const known = roomsOf.get(user);
      if (known === undefined) roomsOf.set(user, [room]);
      else known.push(room);
    }
  return { ...truth, roomsOf };
}

function addEntry(truth: Folding, entry: StoredEntry, event: ChatEvent): void {
  const subject = parseLogSubject(entry.subject);
  if (!subject) return;
  addKey(truth.keys, entry, event);
  if (!('roomId' in subject)) {
    if (event.type === 'StatusChanged') truth.statuses.set(subject.userToken, event.data);
    if (event.type === 'ProfileChanged') truth.profiles.set(subject.userToken, event.data);
    return;
  }
  const { roomId, partition } = subject;
  let room = truth.rooms.get(roomId);
  if (!room) truth.rooms.set(roomId, (room = roomTruth(roomId, partition)));
  if (subject.kind === 'timeline') return addToTimeline(room, entry, event);
  room.states.set(entry.seq, { seq: entry.seq, at: entry.at, event });
  if ('member' in event.data) setMember(room, entry, event.data.member);
  if ('room' in event.data) {
    const createdAt = event.data.room.createdAt ?? room.config?.createdAt ?? entry.at;
    room.config = { state: event.data.room, seq: entry.seq, createdAt };
  }
}

const roomTruth = (room: string, partition: number): RoomTruth => ({
  room,
  partition,
  timeline: [],
  places: new Map(),
  messages: [],
  members: new Map(),
  changedAt: new Map(),
  states: new Map(),
  periods: new Map(),
});

/** The events of the command that used a key first stand next to each other; the last of them is its result. */
function addKey(keys: Map<string, KeyRecord>, { partition, seq }: StoredEntry, { key }: ChatEvent): void {
  if (key === undefined) return;
  const known = keys.get(key.id);
  const goesOn = known?.partition === partition && known.seq === seq - 1;
  if (known === undefined || goesOn) keys.set(key.id, { id: key.id, partition, seq, body: known?.body ?? key.body });
}

function addToTimeline(room: RoomTruth, { seq, at }: StoredEntry, event: ChatEvent): void {
  const { room: roomId, partition, timeline, messages, places } = room;
  const prev = timeline.at(-1)?.seq ?? 0;
  let entry: TimelineEntry = { room: roomId, partition, seq, prev, at, actor: event.actor };
  if (event.type === 'MessageSent') {
    const { actor: sender, data } = event;
    const id = messageId({ partition, seq });
    const createdAt = new Date(at).toISOString();
    const ordinal = messages.length + 1;
    const message = { room: roomId, id, seq, ordinal, sender, content: data.content, createdAt, data };
    messages.push(message);
    entry = { ...entry, message };
  }
  timeline.push(entry);
  places.set(seq, entry);
}

function setMember(room: RoomTruth, { seq, at }: StoredEntry, member: MemberState): void {
  const before = room.members.get(member.userId);
  room.members.set(member.userId, member);
  room.changedAt.set(member.userId, seq);
  const periods = room.periods.get(member.userId) ?? [];
  room.periods.set(member.userId, periods);
  const was = before?.standing === 'member';
  const is = member.standing === 'member';
  if (is && !was) periods.push({ from: seq, fromAt: at, to: Infinity, toAt: Infinity });
  const last = periods.at(-1);
  if (was && !is && last) {
    last.to = seq;
    last.toAt = at;
  }
}

/** Whether the user was a member when the entry was stored. */
export function wasMember(room: RoomTruth | undefined, user: string, seq: number): boolean {
  return periodAt(room, user, seq) !== undefined;
}

export function periodAt(room: RoomTruth | undefined, user: string, seq: number): Period | undefined {
  const periods = room?.periods.get(user) ?? [];
  const period = periods[firstFrom(periods, (each) => each.from >= seq) - 1];
  return period && seq < period.to ? period : undefined;
}

/** As `periodAt`, with both ends: the events that begin and end it are told to the user. */
export function touchesMembership(room: RoomTruth | undefined, user: string, seq: number): boolean {
  const periods = room?.periods.get(user) ?? [];
  const period = periods[firstFrom(periods, (each) => each.from > seq) - 1];
  return period !== undefined && seq <= period.to;
}

/** The index of the first item of which this is true, in a list in which it is true of all that follow. */
export function firstFrom<T>(items: readonly T[], isTrue: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isTrue(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The index of the first timeline entry after a sequence. */
export const timelineAfter = ({ timeline }: RoomTruth, seq: number): number =>
  firstFrom(timeline, (entry) => entry.seq > seq);
