/**
 * What the log must keep by itself, checked entry by entry in its order, with memory for the state of one partition's rooms: the
 * same promises that the fences make when the entries are appended.
 */
import {
  type ChatEvent,
  formatPosition,
  type LogSubject,
  type MemberState,
  parseLogSubject,
  partitionOf,
  restoredSubject,
  type RosterState,
  userToken,
} from '#contract';
import type { StoredEntry } from '#event-log';

export type ViolationKind =
  | 'out-of-order' // a sequence or a time that does not rise
  | 'unreadable' // an entry that this version cannot read
  | 'misplaced' // on a subject, or in a partition, where such an event does not belong
  | 'no-room' // something in a room before the room was made
  | 'made-twice' // a second RoomCreated
  | 'without-membership' // a message of somebody who was no member, or muted
  | 'stored-twice' // one keyed command, two entries
  | 'over-capacity' // a seat beyond the limit
  | 'roster-differs' // the roster does not say who the members are
  | 'chain-broken'; // the broker's last entry of a subject is not the one that was read

export interface Violation {
  readonly kind: ViolationKind;
  /** Of the entry that shows it. */
  readonly position: string;
  readonly what: string;
}

interface Room {
  made: boolean;
  readonly members: Map<string, MemberState>;
  seated: number;
  roster: { readonly state: RosterState; readonly seq: number } | undefined;
}

/** Keys that are remembered, the latest of a partition: a repeat that passed the broker comes soon after the first. */
const KEYS_KEPT = 1_000_000;

export class PartitionCheck {
  entries = 0;
  /** Of a newer version: skipped by this one, and no violation. */
  unknown = 0;
  /** The last entry of each subject. */
  readonly lastOf = new Map<string, number>();
  private readonly rooms = new Map<string, Room>();
  private readonly keys = new Set<string>();
  private lastSeq = 0;
  private lastAt = 0;

  constructor(
    readonly partition: number,
    private readonly partitions: number,
    private readonly found: (violation: Violation) => void,
  ) {}

  take(entry: StoredEntry): void {
    this.entries++;
    // Said this way round, because a time that cannot be read is neither.
    if (!(entry.seq > this.lastSeq && entry.at >= this.lastAt))
      this.report(entry, 'out-of-order', `its sequence or time does not rise above that of entry ${this.lastSeq}`);
    this.lastSeq = entry.seq;
    if (!Number.isNaN(entry.at)) this.lastAt = entry.at;
    this.lastOf.set(entry.subject, entry.seq);
    // Says that the partition was restored from a backup; of no room and no user.
    if (entry.subject === restoredSubject(this.partition)) return;
    const subject = parseLogSubject(entry.subject);
    if (subject === undefined || !this.belongsHere(subject))
      return this.report(entry, 'misplaced', `${entry.subject} is no subject of partition ${this.partition}`);
    if (entry.decoded.kind === 'unreadable')
      return this.report(entry, 'unreadable', entry.decoded.reason.split('\n')[0] ?? '');
    if (entry.decoded.kind === 'unknown') return void this.unknown++;
    this.apply(entry, subject, entry.decoded.event);
  }

  /** After the last entry: what only the next one would have shown. */
  end(): void {
    for (const [roomId, room] of this.rooms) this.compareRoster(roomId, room);
  }

  private belongsHere(subject: LogSubject): boolean {
    const owner = 'roomId' in subject ? subject.roomId : subject.userToken;
    return subject.partition === this.partition && partitionOf(owner, this.partitions) === this.partition;
  }

