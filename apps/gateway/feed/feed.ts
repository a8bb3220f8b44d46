/**
 * Live delivery of one gateway: its users, their rooms, and the partitions' marks. Transports open readers here and know
 * nothing of the log; nothing here knows what a socket is.
 */
import {
  CLOSE,
  formatCursor,
  isChannelRoomId,
  LIMITS,
  LIVE,
  parseLogSubject,
  Subjects,
  userToken,
  type CloseCode,
  type LogSubject,
  type MemberState,
} from '#contract';
import type { EventLog, StoredEntry, TailsNotice } from '#event-log';
import { heldBackFromAll } from './echo.js';
import { Following } from './following.js';
import { LocalUser } from './local-user.js';
import { LogEnds } from './log-ends.js';
import { Openings } from './openings.js';
import { orCrash } from './or-crash.js';
import { Partition } from './partition.js';
import { Places, type Place } from './places.js';
import type { Reader } from './reader.js';
import { membersOf, roomOf, RoomReads } from './room-reads.js';
import { isJoining, type RoomEvent } from './room-event.js';
import { Room, type RoomStart } from './room.js';
import { Turn } from './turn.js';
import type { Anchor, FeedViews } from './views.js';

/** A room without a reader for so long is let go. */
const ROOM_IDLE_MS = 60_000;
/** Active readers get a cursor this often, soon enough for a late sweep to keep the contract's limit; all others this often. */
const CURSORS_MS = LIMITS.cursorMs - 1_500;
const CURSORS_FOR_ALL_MS = 60_000;

export interface FeedOptions {
  readonly log: EventLog;
  readonly views: FeedViews;
  readonly roomSubscribersMax: number;
  readonly nowMs: () => number;
  /** Hears of what is no refusal and no outage. */
  readonly onFault: (error: unknown) => void;
  /** No reader can be served any more; once. */
  readonly onBroken?: (reason: string) => void;
}

interface ActiveRoom {
  readonly room: Room;
  readonly ready: Promise<void>;
}

export class Feed {
  readonly log: EventLog;
  readonly views: FeedViews;
  readonly subjects: Subjects;
  readonly reads: RoomReads;
  readonly readers = new Set<Reader>();
  readonly places: Places;
  readonly following = new Following(this);
  readonly openings = new Openings();
  readonly turn = new Turn();
  private readonly partitions: Partition[];
  private readonly rooms = new Map<string, ActiveRoom>();
  /** By token. */
  private readonly users = new Map<string, LocalUser>();
  /** The same by id: asked for every event, and a token may be a hash. */
  private readonly usersById = new Map<string, LocalUser>();
  private cursorText: string | undefined;
  private readonly ends: LogEnds;
  private brokenBy: string | undefined;
  private cursorsSentMs = -Infinity;
  private cursorsForAllMs = 0;

  constructor(private readonly options: FeedOptions) {
    this.log = options.log;
    this.views = options.views;
    this.subjects = new Subjects(this.log.partitions);
    this.places = new Places(this.log, this.views, this.subjects);
    this.ends = new LogEnds(this.log, (partition) => this.mark(partition));
    this.reads = new RoomReads(this.log, this.subjects, this.places);
    this.partitions = Array.from({ length: this.log.partitions }, (_, number) => new Partition(number, this));
  }

  async start(): Promise<void> {
    this.log.replaced.addEventListener('abort', () => this.epochChanged('another'));
    await Promise.all(this.partitions.map((partition) => partition.start(this.nowMs())));
  }

  async stop(): Promise<void> {
    for (const reader of [...this.readers]) reader.close(CLOSE.draining, 'shutting down');
    await Promise.all([
      ...this.partitions.map((partition) => partition.stop()),
      ...[...this.rooms.values()].map(({ room }) => room.close()),
      ...[...this.users.values()].map((user) => user.leave()),
    ]);
  }

