/**
 * A room with readers on this gateway.
 *
 * What comes in (live entries, and what was read because something was missing) may repeat and may be out of order. The
 * timeline goes on along its chain only: an entry whose predecessor is not here is a *hole*; it and all that follows is *held*
 * until what is missing has been read from the log. Members, config and roster are state and are taken once each, by their
 * sequence. What goes out is collected in a tick, joined, and written once to every reader.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS, type LogSubject, parseLogSubject, type MemberState, type Subjects } from '#contract';
import { LogUnavailableError, type EventLog, type StoredEntry, type Subscription } from '#event-log';
import type { Encoding } from './encoding.js';
import { orCrash } from './or-crash.js';
import type { Reader } from './reader.js';
import { bytesOf, isJoining, isMessage, joinBytes, memberOf, roomEvent, type RoomEvent } from './room-event.js';
import { Tail } from './tail.js';

/** Entries that wait behind a hole. What comes on top is let go: chain and tails notices bring it again. */
export const HELD_ENTRIES_MAX = 10_000;
/** Read at once to fill a hole. */
const FILL_ENTRIES_MAX = 1_000;
const FILL_RETRY_MS = 200;
/** Sequences of states that are remembered before those that the mark covers are looked for; more, while it stands still. */
const STATES_MIN = 64;

/** What a room needs of the feed. */
export interface RoomHost {
  readonly log: EventLog;
  readonly subjects: Subjects;
  /** Up to where the room's partition has been verified. */
  mark(partition: number): number;
  /** The room has something to write at the end of this tick. */
  dirty(room: Room): void;
  /** A membership as of this event, which is in the tail and is shown next. */
  onMember(room: Room, event: RoomEvent, member: MemberState): void;
  /** A membership from before the room became active: its event is in the log for whoever needs it. */
  onMembership(roomId: string, seq: number, member: MemberState, joined: boolean): void;
  /** Who is not to get an event, and what instead; undefined for nobody. */
  heldBack(event: RoomEvent): Map<Reader, Buffer | undefined> | undefined;
  /** The room cannot go on. */
  fault(room: Room, error: unknown): void;
}

/** Where the room stands when it becomes active. */
export interface RoomStart {
  /** The partition's end, as the leader gave it after the subscription and before the timeline's last entry. */
  readonly end: number;
  /** The last entry of the timeline, 0 for none. */
  readonly timelineSeq: number;
  readonly ordinal: number;
  readonly members: number;
  readonly participants: readonly string[] | undefined;
}

interface Group {
  readonly encoding: Encoding;
  readonly readers: Set<Reader>;
}

export class Room {
  readonly partition: number;
  readonly tail = new Tail(Number.MAX_SAFE_INTEGER);
  /** When the last reader left, ms; undefined while there are any. */
  idleSinceMs: number | undefined;
  /** The last entry of the timeline that was taken. */
  timelineSeq = 0;
  ordinal = 0;
  members = 0;
  participants: readonly string[] | undefined;
  private readonly groups: Group[] = [];
  private pending: RoomEvent[] = [];
  private exceptions: Map<Reader, Map<RoomEvent, Buffer | undefined>> | undefined;
  /** Entries that came before the room was ready, or wait behind a hole. */
  private held: StoredEntry[] | undefined = [];
  private filling: Promise<void> | undefined;
  /** What the first held entry waits for. */
  private missing = 0;
  /** Up to here the log has been asked, and has no more of the timeline than was taken. */
  private goneUpTo = 0;
  /** Sequences of state subjects that are newer than the mark. */
  private readonly states = new Map<string, number>();
  private statesMax = STATES_MIN;
  private floor = 0;
  /** The highest sequence that was shown. */
  private head = 0;
  private ready: Promise<void> = Promise.resolve();
  private subscription: Subscription | undefined;
  private closed = false;
  private readonly timeline: string;
  /** What its timeline's subject says. */
  private readonly place: LogSubject & { kind: 'timeline' };

  constructor(
    readonly id: string,
    private readonly host: RoomHost,
  ) {
    this.partition = host.subjects.partitionOfRoom(id);
    this.timeline = host.subjects.timeline(id);
    this.place = { kind: 'timeline', partition: this.partition, roomId: id };
  }

  get readerCount(): number {
    return this.groups.reduce((sum, { readers }) => sum + readers.size, 0);
  }

  get isLarge(): boolean {
    return this.members > LIMITS.announcedMembers;
  }

  /** Subscribes, then finds out where the room stands: what comes in between is not lost. */
  open(liveSubject: string, locate: () => Promise<RoomStart>): Promise<void> {
    this.ready = this.begin(liveSubject, locate);
    return this.ready;
  }

  /** Resolves when nothing is held any more: what was received before has been taken. */
  async settled(): Promise<void> {
    await this.ready;
    while (this.filling !== undefined) await this.filling;
  }

