/** The live side of the history checker: what each client received, against what the log says it had to receive. */
import { LIMITS, parseCursor, TIMELINE_FRAME_TYPES, type ServerFrameOf } from '#contract';
import type { ClientHistory, ClientStep, Fetched, Violation, ViolationKind } from './history-records.js';
import {
  periodAt,
  wasMember,
  type LoggedMessage,
  type RoomTruth,
  type TimelineEntry,
  type Truth,
} from './history-log.js';

type Event = ServerFrameOf<'event'>;
type Skip = ServerFrameOf<'skip'>;
type Welcome = ServerFrameOf<'welcome'>;

const ON_TIMELINE: ReadonlySet<string> = new Set(TIMELINE_FRAME_TYPES);

/** What a client has of one room. */
interface Feed {
  /** The last timeline entry taken, or where the room's history was said to be. */
  last: number;
  /** The last one received on the present connection. */
  lastOfConnection: number;
  readonly got: Set<number>;
  /** Of members, config and roster. */
  readonly states: Set<number>;
  /** The user's own leaving, as far as the client was told. */
  left: number;
  /** How far into the timeline the entries that are due have been looked at, for cursors. */
  due: number;
}

export function checkFeed(truth: Truth, client: ClientHistory, copiesWereLost = false): Violation[] {
  return new FeedCheck(truth, client, copiesWereLost).run();
}

class FeedCheck {
  readonly #violations = new Map<string, Violation>();
  readonly #feeds = new Map<string, Feed>();
  readonly #byPlace = new Map<string, Map<number, TimelineEntry>>();
  /** By partition: what lies up to here is history, which the feed does not bring. */
  #start: readonly number[] | undefined;
  /** The same for state, which is asked for anew where a resume was not recovered. */
  #stateStart: readonly number[] = [];
  /** By partition: what the client's newest cursor covers. */
  #covered: readonly number[] = [];

  constructor(
    private readonly truth: Truth,
    private readonly client: ClientHistory,
    private readonly copiesWereLost: boolean,
  ) {
    for (const { room, timeline } of truth.rooms.values())
      this.#byPlace.set(room, new Map(timeline.map((entry) => [entry.seq, entry])));
  }

