/** The log's side of the history checker: what it says happened, and the rules that it keeps by itself. */
import { messageId, parseLogSubject, type ChatEvent, type MemberState } from '#contract';
import type { StoredEntry } from '#event-log';
import type { Violation } from './history-records.js';

/** An entry of a room's timeline. */
export interface TimelineEntry {
  readonly room: string;
  readonly partition: number;
  readonly seq: number;
  /** The entry before it on the timeline, 0 for the first. */
  readonly prev: number;
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
}

/** A user was a member from the entry `from` until the entry `to`; Infinity while it lasts. */
export interface Period {
  readonly from: number;
  to: number;
}

export interface RoomTruth {
  readonly room: string;
  readonly partition: number;
  readonly timeline: TimelineEntry[];
  readonly messages: LoggedMessage[];
  readonly members: Map<string, MemberState>;
  /** By user: the last event about their membership. */
  readonly changedAt: Map<string, number>;
  readonly periods: Map<string, Period[]>;
}

/** What the log says. */
export interface Truth {
  readonly rooms: ReadonlyMap<string, RoomTruth>;
}

export function foldLog(log: readonly StoredEntry[]): Truth {
  const rooms = new Map<string, RoomTruth>();
  for (const entry of log) {
    const subject = parseLogSubject(entry.subject);
    if (!subject || !('roomId' in subject) || entry.decoded.kind !== 'event') continue;
    let room = rooms.get(subject.roomId);
    if (!room) {
      const { roomId, partition } = subject;
      room = roomTruth(roomId, partition);
      rooms.set(roomId, room);
    }
    if (subject.kind === 'timeline') addToTimeline(room, entry, entry.decoded.event);
    else if ('member' in entry.decoded.event.data) setMember(room, entry.seq, entry.decoded.event.data.member);
  }
  return { rooms };
}

const roomTruth = (room: string, partition: number): RoomTruth => ({
  room,
  partition,
  timeline: [],
  messages: [],
  members: new Map(),
  changedAt: new Map(),
  periods: new Map(),
});

function addToTimeline(room: RoomTruth, entry: StoredEntry, event: ChatEvent): void {
  const { room: roomId, partition, timeline, messages } = room;
  const { seq } = entry;
  const prev = timeline.at(-1)?.seq ?? 0;
  const place = { room: roomId, partition, seq, prev, actor: event.actor };
  if (event.type !== 'MessageSent') return void timeline.push(place);
  const message: LoggedMessage = {
    room: roomId,
    id: messageId({ partition, seq }),
    seq,
    ordinal: messages.length + 1,
    sender: event.actor,
    content: event.data.content,
  };
  messages.push(message);
  timeline.push({ ...place, message });
}

function setMember(room: RoomTruth, seq: number, member: MemberState): void {
  const before = room.members.get(member.userId);
  room.members.set(member.userId, member);
  room.changedAt.set(member.userId, seq);
  const periods = room.periods.get(member.userId) ?? [];
  room.periods.set(member.userId, periods);
  const was = before?.standing === 'member';
  const is = member.standing === 'member';
  if (is && !was) periods.push({ from: seq, to: Infinity });
  const last = periods.at(-1);
  if (was && !is && last) last.to = seq;
}

/** Whether the user was a member when the entry was stored. */
export function wasMember(room: RoomTruth | undefined, user: string, seq: number): boolean {
  return periodAt(room, user, seq) !== undefined;
}

export function periodAt(room: RoomTruth | undefined, user: string, seq: number): Period | undefined {
  return room?.periods.get(user)?.find((period) => period.from < seq && seq < period.to);
}

/** What the log must keep by itself, whoever reads it. */
export function checkLog(log: readonly StoredEntry[]): Violation[] {
  return [...checkOrder(log), ...checkMemberships(log)];
}

