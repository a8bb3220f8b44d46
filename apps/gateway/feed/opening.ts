/**
 * Opens a reader: from its cursor, or from the views' snapshot, to live.
 *
 * 1. The user's memberships are followed from here on.
 * 2. A snapshot of the views, then what the log says since: the memberships up to the log's end as it was after 1.
 * 3. Of every room: its past since the cursor, from tail and log, cut by the periods of membership; in the moment in which
 *    nothing is missing the reader is attached, and what is live from there on is held behind the replay.
 * 4. `welcome`, the replay, what was held, `caught_up`.
 *
 * All of the past is in hand before `welcome` is sent: it says whether everything since the cursor will come (`recovered`), and
 * there is no partial replay. A reader without a cursor has nothing to recover: it is told `recovered: true`, and gets what
 * happened since the snapshot that its `welcome` describes.
 */
import { CLOSE, formatCursor, LIMITS, parseCursor, type Cursor, type WelcomeRoom } from '#contract';
import type { StoredEntry } from '#event-log';
import { replayBytes } from './echo.js';
import type { Feed } from './feed.js';
import type { Reader, Shown } from './reader.js';
import type { Place } from './places.js';
import { isJoining, memberOf, type RoomEvent } from './room-event.js';
import { type ReplayBudget, replayBudget, TooMuchError } from './replay-budget.js';
import { membershipEvent } from './room-reads.js';
import type { UserRoom, UserRooms } from './views.js';
import { hasLeft, openStay, visibleTo, wasMemberAt } from './visible.js';

/** Events that tell, seen alone, that the user was no member before. */
const ENTRANCES: ReadonlySet<string> = new Set(['MemberJoined', 'MemberInvited']);
/** Rooms that are read side by side for one reader. */
const ROOMS_AT_ONCE = 16;
const CHANGES_MAX = LIMITS.replayEvents;
/** A replay goes on when the network has taken all but so much. */
const REPLAY_QUEUE_BYTES = 256 * 1024;
const REPLAY_WAIT_MS = 5;
/** Whoever has not taken its replay by then is slow: it would keep its memory from others. */
const REPLAY_MS = 60_000;

/** The reader's connection ended meanwhile. */
class GoneError extends Error {
  override readonly name = 'GoneError';
}

/** A room as it was at the cursor, and what it brings since. */
interface RoomReplay {
  readonly roomId: string;
  readonly timelineSeq: number;
  readonly ordinal: number;
  readonly chunks: readonly Buffer[];
}

interface Start {
  readonly seqs: readonly number[];
  readonly recovered: boolean;
  readonly replays: readonly RoomReplay[];
}

export interface OpenFrom {
  /** The client's cursor. */
  readonly since?: string | undefined;
  /** The log's ends when the connection was accepted, for clients that know no cursors: they get what comes after. */
  readonly ends?: readonly number[] | undefined;
}

/**
 * Opens a reader. Resolves when it is live, or when its connection has ended.
 * @throws DomainError `unavailable` when too many are opening
 * @throws when the replay failed: the connection is to be closed, and the client's cursor is the one that it had
 */
export async function openReader(feed: Feed, reader: Reader, userId: string, from: OpenFrom = {}): Promise<void> {
  try {
    await new Opening(feed, reader, userId, from).run();
  } catch (error) {
    if (!(error instanceof GoneError)) throw error;
  }
}

class Opening {
  private snapshot!: UserRooms;
  private ends!: readonly number[];
  private changes: ReadonlyMap<string, readonly RoomEvent[]> = new Map();

  constructor(
    private readonly feed: Feed,
    private readonly reader: Reader,
    private readonly userId: string,
    private readonly from: OpenFrom,
  ) {}

  async run(): Promise<void> {
    const { feed } = this;
    const { value: start, written } = await feed.openings.read(() => this.read(), bytesOf);
    try {
      await feed.reach(start.seqs.map((seq, partition) => Math.min(seq, this.ends[partition] ?? 0)));
      this.welcome(start);
      await this.replay(start);
    } finally {
      written();
    }
    await this.goLive();
  }

  /** All of the past, when its turn comes. */
  private async read(): Promise<Start> {
    const { feed, reader } = this;
    this.stillThere();
    await feed.enter(this.userId, reader);
    this.snapshot = ofThisLog(await feed.views.roomsOfUser(this.userId), feed.log.epoch);
    // What the views have is in the log.
    this.ends = await feed.lastSequences(this.snapshot.checkpoints);
    this.stillThere();
    return this.start();
  }