  run(): Violation[] {
    for (const step of this.client.steps) this.#step(step);
    if (this.client.complete)
      for (const room of this.truth.rooms.values()) {
        this.#checkComplete(room);
        this.#checkMembers(room);
      }
    return [...this.#violations.values()];
  }

  #step(step: ClientStep): void {
    if (step.kind === 'refetched') return this.#refetched(step.room, step.messages);
    if (step.kind !== 'frame') return;
    const { frame } = step;
    if (frame.op === 'welcome') return this.#welcome(frame);
    if (frame.op === 'event' || frame.op === 'skip') {
      if (!this.#start) return this.#violate('no-start', frame.room, 'came before the welcome', [frame]);
      if (frame.op === 'skip' || ON_TIMELINE.has(frame.type)) this.#timelineFrame(frame);
      else this.#stateFrame(frame);
    }
    if (frame.op === 'cursor' || frame.op === 'caught_up' || frame.op === 'pong') this.#cursor(frame);
  }

  #welcome(frame: Welcome): void {
    const cursor = parseCursor(frame.cursor);
    if (!cursor) return this.#violate('no-start', '-', 'the welcome has no cursor', [frame]);
    for (const feed of this.#feeds.values()) feed.lastOfConnection = 0;
    if (!frame.recovered || !this.#start) this.#startAnew(frame, cursor.seqs);
    this.#cursor(frame);
  }

  /** The chain goes on from what the welcome says; what lies between is the refetch's business, and judged at the end. */
  #startAnew(frame: Welcome, seqs: readonly number[]): void {
    this.#start ??= seqs;
    this.#stateStart = seqs;
    for (const { room, seq } of frame.rooms) {
      const { partition = 0, timeline = [] } = this.truth.rooms.get(room) ?? {};
      const covered = seqs[partition] ?? 0;
      const right = timeline.findLast((entry) => entry.seq <= covered)?.seq ?? 0;
      if (seq !== right)
        this.#violate('no-start', room, `starts at ${seq}, its cursor covers ${right}`, [{ room, seq }, frame.cursor]);
    }
    const listed = new Set(frame.rooms.map(({ room }) => room));
    for (const room of this.truth.rooms.values()) {
      const feed = this.#feed(room.room);
      // A room that was left meanwhile can neither be followed nor read again.
      if (!listed.has(room.room) && !wasMember(room, this.client.user, (seqs[room.partition] ?? 0) + 0.5))
        this.#excuse(room, seqs[room.partition] ?? 0);
      feed.last = Math.max(feed.last, seqs[room.partition] ?? 0);
      const next = room.timeline.findIndex((entry) => entry.seq > (seqs[room.partition] ?? 0));
      feed.due = next < 0 ? room.timeline.length : next;
    }
  }

  #timelineFrame(frame: Event | Skip): void {
    const { room, seq } = frame;
    const feed = this.#feed(room);
    const entry = this.#byPlace.get(room)?.get(seq);
    if (!entry) return this.#violate('not-in-log', room, `${seq} is not on its timeline`, [frame]);
    if (!wasMember(this.truth.rooms.get(room), this.client.user, seq)) {
      if (this.#leavingWasLost(room, seq)) return;
      return this.#violate('outside-membership', room, `received ${seq}`, [frame, ...this.#periods(room)]);
    }
    this.#compare(frame, entry);
    if (seq <= feed.lastOfConnection)
      return this.#violate('repeat', room, `received ${seq} after ${feed.lastOfConnection} on one connection`, [frame]);
    feed.lastOfConnection = seq;
    if (seq <= feed.last) return;
    const joined = periodAt(this.truth.rooms.get(room), this.client.user, seq)?.from ?? 0;
    const has = Math.max(feed.last, joined);
    if (entry.prev > has) this.#violate('hole', room, `received ${seq} while it had up to ${has}`, [frame, entry]);
    feed.last = seq;
    feed.got.add(seq);
  }

  #compare(frame: Event | Skip, entry: TimelineEntry): void {
    const { room, seq } = frame;
    if (frame.prev !== entry.prev)
      this.#violate('differs', room, `${seq} names ${frame.prev} before it, the log ${entry.prev}`, [frame, entry]);
    if (frame.op === 'skip') {
      if (entry.actor === this.client.user) return;
      return this.#violate('skipped-foreign', room, `${seq} is ${entry.actor}'s`, [frame, entry]);
    }
    if (!entry.message) return;
    const { actor, data } = frame;
    const seen = { id: data['id'], sender: data['sender'], content: data['content'], ordinal: data['ordinal'] };
    if (actor === entry.actor && sameMessage(seen, entry.message)) return;
    this.#violate('differs', room, `${seq} is not what the log has`, [frame, entry.message]);
  }