  /** Why no reader can be served any more, if so: the process has to start again. */
  get broken(): string | undefined {
    return this.brokenBy;
  }

  /** Up to where everything has been delivered to every live reader, once the present tick has been flushed. */
  cursor(): string {
    this.cursorText ??= formatCursor({ epoch: this.log.epoch, seqs: this.partitions.map(({ mark }) => mark) });
    return this.cursorText;
  }

  mark(partition: number): number {
    return this.partitions[partition]?.mark ?? 0;
  }

  /** Waits until the marks are at least here. */
  async reach(seqs: readonly number[]): Promise<void> {
    await Promise.all(this.partitions.map((partition, i) => partition.reach(seqs[i] ?? 0)));
  }

  /** The partitions' last sequences as of now or later; of no leader that is behind what is known to be in the log. */
  lastSequences(known: readonly number[] = []): Promise<number[]> {
    return Promise.all(this.partitions.map(({ number }) => this.ends.of(number, known[number])));
  }

  // --- readers and users

  user(userId: string): LocalUser | undefined {
    return this.users.get(userToken(userId));
  }

  /** From here on the user's memberships are followed. */
  async enter(userId: string, reader: Reader): Promise<LocalUser> {
    const user = this.users.get(userToken(userId)) ?? new LocalUser(userId);
    this.users.set(user.token, user);
    this.usersById.set(user.id, user);
    user.readers.add(reader);
    this.readers.add(reader);
    reader.user = user;
    await user.listen(() =>
      this.log.live(
        LIVE.memberships(userId),
        orCrash((entry) => this.offer(entry)),
      ),
    );
    return user;
  }

  /** The connection has ended. */
  leave(reader: Reader): void {
    reader.ended();
    this.readers.delete(reader);
    const { user } = reader;
    if (user === undefined) return;
    this.detach(reader);
    user.readers.delete(reader);
    if (user.readers.size > 0 || this.users.get(user.token) !== user) return;
    this.users.delete(user.token);
    this.usersById.delete(user.id);
    user.leave().catch((error: unknown) => this.options.onFault(error));
  }

  /** From all of its rooms. */
  detach(reader: Reader): void {
    const nowMs = this.nowMs();
    for (const roomId of reader.user.memberships.keys()) this.rooms.get(roomId)?.room.detach(reader, nowMs);
  }

  closeAll(code: CloseCode, reason: string): void {
    for (const reader of [...this.readers]) reader.close(code, reason);
  }

  // --- rooms

  activeRoom(roomId: string): Room | undefined {
    return this.rooms.get(roomId)?.room;
  }

  /** The room, subscribed and located. */
  async activate(roomId: string, known?: Anchor): Promise<Room> {
    const active = this.rooms.get(roomId) ?? this.open(roomId, known);
    // Whoever asks is about to read: the room does not end in between.
    if (active.room.idleSinceMs !== undefined) active.room.idleSinceMs = this.nowMs();
    try {
      await active.ready;
    } catch (error) {
      this.forgetRoom(active.room);
      throw error;
    }
    return active.room;
  }

  private open(roomId: string, known: Anchor | undefined): ActiveRoom {
    const room = new Room(roomId, this);
    room.idleSinceMs = this.nowMs();
    const active = { room, ready: room.open(LIVE.room(roomId), () => this.locate(roomId, known)) };
    this.rooms.set(roomId, active);
    return active;
  }

  private async locate(roomId: string, known: Anchor | undefined): Promise<RoomStart> {
    const end = await this.ends.of(this.subjects.partitionOfRoom(roomId));
    const [timeline, roster, config] = await Promise.all([
      this.log.last(this.subjects.timeline(roomId)),
      this.log.last(this.subjects.roster(roomId)),
      isChannelRoomId(roomId) ? this.log.last(this.subjects.config(roomId)) : undefined,
    ]);
    const place: Place = await this.places.at(roomId, timeline?.seq ?? 0, known);
    return { end, ...place, members: membersOf(roster), participants: roomOf(config)?.participants };
  }