  private async replay({ replays }: Start): Promise<void> {
    const untilMs = performance.now() + REPLAY_MS;
    for (const { chunks } of replays) for (const chunk of chunks) await this.writePaced(chunk, untilMs);
  }

  private async start(): Promise<Start> {
    const cursor = this.honoured();
    if (cursor !== undefined) {
      try {
        return { seqs: cursor.seqs, recovered: true, replays: await this.collect(cursor.seqs) };
      } catch (error) {
        if (!(error instanceof TooMuchError)) throw error;
        this.giveUpReplay();
      }
    }
    return { recovered: this.from.since === undefined, ...(await this.collectBounded(this.fromSnapshot())) };
  }

  /** The cursor, where it is one of this log's. */
  private honoured(): Cursor | undefined {
    const cursor = this.from.since === undefined ? undefined : parseCursor(this.from.since);
    if (cursor?.epoch !== this.feed.log.epoch || cursor.seqs.length !== this.ends.length) return undefined;
    return cursor.seqs.every((seq, partition) => seq <= (this.ends[partition] ?? 0)) ? cursor : undefined;
  }

  /** Views that know nothing of this log describe no place in it: then its end is the place. */
  private fromSnapshot(): readonly number[] {
    if (this.from.ends !== undefined) return this.from.ends;
    if (this.snapshot.epoch === undefined) return this.ends;
    return this.ends.map((end, partition) => Math.min(end, this.snapshot.checkpoints[partition] ?? 0));
  }

  /** Views that are too far behind to go on from: then the reader begins at the log's end. */
  private async collectBounded(seqs: readonly number[]): Promise<Omit<Start, 'recovered'>> {
    try {
      return { seqs, replays: await this.collect(seqs) };
    } catch (error) {
      if (!(error instanceof TooMuchError)) throw error;
      this.giveUpReplay();
      return { seqs: this.ends, replays: await this.collect(this.ends) };
    }
  }

  private async collect(seqs: readonly number[]): Promise<RoomReplay[]> {
    const changed = await this.changesSince(seqs);
    this.changes = byRoom(changed.flatMap(membershipEvent));
    const known = new Map(this.snapshot.rooms.map((room) => [room.roomId, room]));
    for (const { roomId, memberSeq } of this.snapshot.rooms) this.feed.learn(this.reader.user, roomId, memberSeq);

    for (const entry of changed) this.feed.offerChange(entry);
    const ids = [...new Set([...known.keys(), ...this.changes.keys()])];
    const budget = replayBudget();
    return this.eachRoom(ids.filter(this.reader.sink.encoding.readsRoom), (roomId) => {
      const after = seqs[this.feed.subjects.partitionOfRoom(roomId)] ?? 0;
      return this.collectRoom(roomId, after, known.get(roomId), budget);
    });
  }

  /** Some rooms at a time. Settles when none is under way any more, so that what failed can be begun again. */
  private async eachRoom(
    rooms: readonly string[],
    collect: (roomId: string) => Promise<RoomReplay>,
  ): Promise<RoomReplay[]> {
    const replays: RoomReplay[] = [];
    const next = rooms.values();
    let failed = false;
    const worker = async (): Promise<void> => {
      for (const roomId of next) {
        if (failed) return;
        this.stillThere();
        replays.push(await collect(roomId));
      }
    };
    const workers = Array.from({ length: ROOMS_AT_ONCE }, () => worker().catch(fail));
    function fail(error: unknown): never {
      failed = true;
      throw error;
    }
    const failure = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
    return replays;
  }

  /** The user's memberships that changed since the cursor, or since the snapshot where that is older. */
  private async changesSince(seqs: readonly number[]): Promise<StoredEntry[]> {
    const { log, subjects } = this.feed;
    const reads = await Promise.all(
      this.ends.map(async (upTo, partition) => {
        const after = Math.min(seqs[partition] ?? 0, this.snapshot.checkpoints[partition] ?? 0);
        if (after >= upTo) return [];
        const range = { after, upTo, max: CHANGES_MAX };
        const read = await log.readSubject(partition, subjects.memberships(partition, this.userId), range);
        if (!read.complete) throw new TooMuchError();
        return read.entries;
      }),
    );
    return reads.flat();
  }

