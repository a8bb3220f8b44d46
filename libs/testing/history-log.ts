/** The rules that the log keeps by itself, whoever reads it. */
import { parseLogSubject, type ChatEvent, type MemberState } from '#contract';
import type { StoredEntry } from '#event-log';
import type { Violation } from './history-records.js';

export function checkLog(log: readonly StoredEntry[]): Violation[] {
  return [...checkOrder(log), ...checkMemberships(log)];
}

function checkOrder(log: readonly StoredEntry[]): Violation[] {
  const violations: Violation[] = [];
  const lastOf = new Map<number, StoredEntry>();
  for (const entry of log) {
    const before = lastOf.get(entry.partition);
    lastOf.set(entry.partition, entry);
    const where = { seq: entry.seq };
    const place = `partition ${entry.partition}, entry ${entry.seq}`;
    if (before && (entry.seq <= before.seq || entry.at < before.at)) {
      const what = `${place} does not follow its predecessor`;
      violations.push({ kind: 'out-of-order', where, what, evidence: [before, entry] });
    }
    if (entry.decoded.kind === 'unreadable')
      violations.push({ kind: 'unreadable', where, what: `${place} cannot be read`, evidence: [entry] });
  }
  return violations;
}

interface Seats {
  readonly members: Map<string, StoredEntry>;
  readonly standing: Map<string, { entry: StoredEntry; state: MemberState }>;
  roster?: { entry: StoredEntry; members: number; limit: number };
  /** What the room itself says; the roster has to say the same. */
  config?: { entry: StoredEntry; maxMembers: number };
}

/**
 * Sends against memberships, seats against the limit. The roster stands before the rest of its batch: when the next one comes,
 * and at the end of the log, the members counted must be those that it says, its limit the room's, and within it.
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
  if (event.type === 'MessageSent') return checkSender(room, seats, entry, event.actor);
  if (event.type === 'RosterChanged') {
    const violations = rosterDiffers(room, seats);
    seats.roster = { entry, members: event.data.roster.members, limit: event.data.roster.limit };
    return violations;
  }
  if ('room' in event.data) seats.config = { entry, maxMembers: event.data.room.maxMembers };
  return 'member' in event.data ? takeSeat(room, seats, entry, event.data.member) : [];
}

function checkSender(room: string, seats: Seats, entry: StoredEntry, user: string): Violation[] {
  const sender = seats.standing.get(user);
  if (sender?.state.standing === 'member' && !sender.state.muted && !sender.state.banned) return [];
  const standing = sender ? standingOf(sender.state) : 'never a member';
  const what = `${user} was ${standing} when ${entry.seq} was stored in ${room}`;
  const evidence = [...(sender ? [sender.entry] : []), entry];
  return [{ kind: 'without-membership', where: { room, user, seq: entry.seq }, what, evidence }];
}

function standingOf({ standing, muted, banned }: MemberState): string {
  if (standing !== 'member') return standing;
  return muted ? 'muted' : banned ? 'banned' : 'a member';
}

function takeSeat(room: string, seats: Seats, entry: StoredEntry, member: MemberState): Violation[] {
  const { userId: user } = member;
  seats.standing.set(user, { entry, state: member });
  const seated = seats.members.has(user);
  if (member.standing === 'member') seats.members.set(user, entry);
  else seats.members.delete(user);
  const limit = limitOf(seats);
  if (seated || !seats.members.has(user) || seats.members.size <= limit) return [];
  const what = `${room} holds ${seats.members.size} members, ${limit} are allowed, since ${entry.seq}`;
  const evidence = [seats.config?.entry, seats.roster?.entry, entry].filter((each) => each !== undefined);
  return [{ kind: 'over-capacity', where: { room, user, seq: entry.seq }, what, evidence }];
}

/** As the room and its roster say; where they differ, the smaller. */
const limitOf = ({ roster, config }: Seats): number =>
  Math.min(roster?.limit ?? Infinity, config?.maxMembers ?? Infinity);

function rosterDiffers(room: string, { roster, config, members }: Seats): Violation[] {
  if (!roster) return [];
  const where = { room, seq: roster.entry.seq };
  const found: Violation[] = [];
  if (roster.members !== members.size) {
    const what = `the roster of ${room} says ${roster.members} members, the log has ${members.size}`;
    found.push({ kind: 'roster-differs', where, what, evidence: [roster.entry] });
  }
  if (config && roster.limit !== config.maxMembers) {
    const what = `the roster of ${room} has ${roster.limit} seats, the room ${config.maxMembers}`;
    found.push({ kind: 'roster-differs', where, what, evidence: [roster.entry, config.entry] });
  }
  // A limit that was set below the number of those who were in.
  if (roster.members === members.size && members.size > roster.limit) {
    const what = `${room} has ${roster.limit} seats since ${roster.entry.seq}, and ${members.size} members`;
    found.push({ kind: 'over-capacity', where, what, evidence: [roster.entry] });
  }
  return found;
}