  /** An entry from wherever: its room takes it, or, without one, its user does. */
  offer(entry: StoredEntry): void {
    const subject = parseLogSubject(entry.subject);
    if (subject === undefined || !('roomId' in subject)) return;
    const active = this.rooms.get(subject.roomId);
    if (active !== undefined) return active.room.receive(entry);
    // What the mark covers has been taken, and may have been forgotten since.
    if (subject.kind !== 'member' || entry.decoded.kind !== 'event' || entry.seq <= this.mark(entry.partition)) return;
    const { event } = entry.decoded;
    if ('member' in event.data) this.onMembership(subject.roomId, entry.seq, event.data.member, isJoining(event));
  }

  /** A membership as the views know it. */
  learn(user: LocalUser, roomId: string, seq: number): void {
    this.following.learnMember(user, roomId, seq);
  }

  /** A change of membership that was looked up. A room that has yet to take it passes it on then; another does not again. */
  offerChange(entry: StoredEntry): void {
    this.offer(entry);
    const subject = parseLogSubject(entry.subject);
    if (subject?.kind !== 'member') return;
    const takesIt = this.activeRoom(subject.roomId)?.lacks(entry.subject, entry.seq) === true;
    if (takesIt && entry.seq > this.mark(entry.partition)) return;
    const event = entry.decoded.kind === 'event' ? entry.decoded.event : undefined;
    if (event !== undefined && 'member' in event.data)
      this.onMembership(subject.roomId, entry.seq, event.data.member, isJoining(event));
  }

  attach(room: Room, reader: Reader): void {
    // It ended while the reader read its past, and hears nothing any more.
    if (this.activeRoom(room.id) !== room) return reader.close(CLOSE.replayFailed, 'the room cannot go on');
    if (room.readerCount < this.options.roomSubscribersMax) return room.attach(reader);
    // Another gateway may have a place: so this is a code to reconnect with.
    reader.close(CLOSE.draining, `room ${room.id} has too many subscribers on this gateway`);
  }

  nowMs(): number {
    return this.options.nowMs();
  }

  // --- what a room asks of the feed (RoomHost)

  dirty(room: Room): void {
    this.turn.dirty(room);
  }

  flush(): void {
    this.turn.flush();
  }

  onMember(room: Room, event: RoomEvent, member: MemberState): void {
    const user = this.users.get(userToken(member.userId));
    if (user !== undefined) this.following.onMember(user, room, event, member);
  }

  onMembership(roomId: string, seq: number, member: MemberState, joined: boolean): void {
    const user = this.users.get(userToken(member.userId));
    if (user !== undefined) this.following.learn(user, roomId, seq, member, joined);
  }

  heldBack(event: RoomEvent): Map<Reader, Buffer | undefined> | undefined {
    const user = event.event === undefined ? undefined : this.usersById.get(event.event.actor);
    return user === undefined ? undefined : heldBackFromAll(user, event);
  }

  fault(at: unknown, error: unknown = at): void {
    this.options.onFault(error);
    if (at instanceof Room) this.closeRoom(at);
  }

  // --- what a partition asks of the feed (PartitionHost)

  async takeMissing(partition: number, moved: TailsNotice['last'], after: number): Promise<void> {
    const reads: Promise<void>[] = [];
    for (const [subject, seq] of moved) {
      const parsed = seq > after ? parseLogSubject(subject) : undefined;
      if (parsed === undefined || !('roomId' in parsed)) continue;
      const active = this.rooms.get(parsed.roomId);
      if (active !== undefined) reads.push(this.takeMissingOf(active, parsed.kind, subject, seq, after));
      else if (parsed.kind === 'member' && this.users.get(parsed.userToken)?.lacks(parsed.roomId, seq) === true)
        reads.push(this.readMissing(partition, subject, seq, after));
    }
    await Promise.all(reads);
  }