  private async begin(liveSubject: string, locate: () => Promise<RoomStart>): Promise<void> {
    this.subscription = await this.host.log.live(
      liveSubject,
      orCrash((entry) => this.receive(entry)),
    );
    if (this.closed) return this.subscription.stop();
    const start = await locate();
    this.timelineSeq = start.timelineSeq;
    this.ordinal = start.ordinal;
    this.members = start.members;
    this.participants = start.participants;
    // Whoever comes reads the log up to here; the tail, and what is live, begin after it.
    this.floor = Math.max(start.timelineSeq, start.end);
    this.tail.from = this.floor;
    this.release();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.tail.clear();
    await this.subscription?.stop();
  }

  receive(entry: StoredEntry): void {
    if (this.held === undefined) return this.take(entry);
    if (this.held.length < HELD_ENTRIES_MAX) this.held.push(entry);
  }

  /** Whether a subject of this room has an entry that has not been taken. */
  lacks(subject: string, seq: number): boolean {
    if (subject === this.timeline) return seq > this.knownUpTo();
    return seq > (this.states.get(subject) ?? 0);
  }

  /** Reads what the timeline lacks up to a sequence, and waits until it has been taken. */
  async fillTo(seq: number): Promise<void> {
    while (!this.closed && this.knownUpTo() < seq) await this.fill(seq);
  }

  attach(reader: Reader): void {
    this.flush();
    const { encoding } = reader.sink;
    let group = this.groups.find((known) => known.encoding === encoding);
    if (group === undefined) this.groups.push((group = { encoding, readers: new Set() }));
    group.readers.add(reader);
    // What stands before the joining of whoever comes now is not for all any more.
    this.head = Math.max(this.head, reader.user.memberships.get(this.id)?.since ?? 0);
    this.idleSinceMs = undefined;
  }

  detach(reader: Reader, nowMs: number): void {
    this.flush();
    for (const { readers } of this.groups) readers.delete(reader);
    if (this.readerCount === 0) this.idleSinceMs ??= nowMs;
  }

  isAttached(reader: Reader): boolean {
    return this.groups.some(({ readers }) => readers.has(reader));
  }

  /** Sends something that has no place in the log to all readers but some. */
  broadcast(bytesIn: (encoding: Encoding) => Buffer | undefined, except: (reader: Reader) => boolean): void {
    this.flush();
    for (const { encoding, readers } of this.groups) {
      const bytes = bytesIn(encoding);
      if (bytes === undefined) continue;
      for (const reader of readers) if (!reader.isJoining && !except(reader)) reader.writeNow(bytes);
    }
  }

  /** Writes what this turn has brought: one buffer, one write a reader. */
  flush(isLast = false): void {
    if (this.pending.length === 0) return;
    const events = this.pending;
    const exceptions = this.exceptions;
    this.pending = [];
    this.exceptions = undefined;
    const shown = this.isLarge ? withLastCountOnly(events) : events;
    for (const { encoding, readers } of this.groups) {
      if (readers.size === 0) continue;
      const joined = encoding.joined?.(shown) ?? joinBytes(shown.map((event) => bytesOf(event, encoding)));
      for (const reader of readers) {
        if (reader.isClosed) {
          readers.delete(reader);
          continue;
        }
        const instead = exceptions?.get(reader);
        const bytes = instead === undefined ? joined : joinBytes(shown.map((e) => pick(e, instead, encoding)));
        reader.write(bytes, isLast);
      }
    }
  }

  private take(entry: StoredEntry): void {
    if (this.closed) return;
    // Nearly everything is, and it need not be taken apart for that.
    if (entry.subject === this.timeline) return this.takeTimeline(entry);
    const subject = parseLogSubject(entry.subject);
    if (subject === undefined || !('roomId' in subject)) return;
    if (entry.seq <= this.host.mark(this.partition) || !this.lacks(entry.subject, entry.seq)) return;
    if (this.states.size >= this.statesMax) this.forgetVerified();
    this.states.set(entry.subject, entry.seq);
    if (entry.decoded.kind !== 'event') return;
    const { event } = entry.decoded;
    if (entry.seq <= this.floor) {
      if ('member' in event.data) this.host.onMembership(this.id, entry.seq, event.data.member, isJoining(event));
      return;
    }
    if (event.type === 'RosterChanged') this.members = event.data.roster.members;
    if ('room' in event.data) this.participants = event.data.room.participants;
    const announced = subject.kind === 'config' || (subject.kind === 'roster') === this.isLarge;
    const { ordinal, participants } = this;
    this.put(roomEvent(entry, subject, { prev: undefined, ordinal, announced, participants }));
  }

  /** What the mark covers need not be remembered: it is not taken again. */
  private forgetVerified(): void {
    const mark = this.host.mark(this.partition);
    for (const [subject, seq] of this.states) if (seq <= mark) this.states.delete(subject);
    // A mark that stands still must not have all of them looked through at each event.
    this.statesMax = Math.max(STATES_MIN, 2 * this.states.size);
  }