  private apply(entry: StoredEntry, subject: LogSubject, event: ChatEvent): void {
    if (!belongsOn(event, subject))
      return this.report(entry, 'misplaced', `${event.type} does not belong on ${entry.subject}`);
    if (!('roomId' in subject)) return;
    const room = this.room(subject.roomId);
    if (!room.made && event.type !== 'RoomCreated')
      this.report(entry, 'no-room', `${event.type} in ${subject.roomId}, which has not been created`);
    switch (event.type) {
      case 'RoomCreated':
        if (room.made) this.report(entry, 'made-twice', `${subject.roomId} is created again`);
        room.made = true;
        return;
      case 'RosterChanged':
        this.compareRoster(subject.roomId, room);
        room.roster = { state: event.data.roster, seq: entry.seq };
        return;
      case 'MessageSent':
        return this.message(entry, subject.roomId, room, event);
      case 'MemberJoined':
      case 'MemberLeft':
      case 'MemberRemoved':
      case 'MemberInvited':
      case 'MemberChanged':
        return this.member(entry, subject.roomId, room, event.data.member);
      case 'RoomChanged':
      case 'RoomArchived':
      case 'StatusChanged':
      case 'ProfileChanged':
        return undefined;
    }
  }

  private message(entry: StoredEntry, roomId: string, room: Room, { actor, key }: ChatEvent): void {
    const sender = room.members.get(actor);
    const state = sender === undefined ? 'never a member' : sender.standing === 'member' ? 'muted' : sender.standing;
    if (sender?.standing !== 'member' || sender.muted)
      this.report(entry, 'without-membership', `${actor} was ${state} in ${roomId} when this was stored`);
    if (key === undefined) return;
    if (this.keys.has(key.id))
      this.report(entry, 'stored-twice', `${actor}'s message in ${roomId} has been stored before`);
    this.keys.add(key.id);
    for (const oldest of this.keys) {
      if (this.keys.size <= KEYS_KEPT) break;
      this.keys.delete(oldest);
    }
  }

  private member(entry: StoredEntry, roomId: string, room: Room, member: MemberState): void {
    const was = room.members.get(member.userId)?.standing === 'member';
    const is = member.standing === 'member';
    room.members.set(member.userId, member);
    room.seated += Number(is) - Number(was);
    const limit = room.roster?.state.limit ?? 0;
    if (is && !was && room.seated > limit)
      this.report(entry, 'over-capacity', `${roomId} holds ${room.seated} members, ${limit} are allowed`);
  }

  /** The roster is the first entry of its batch: when the next one comes, and at the end, the members must be those that it says. */
  private compareRoster(roomId: string, { roster, members, seated }: Room): void {
    if (roster === undefined) return;
    const { state, seq } = roster;
    const report = (what: string): void =>
      this.found({ kind: 'roster-differs', position: formatPosition({ partition: this.partition, seq }), what });
    if (state.members !== seated)
      report(`the roster of ${roomId} says ${state.members} members, the log has ${seated}`);
    const ranked = (userId: string, role: string): void => {
      const member = members.get(userId);
      if (member?.standing !== 'member' || member.role !== role)
        report(`the roster of ${roomId} names ${userId} as ${role}, the log does not`);
    };
    if (state.owner !== undefined) ranked(state.owner, 'owner');
    for (const userId of state.moderators) ranked(userId, 'moderator');
  }

  private room(roomId: string): Room {
    const known = this.rooms.get(roomId);
    if (known !== undefined) return known;
    const room: Room = { made: false, members: new Map(), seated: 0, roster: undefined };
    this.rooms.set(roomId, room);
    return room;
  }

  private report({ seq }: StoredEntry, kind: ViolationKind, what: string): void {
    this.found({ kind, position: formatPosition({ partition: this.partition, seq }), what });
  }
}

function belongsOn(event: ChatEvent, subject: LogSubject): boolean {
  switch (event.type) {
    case 'RoomCreated':
    case 'RoomChanged':
    case 'RoomArchived':
      return subject.kind === 'config';
    case 'RosterChanged':
      return subject.kind === 'roster';
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberRemoved':
    case 'MemberInvited':
    case 'MemberChanged':
      return subject.kind === 'member' && subject.userToken === userToken(event.data.member.userId);
    case 'MessageSent':
      return subject.kind === 'timeline';
    case 'StatusChanged':
      return subject.kind === 'status' && subject.userToken === userToken(event.actor);
    case 'ProfileChanged':
      return subject.kind === 'profile' && subject.userToken === userToken(event.actor);
  }
}