  /**
   * A room's past since the cursor. What live delivery brought may lack the last moments of a stay that has ended, so ended
   * stays come from the log; the one that goes on comes from log and tail, and ends with the reader attached.
   */
  private async collectRoom(
    roomId: string,
    after: number,
    known: UserRoom | undefined,
    budget: ReplayBudget,
  ): Promise<RoomReplay> {
    const { feed, reader } = this;
    const before = await this.wasMember(roomId, after, known);
    const changes = (this.changes.get(roomId) ?? []).filter(({ seq }) => seq > after);
    const last = changes.at(-1);
    const wentOn = last === undefined ? before : isIn(last);
    const open = openStay(changes, before);
    const from = open === undefined ? after : open.seq - 1;
    const current = wentOn && this.isMember(roomId) ? await this.attach(roomId, from, open, known, budget) : undefined;
    const endedUpTo = current === undefined ? Math.max(after, this.endOf(roomId)) : from;
    const { memberCount = 0, participants } = known ?? {};
    const range = { roomId, after, upTo: endedUpTo, members: memberCount, participants };
    const ended = endedUpTo > after ? await feed.reads.between(range, budget) : [];
    // What has changed since is looked at in the end.
    if (current === undefined) reader.noteShown(roomId, { upTo: endedUpTo, isMember: wentOn });
    const now = current?.now ?? (await feed.places.at(roomId, endedUpTo));
    const events = [...ended, ...(current?.events ?? [])];
    const chunks = [...visibleTo(this.userId, ended, before), ...(current?.visible ?? [])]
      .map((event) => replayBytes(reader, event))
      .filter((bytes) => bytes !== undefined);
    budget.takeBytes(chunks.reduce((sum, { length }) => sum + length, 0));
    return { roomId, ...placeBefore(events, now), chunks };
  }

  /** The stay that goes on. Undefined when the user came or went meanwhile: then it is looked at again in the end. */
  private async attach(
    roomId: string,
    after: number,
    open: RoomEvent | undefined,
    known: UserRoom | undefined,
    budget: ReplayBudget,
  ): Promise<{ events: RoomEvent[]; visible: RoomEvent[]; now: Place } | undefined> {
    const { feed, reader, userId } = this;
    const anchor = known === undefined ? undefined : { seq: known.lastSeq, ordinal: known.lastOrdinal };
    const room = await feed.activate(roomId, anchor);
    const finish = (events: RoomEvent[]) => {
      this.stillThere();
      if (!this.isMember(roomId) || hasLeft(events, userId, this.endOf(roomId))) return undefined;
      const joined = open === undefined || events.some(({ seq }) => seq === open.seq) ? events : [open, ...events];
      this.learnComing(roomId);
      reader.user.stayedSince(roomId, open?.seq ?? after);
      feed.attach(room, reader);
      reader.noteShown(roomId, { upTo: Number.POSITIVE_INFINITY, isMember: true });
      const now = { timelineSeq: room.timelineSeq, ordinal: room.ordinal };
      return { events, visible: visibleTo(userId, joined, true), now };
    };
    return feed.reads.upToNow(room, after, finish, budget);
  }

  /** Whether the user was a member at the cursor: as of the snapshot, corrected by what changed since. */
  private async wasMember(roomId: string, after: number, known: UserRoom | undefined): Promise<boolean> {
    const changes = this.changes.get(roomId) ?? [];
    const last = changes.findLast(({ seq }) => seq <= after);
    if (last !== undefined) return isIn(last);
    const [first] = changes;
    const checkpoint = this.snapshot.checkpoints[this.feed.subjects.partitionOfRoom(roomId)] ?? 0;
    if (first === undefined || checkpoint <= after) return known !== undefined;
    if (ENTRANCES.has(first.event?.type ?? '')) return false;
    return wasMemberAt(await this.feed.views.periods(roomId, this.userId), after);
  }

  /** Whether the user is one now, as far as anybody has told. */
  private isMember(roomId: string): boolean {
    const change = this.changes.get(roomId)?.at(-1);
    const known = this.reader.user.memberships.get(roomId);
    return change !== undefined && change.seq > (known?.seq ?? 0) ? isIn(change) : (known?.member ?? false);
  }