  private takeTimeline(entry: StoredEntry): void {
    if (entry.seq <= this.timelineSeq) return;
    if ((entry.prev ?? 0) > this.knownUpTo()) return this.wait(entry);
    this.putTimeline(entry);
  }

  private putTimeline(entry: StoredEntry): void {
    const prev = this.timelineSeq;
    this.timelineSeq = entry.seq;
    if (isMessage(entry)) this.ordinal += 1;
    // Whoever is here has read up to the floor; a leader that was none any more may have said that the timeline ends before it.
    if (entry.seq <= this.floor) return;
    const { ordinal, participants } = this;
    this.put(roomEvent(entry, this.place, { prev, ordinal, announced: true, participants }));
  }

  private put(event: RoomEvent): void {
    this.tail.add(event);
    const member = memberOf(event);
    if (member !== undefined) this.host.onMember(this, event, member);
    if (event.seq <= this.head) return this.showLate(event);
    this.head = event.seq;
    if (this.pending.length === 0) this.host.dirty(this);
    this.pending.push(event);
    this.except(event);
  }

  /** What was lost on the way and comes behind what followed it: whoever came in between, or by this very event, is not shown it. */
  private showLate(event: RoomEvent): void {
    this.flush();
    const heldBack = this.host.heldBack(event);
    for (const { encoding, readers } of this.groups)
      for (const reader of readers) {
        if ((reader.user.memberships.get(this.id)?.since ?? 0) >= event.seq) continue;
        const bytes = heldBack?.has(reader) === true ? heldBack.get(reader) : bytesOf(event, encoding);
        if (bytes !== undefined) reader.write(bytes);
      }
  }

  private except(event: RoomEvent): void {
    const heldBack = this.host.heldBack(event);
    if (heldBack === undefined) return;
    this.exceptions ??= new Map();
    for (const [reader, skip] of heldBack) {
      const known = this.exceptions.get(reader) ?? new Map<RoomEvent, Buffer | undefined>();
      this.exceptions.set(reader, known.set(event, skip));
    }
  }

  /** A hole: this entry, and everything after it, waits. */
  private wait(entry: StoredEntry): void {
    this.held = [entry];
    this.missing = entry.prev ?? 0;
    if (this.filling === undefined) this.fill(this.missing).catch((error: unknown) => this.host.fault(this, error));
  }

  private fill(upTo: number): Promise<void> {
    this.filling ??= this.fillHoles(upTo);
    return this.filling;
  }

  private async fillHoles(upTo: number): Promise<void> {
    this.held ??= [];
    // So that it does not end before it is noted as under way.
    await Promise.resolve();
    try {
      for (let goal: number | undefined = upTo; goal !== undefined && !this.closed; goal = this.release())
        for (let after = this.knownUpTo(); !this.closed && this.knownUpTo() < goal;)
          after = await this.readOn(after, goal);
    } finally {
      // At once, not when whoever waits goes on: an entry that comes in between may be behind another hole.
      this.filling = undefined;
    }
  }

  /**
   * A log that is away is waited for, as long as the room has readers.
   * @returns up to where it has been read
   */
  private async readOn(after: number, upTo: number): Promise<number> {
    const range = { after, upTo, max: FILL_ENTRIES_MAX };
    try {
      const { log, subjects } = this.host;
      const { entries, complete } = await log.readSubject(this.partition, subjects.room(this.id), range);
      // Members too: who left in it is shown nothing of what came after that.
      for (const entry of entries) this.take(entry);
      // What the log does not have between two entries is gone for good (erased): the chain goes on over it.
      if (complete) this.goneUpTo = Math.max(this.goneUpTo, upTo);
      return entries[entries.length - 1]?.seq ?? after;
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      await delay(FILL_RETRY_MS);
      return after;
    }
  }

  /** Takes what was held; what is missing next where there is another hole. */
  private release(): number | undefined {
    const entries = (this.held ?? []).sort((a, b) => a.seq - b.seq);
    this.held = undefined;
    for (const entry of entries) this.receive(entry);
    return this.held === undefined ? undefined : this.missing;
  }

  private knownUpTo(): number {
    return Math.max(this.timelineSeq, this.goneUpTo);
  }
}

const pick = (event: RoomEvent, instead: Map<RoomEvent, Buffer | undefined>, encoding: Encoding): Buffer | undefined =>
  instead.has(event) ? instead.get(event) : bytesOf(event, encoding);

/** In a large room many may come and go in one tick: one count tells it. */
function withLastCountOnly(events: readonly RoomEvent[]): readonly RoomEvent[] {
  const last = events.findLast(({ kind }) => kind === 'roster');
  return events.filter((event) => event.kind !== 'roster' || event === last);
}