  /** Members, config and status: whoever is no member hears of nothing but their own acts and their own leaving. */
  #stateFrame(frame: Event): void {
    const room = this.truth.rooms.get(frame.room);
    const { user } = this.client;
    this.#feed(frame.room).states.add(frame.seq);
    const allowed = room?.periods.get(user)?.some(({ from, to }) => from <= frame.seq && frame.seq <= to);
    const own = frame.actor === user || frame.data['user'] === user || frame.data['userId'] === user;
    if (frame.data['userId'] === user && frame.type === 'member.left') this.#feed(frame.room).left = frame.seq;
    if (!allowed && !own && !this.#leavingWasLost(frame.room, frame.seq))
      this.#violate('outside-membership', frame.room, `received ${frame.type} ${frame.seq}`, [
        frame,
        ...this.#periods(frame.room),
      ]);
  }

  #leavingWasLost(room: string, seq: number): boolean {
    const truth = this.truth.rooms.get(room);
    const ended = truth?.periods.get(this.client.user)?.findLast(({ to }) => to < seq);
    if (!this.copiesWereLost || !truth || !ended) return false;
    return this.#feed(room).left < ended.to && (this.#covered[truth.partition] ?? 0) < ended.to;
  }

  #cursor(frame: { readonly op: string; readonly cursor: string }): void {
    const cursor = parseCursor(frame.cursor);
    if (!cursor) return this.#violate('no-start', '-', `${frame.op} has no cursor`, [frame]);
    this.#covered = cursor.seqs;
    for (const room of this.truth.rooms.values()) {
      const feed = this.#feed(room.room);
      const covered = cursor.seqs[room.partition] ?? 0;
      for (let entry = room.timeline[feed.due]; entry && entry.seq <= covered; entry = room.timeline[++feed.due]) {
        if (feed.got.has(entry.seq) || !wasMember(room, this.client.user, entry.seq)) continue;
        this.#violate('cursor-ahead', room.room, `${frame.op} covers ${entry.seq}, which had not come`, [frame, entry]);
      }
    }
  }

  #refetched(room: string, messages: readonly Fetched[] | 'refused'): void {
    const { got, last } = this.#feed(room);
    const truth = this.truth.rooms.get(room);
    if (messages === 'refused') return truth && this.#excuse(truth, last);
    for (const message of messages) {
      const entry = this.#byPlace.get(room)?.get(message.seq);
      if (!entry?.message || !sameMessage(message, entry.message))
        this.#violate('differs', room, `refetched ${message.seq} is not what the log has`, [message, entry?.message]);
      got.add(message.seq);
    }
  }

  #excuse(room: RoomTruth, upTo: number): void {
    const { got } = this.#feed(room.room);
    for (const { seq } of room.timeline) if (seq <= upTo) got.add(seq);
  }

  #checkComplete(room: RoomTruth): void {
    const start = this.#start?.[room.partition] ?? 0;
    const { got } = this.#feed(room.room);
    const due = room.timeline.filter(({ seq }) => seq > start && wasMember(room, this.client.user, seq));
    const missing = due.filter(({ seq }) => !got.has(seq));
    const [first] = missing;
    if (first)
      this.#violate('missing', room.room, `never received ${missing.length} of ${due.length}, first ${first.seq}`, [
        first,
      ]);
  }

  /** Of state the last word counts: whoever is in the room at the end has had it about everybody, unless the room is too large to tell. */
  #checkMembers(room: RoomTruth): void {
    const own = room.periods.get(this.client.user)?.at(-1);
    if (!own || own.to !== Infinity || room.members.size > LIMITS.announcedMembers) return;
    const since = Math.max(own.from - 1, this.#stateStart[room.partition] ?? 0);
    const { states } = this.#feed(room.room);
    for (const [user, seq] of room.changedAt)
      if (seq > since && !states.has(seq))
        this.#violate('state-missing', room.room, `never heard of ${user}'s membership as of ${seq}`, [{ user, seq }]);
  }

  #feed(room: string): Feed {
    const feed = this.#feeds.get(room) ?? {
      last: 0,
      lastOfConnection: 0,
      got: new Set(),
      states: new Set(),
      left: 0,
      due: 0,
    };
    this.#feeds.set(room, feed);
    return feed;
  }

  #periods(room: string): unknown[] {
    return [{ periods: this.truth.rooms.get(room)?.periods.get(this.client.user) ?? [] }];
  }

  /** The first of its kind in a room tells enough. */
  #violate(kind: ViolationKind, room: string, what: string, evidence: readonly unknown[]): void {
    const name = `${kind} ${room}`;
    if (this.#violations.has(name)) return;
    const { client, user } = this.client;
    this.#violations.set(name, {
      kind,
      where: { client, user, room },
      what: `${this.client.client} (${this.client.user}) in ${room}: ${what}`,
      evidence,
    });
  }
}

/** Compared as it came, so that a frame of another shape is seen as one. */
export function sameMessage(
  seen: { readonly id: unknown; readonly sender: unknown; readonly content: unknown; readonly ordinal: unknown },
  logged: LoggedMessage,
): boolean {
  return (
    seen.id === logged.id &&
    seen.sender === logged.sender &&
    seen.content === logged.content &&
    seen.ordinal === logged.ordinal
  );
}