  /** A coming that the room has yet to take: what the room is about to show from before it is not for this user. */
  private learnComing(roomId: string): void {
    const change = this.changes.get(roomId)?.at(-1);
    const member = change === undefined ? undefined : memberOf(change);
    if (change === undefined || member === undefined || this.reader.user.isMember(roomId)) return;
    this.feed.onMembership(roomId, change.seq, member, isJoining(change.event));
  }

  private welcome({ seqs, recovered, replays }: Start): void {
    const { feed, reader, userId } = this;
    const places = new Map(replays.map((replay) => [replay.roomId, replay]));
    const rooms = this.snapshot.rooms.flatMap((room): WelcomeRoom[] => {
      const place = places.get(room.roomId);
      return place === undefined ? [] : [welcomeRoomOf(room, place)];
    });
    reader.cursor = formatCursor({ epoch: feed.log.epoch, seqs });
    const { session, cursor } = reader;
    const time = new Date().toISOString();
    reader.send({
      op: 'welcome',
      session,
      user: userId,
      cursor,
      recovered,
      heartbeatMs: LIMITS.heartbeatMs,
      time,
      rooms,
    });
  }

  /** When nothing is behind any more, and in that moment: whatever comes later is live. */
  private async goLive(): Promise<void> {
    const { feed, reader } = this;
    for (let behind = this.behind(); behind.length > 0; behind = this.behind())
      for (const roomId of behind) await feed.following.catchUp(reader, roomId, this.shown(roomId));
    feed.flush();
    reader.goLive();
    feed.giveCursor(reader, 'caught_up');
  }

  /** Rooms that the user came into meanwhile, or came into and left. */
  private behind(): string[] {
    this.stillThere();
    const { feed, reader } = this;
    return [...reader.user.memberships.keys()].filter((roomId) =>
      feed.following.isBehind(reader, roomId, this.shown(roomId).upTo),
    );
  }

  /** A room that was not among those of the snapshot, nor among the changes up to the ends, had nothing to show up to there. */
  private shown(roomId: string): Shown {
    return this.reader.shownOf(roomId) ?? { upTo: this.endOf(roomId), isMember: false };
  }

  private endOf(roomId: string): number {
    return this.ends[this.feed.subjects.partitionOfRoom(roomId)] ?? 0;
  }

  private giveUpReplay(): void {
    this.feed.detach(this.reader);
    this.reader.dropHeld();
  }

  private async writePaced(chunk: Buffer, untilMs: number): Promise<void> {
    this.stillThere();
    this.reader.writeNow(chunk);
    while (this.reader.sink.queuedBytes > REPLAY_QUEUE_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, REPLAY_WAIT_MS));
      if (performance.now() > untilMs) this.reader.close(CLOSE.slowReader, 'slow reader');
      this.stillThere();
    }
  }

  private stillThere(): void {
    if (this.reader.isClosed) throw new GoneError();
  }
}

const bytesOf = ({ replays }: Start): number =>
  replays.flatMap(({ chunks }) => chunks).reduce((sum, { length }) => sum + length, 0);

/** Where the timeline stood before these events; without any, where it stands. */
function placeBefore(events: readonly RoomEvent[], now: Place): Place {
  const first = events.find(({ kind }) => kind === 'timeline');
  if (first === undefined) return now;
  const isMessage = first.event?.type === 'MessageSent';
  return { timelineSeq: first.prev ?? 0, ordinal: first.ordinal - (isMessage ? 1 : 0) };
}

/** Views of another epoch tell nothing of this log: the memberships are read from it, from its beginning. */
const ofThisLog = (snapshot: UserRooms, epoch: string): UserRooms =>
  snapshot.epoch === epoch ? snapshot : { rooms: [], checkpoints: [], epoch: undefined };

function byRoom(events: readonly RoomEvent[]): Map<string, RoomEvent[]> {
  const rooms = new Map<string, RoomEvent[]>();
  for (const event of events) rooms.set(event.roomId, [...(rooms.get(event.roomId) ?? []), event]);
  return rooms;
}

const isIn = (change: RoomEvent): boolean => memberOf(change)?.standing === 'member';

function welcomeRoomOf(room: UserRoom, place: RoomReplay): WelcomeRoom {
  return {
    room: room.roomId,
    kind: room.kind,
    name: room.name,
    role: room.role,
    seq: place.timelineSeq,
    ordinal: place.ordinal,
    ...(room.participants === undefined ? {} : { participants: [...room.participants] }),
  };
}