function checkOrder(log: readonly StoredEntry[]): Violation[] {
  const violations: Violation[] = [];
  const lastOf = new Map<number, StoredEntry>();
  for (const entry of log) {
    const before = lastOf.get(entry.partition);
    lastOf.set(entry.partition, entry);
    const where = `partition ${entry.partition}, entry ${entry.seq}`;
    if (before && (entry.seq <= before.seq || entry.at < before.at))
      violations.push({
        kind: 'out-of-order',
        where: { seq: entry.seq },
        what: `${where} does not follow its predecessor`,
        evidence: [before, entry],
      });
    if (entry.decoded.kind === 'unreadable')
      violations.push({
        kind: 'unreadable',
        where: { seq: entry.seq },
        what: `${where} cannot be read`,
        evidence: [entry],
      });
  }
  return violations;
}

interface Seats {
  readonly members: Map<string, StoredEntry>;
  readonly standing: Map<string, { entry: StoredEntry; state: MemberState }>;
  roster?: { entry: StoredEntry; members: number; limit: number };
}

/**
 * Sends against memberships, seats against the limit. The roster is the first entry of its batch: when the next one comes, and
 * at the end of the log, the members counted must be those that it says.
 */
function checkMemberships(log: readonly StoredEntry[]): Violation[] {
  const rooms = new Map<string, Seats>();
  const violations: Violation[] = [];
  for (const entry of log) {
    const subject = parseLogSubject(entry.subject);
    if (!subject || !('roomId' in subject) || entry.decoded.kind !== 'event') continue;
    const seats = rooms.get(subject.roomId) ?? { members: new Map(), standing: new Map() };
    rooms.set(subject.roomId, seats);
    violations.push(...applyToSeats(subject.roomId, seats, entry, entry.decoded.event));
  }
  for (const [room, seats] of rooms) violations.push(...rosterDiffers(room, seats));
  return violations;
}

function applyToSeats(room: string, seats: Seats, entry: StoredEntry, event: ChatEvent): Violation[] {
  if (event.type === 'MessageSent') {
    const sender = seats.standing.get(event.actor);
    if (sender?.state.standing === 'member' && !sender.state.muted) return [];
    const what = `${event.actor} was ${sender ? standingOf(sender.state) : 'never a member'} when ${entry.seq} was stored in ${room}`;
    return [
      {
        kind: 'without-membership',
        where: { room, user: event.actor, seq: entry.seq },
        what,
        evidence: [...(sender ? [sender.entry] : []), entry],
      },
    ];
  }
  if (event.type === 'RosterChanged') {
    const violations = rosterDiffers(room, seats);
    seats.roster = { entry, members: event.data.roster.members, limit: event.data.roster.limit };
    return violations;
  }
  if (!('member' in event.data)) return [];
  const { member } = event.data;
  seats.standing.set(member.userId, { entry, state: member });
  const seated = seats.members.has(member.userId);
  if (member.standing === 'member') seats.members.set(member.userId, entry);
  else seats.members.delete(member.userId);
  const { roster } = seats;
  if (seated || !seats.members.has(member.userId) || !roster || seats.members.size <= roster.limit) return [];
  const what = `${room} holds ${seats.members.size} members, ${roster.limit} are allowed, since ${entry.seq}`;
  return [
    {
      kind: 'over-capacity',
      where: { room, user: member.userId, seq: entry.seq },
      what,
      evidence: [roster.entry, entry],
    },
  ];
}

function standingOf(member: MemberState): string {
  return member.standing === 'member' && member.muted ? 'muted' : member.standing;
}

function rosterDiffers(room: string, seats: Seats): Violation[] {
  if (!seats.roster || seats.roster.members === seats.members.size) return [];
  const what = `the roster of ${room} says ${seats.roster.members} members, the log has ${seats.members.size}`;
  return [
    { kind: 'roster-differs', where: { room, seq: seats.roster.entry.seq }, what, evidence: [seats.roster.entry] },
  ];
}