  verified(): void {
    this.cursorText = undefined;
  }

  epochChanged(epoch: string): void {
    if (this.brokenBy !== undefined) return;
    this.brokenBy = `the log's epoch is ${epoch} now, not ${this.log.epoch}: the gateway has to start again`;
    this.closeAll(CLOSE.epochChanged, 'the log has begun another epoch');
    this.options.onBroken?.(this.brokenBy);
  }

  private async takeMissingOf(
    { room, ready }: ActiveRoom,
    kind: LogSubject['kind'],
    subject: string,
    seq: number,
    after: number,
  ): Promise<void> {
    await ready;
    if (!room.lacks(subject, seq)) return;
    if (kind === 'timeline') return room.fillTo(seq);
    await this.readMissing(room.partition, subject, seq, after);
  }

  private async readMissing(partition: number, subject: string, upTo: number, after: number): Promise<void> {
    for await (const entries of this.reads.pages(partition, subject, { after, upTo })) {
      // Behind a hole there may be no place left.
      await this.settled(subject);
      for (const entry of entries) this.offer(entry);
    }
    // A room that holds it has not taken it yet, and must not find the mark beyond it then.
    await this.settled(subject);
  }

  /** The room of a subject holds nothing, if it has one here. */
  private async settled(subject: string): Promise<void> {
    const parsed = parseLogSubject(subject);
    if (parsed !== undefined && 'roomId' in parsed) await this.rooms.get(parsed.roomId)?.room.settled();
  }

  // --- housekeeping

  /** Called every second or so. */
  sweep(): void {
    const nowMs = this.nowMs();
    this.sendCursors(nowMs);
    for (const { room } of this.rooms.values()) {
      room.tail.settle();
      if (room.idleSinceMs !== undefined && nowMs - room.idleSinceMs > ROOM_IDLE_MS) this.closeRoom(room);
    }
    for (const user of this.users.values())
      if (user.hasEnded && [...user.readers].every((reader) => reader.mayHaveCursor))
        user.forgetEnded((roomId, seq) => seq <= this.mark(this.subjects.partitionOfRoom(roomId)));
    for (const partition of this.partitions)
      partition.tick(nowMs).catch((error: unknown) => this.options.onFault(error));
  }

  /**
   * A cursor for whoever had something since the last one, delivered first and then said; and now and then for everybody else:
   * an old cursor makes a resume look far back.
   */
  private sendCursors(nowMs: number): void {
    if (nowMs - this.cursorsSentMs < CURSORS_MS) return;
    this.cursorsSentMs = nowMs;
    const forAll = nowMs - this.cursorsForAllMs >= CURSORS_FOR_ALL_MS;
    if (forAll) this.cursorsForAllMs = nowMs;
    this.flush();
    const cursor = this.cursor();
    for (const reader of this.readers) {
      if ((reader.cursorsDue === 0 && !forAll) || !reader.mayHaveCursor || reader.cursor === cursor) continue;
      const due = Math.max(0, reader.cursorsDue - 1);
      this.giveCursor(reader, 'cursor');
      reader.cursorsDue = due;
    }
  }

  /** The reader's cursor as of now, in a frame of its own. */
  giveCursor(reader: Reader, op: 'cursor' | 'caught_up' | 'pong'): void {
    if (reader.mayHaveCursor) {
      this.flush();
      reader.cursor = this.cursor();
    }
    reader.send({ op, cursor: reader.cursor });
  }

  private closeRoom(room: Room): void {
    for (const reader of this.readers)
      if (room.isAttached(reader)) reader.close(CLOSE.replayFailed, 'the room cannot go on');
    this.forgetRoom(room);
  }

  private forgetRoom(room: Room): void {
    if (this.rooms.get(room.id)?.room === room) this.rooms.delete(room.id);
    room.close().catch((error: unknown) => this.options.onFault(error));
  }
}
