/** What a client of frames received (`parley.v1`, over sockets or server-sent events), against what the log says it had to. */
import { LIMITS, parseCursor, TIMELINE_FRAME_TYPES, type ServerFrame, type ServerFrameOf } from '#contract';
import { copyMayBeLost, type Span } from './history-copies.js';
import { Findings, refetchShort } from './history-findings.js';
import type { ClientHistory, ClientStep, Violation, ViolationKind } from './history-records.js';
import { sameMessage, sameState } from './history-same.js';
import type { SentTimes } from './history-sends.js';
import {
  periodAt,
  timelineAfter,
  touchesMembership,
  wasMember,
  type RoomTruth,
  type TimelineEntry,
  type Truth,
} from './history-truth.js';

type Event = ServerFrameOf<'event'>;
type Skip = ServerFrameOf<'skip'>;
type Welcome = ServerFrameOf<'welcome'>;
type Refetched = Extract<ClientStep, { kind: 'refetched' }>;

const ON_TIMELINE: ReadonlySet<string> = new Set(TIMELINE_FRAME_TYPES);

/** What a client has of one room. */
interface Feed {
  /** The last timeline entry taken, or where the room's history was said to be. */
  last: number;
  /** The last one received on the present connection. */
  lastOfConnection: number;
  readonly got: Set<number>;
  /** Up to here nothing is asked for: the room was left while nobody could tell. */
  excusedUpTo: number;
  /** Of members, config and roster. */
  readonly states: Set<number>;
  /** The same, of the present connection. */
  readonly statesOfConnection: Set<number>;
  /** What was not recovered, and is to be read again: of each time, up to where. */
  readonly owed: { readonly after: number; readonly upTo: number; readonly welcome: Welcome }[];
  /** The user's own leaving, as far as the client was told. */
  left: number;
  /** How far into the timeline the entries that are due have been looked at, for cursors. */
  due: number;
}

export function checkFeed(
  truth: Truth,
  client: ClientHistory,
  { sent, copiesLost = [] }: { readonly sent: SentTimes; readonly copiesLost?: readonly Span[] | undefined },
): Violation[] {
  return new FeedCheck(truth, client, sent, copiesLost).run();
}

class FeedCheck {
  readonly #findings: Findings;
  readonly #feeds = new Map<string, Feed>();
  /** Rooms that the user ever was in. */
  readonly #rooms: readonly RoomTruth[];
  /** By partition: what lies up to here is history, which the feed does not bring. */
  #start: readonly number[] | undefined;
  /** The same for state, which is asked for anew where a resume was not recovered. */
  #stateStart: readonly number[] = [];
  /** By partition: what the client's newest cursor covers. */
  #covered: readonly number[] = [];
  /** Whoever came with a cursor was told `recovered: true`. */
  #recovered = false;
  /** Between such a `welcome` and its `caught_up`. */
  #recovering = false;

  constructor(
    private readonly truth: Truth,
    private readonly client: ClientHistory,
    private readonly sent: SentTimes,
    private readonly copiesLost: readonly Span[],
  ) {
    this.#findings = new Findings(client);
    this.#rooms = truth.roomsOf.get(client.user) ?? [];
  }

  run(): Violation[] {
    for (const step of this.client.steps) {
      if (step.kind === 'refetched') this.#refetched(step);
      else if (step.kind === 'frame') this.#frame(step.frame, step.at);
    }
    if (this.client.complete && this.#start)
      for (const room of this.#rooms) {
        this.#checkComplete(room);
        this.#checkStates(room);
      }
    return this.#findings.all;
  }

  #frame(frame: ServerFrame, at: number): void {
    if (frame.op === 'welcome') return this.#welcome(frame);
    if (frame.op === 'event' || frame.op === 'skip') {
      if (!this.#start) return this.#violate('no-start', frame.room, 'came before the welcome', [frame]);
      if (frame.op === 'skip' || ON_TIMELINE.has(frame.type)) return this.#timelineFrame(frame, at);
      return this.#stateFrame(frame);
    }
    if (frame.op === 'cursor' || frame.op === 'caught_up' || frame.op === 'pong') return this.#cursor(frame);
    if ((frame.op === 'typing' || frame.op === 'marked') && !this.#everIn(frame.room))
      this.#violate('outside-membership', frame.room, `received ${frame.op}`, [frame]);
  }

  #welcome(frame: Welcome): void {
    const cursor = parseCursor(frame.cursor);
    if (!cursor) return this.#violate('no-start', '-', 'the welcome has no cursor', [frame]);
    for (const feed of this.#feeds.values()) {
      feed.lastOfConnection = 0;
      feed.statesOfConnection.clear();
    }
    for (const { room } of frame.rooms)
      if (!this.#everIn(room)) this.#violate('outside-membership', room, 'was told of it in a welcome', [frame]);
    const isFirst = !this.#start;
    this.#recovered = frame.recovered && !isFirst;
    this.#recovering = this.#recovered;
    if (!this.#recovered) this.#startAnew(frame, cursor.seqs, isFirst);
    this.#cursor(frame);
  }

  /** The chain goes on from what the welcome says; what lies between is the refetch's business, and judged at the end. */
  #startAnew(frame: Welcome, seqs: readonly number[], isFirst: boolean): void {
    this.#start ??= seqs;
    this.#stateStart = seqs;
    for (const { room, seq } of frame.rooms) {
      const known = this.truth.rooms.get(room);
      const covered = seqs[known?.partition ?? 0] ?? 0;
      const right = known?.timeline[timelineAfter(known, covered) - 1]?.seq ?? 0;
      if (seq !== right)
        this.#violate('no-start', room, `starts at ${seq}, its cursor covers ${right}`, [{ room, seq }, frame.cursor]);
    }
    const listed = new Set(frame.rooms.map(({ room }) => room));
    for (const room of this.#rooms) {
      const feed = this.#feed(room.room);
      const covered = seqs[room.partition] ?? 0;
      // A room that was left meanwhile can neither be followed nor read again.
      if (!listed.has(room.room) && !wasMember(room, this.client.user, covered + 0.5)) this.#excuse(feed, covered);
      else if (!isFirst && covered > feed.last) feed.owed.push({ after: feed.last, upTo: covered, welcome: frame });
      feed.last = Math.max(feed.last, covered);
      feed.due = timelineAfter(room, covered);
    }
  }

  #timelineFrame(frame: Event | Skip, at: number): void {
    const { room, seq } = frame;
    const feed = this.#feed(room);
    const truth = this.truth.rooms.get(room);
    const entry = truth?.places.get(seq);
    if (!entry) return this.#violate('not-in-log', room, `${seq} is not on its timeline`, [frame], seq);
    if (!wasMember(truth, this.client.user, seq)) {
      if (this.#leavingWasLost(room, seq)) return;
      return this.#violate('outside-membership', room, `received ${seq}`, [frame, ...this.#periods(room)], seq);
    }
    this.#compare(frame, entry, at);
    if (seq <= feed.lastOfConnection) {
      const what = `received ${seq} after ${feed.lastOfConnection} on one connection`;
      return this.#violate('repeat', room, what, [frame], seq);
    }
    // What the first frame after a recovery does not follow on was not recovered.
    const lacking = this.#recovered && feed.lastOfConnection === 0 ? 'not-recovered' : 'hole';
    feed.lastOfConnection = seq;
    if (seq <= feed.last) return;
    const has = Math.max(feed.last, periodAt(truth, this.client.user, seq)?.from ?? 0);
    if (entry.prev > has)
      this.#violate(lacking, room, `received ${seq} while it had up to ${has}`, [frame, entry], seq);
    feed.last = seq;
    feed.got.add(seq);
  }

  #compare(frame: Event | Skip, entry: TimelineEntry, at: number): void {
    const { room, seq } = frame;
    const sentAt = entry.message && this.sent.of(entry.message);
    if (sentAt !== undefined && at < sentAt)
      this.#violate('too-early', room, `received ${seq} before it was sent`, [frame, { at, sentAt }], seq);
    if (frame.prev !== entry.prev) {
      const what = `${seq} names ${frame.prev} before it, the log ${entry.prev}`;
      this.#violate('differs', room, what, [frame, entry], seq);
    }
    if (frame.op === 'skip') {
      if (entry.actor === this.client.user) return;
      return this.#violate('skipped-foreign', room, `${seq} is ${entry.actor}'s`, [frame, entry], seq);
    }
    if (!entry.message) return;
    const { actor, data } = frame;
    const isSame = actor === entry.actor && sameMessage(data, entry.message, frame.at);
    if (!isSame) this.#violate('differs', room, `${seq} is not what the log has`, [frame, entry.message], seq);
  }

  /** Members, config and status: whoever is no member hears of nothing but their own acts and their own leaving. */
  #stateFrame(frame: Event): void {
    const { room, seq } = frame;
    const { user } = this.client;
    const truth = this.truth.rooms.get(room);
    const feed = this.#feed(room);
    const entry = truth?.states.get(seq);
    if (!entry) return this.#violate('not-in-log', room, `${frame.type} ${seq} is not in it`, [frame], seq);
    if (!sameState(frame, entry))
      this.#violate('differs', room, `${frame.type} ${seq} is not what the log has`, [frame, entry], seq);
    if (feed.statesOfConnection.has(seq))
      this.#violate('repeat', room, `received ${frame.type} ${seq} twice on one connection`, [frame], seq);
    feed.states.add(seq);
    feed.statesOfConnection.add(seq);
    if (frame.data['userId'] === user && frame.type === 'member.left') feed.left = seq;
    const own = frame.actor === user || frame.data['userId'] === user;
    if (own || touchesMembership(truth, user, seq) || this.#leavingWasLost(room, seq)) return;
    this.#violate('outside-membership', room, `received ${frame.type} ${seq}`, [frame, ...this.#periods(room)], seq);
  }

  #leavingWasLost(room: string, seq: number): boolean {
    const truth = this.truth.rooms.get(room);
    const ended = truth?.periods.get(this.client.user)?.findLast(({ to }) => to < seq);
    if (!truth || !ended || !copyMayBeLost(this.copiesLost, ended.toAt)) return false;
    return this.#feed(room).left < ended.to && (this.#covered[truth.partition] ?? 0) < ended.to;
  }

  #cursor(frame: { readonly op: string; readonly cursor: string }): void {
    const cursor = parseCursor(frame.cursor);
    if (!cursor) return this.#violate('no-start', '-', `${frame.op} has no cursor`, [frame]);
    this.#covered = cursor.seqs;
    const replayed = frame.op === 'caught_up' && this.#recovering;
    if (frame.op === 'caught_up') this.#recovering = false;
    for (const room of this.#rooms) {
      const feed = this.#feed(room.room);
      const covered = cursor.seqs[room.partition] ?? 0;
      for (let entry = room.timeline[feed.due]; entry && entry.seq <= covered; entry = room.timeline[++feed.due]) {
        if (feed.got.has(entry.seq) || !wasMember(room, this.client.user, entry.seq)) continue;
        const what = `${frame.op} covers ${entry.seq}, which had not come`;
        this.#violate(replayed ? 'not-recovered' : 'cursor-ahead', room.room, what, [frame, entry], entry.seq);
      }
    }
  }

  #refetched(step: Refetched): void {
    const { room, messages } = step;
    const feed = this.#feed(room);
    const truth = this.truth.rooms.get(room);
    if (messages === 'refused') return this.#excuse(feed, feed.last);
    if (!this.#everIn(room)) this.#violate('outside-membership', room, 'was answered its history', [step]);
    for (const message of messages) {
      const entry = truth?.places.get(message.seq);
      if (!entry?.message || !sameMessage(message, entry.message)) {
        const what = `refetched ${message.seq} is not what the log has`;
        this.#violate('differs', room, what, [message, entry?.message], message.seq);
      }
      feed.got.add(message.seq);
    }
    const lacking = truth && refetchShort(step, truth);
    if (!lacking) return;
    const what = `read at ${step.position} and without ${lacking.seq}`;
    this.#violate('refetch-short', room, what, [lacking], lacking.seq);
  }

  #excuse(feed: Feed, upTo: number): void {
    feed.excusedUpTo = Math.max(feed.excusedUpTo, upTo);
  }

  #checkComplete(room: RoomTruth): void {
    const start = this.#start?.[room.partition] ?? 0;
    const { got, excusedUpTo, owed } = this.#feed(room.room);
    const from = timelineAfter(room, Math.max(start, excusedUpTo));
    const missing = room.timeline
      .slice(from)
      .filter(({ seq }) => !got.has(seq) && wasMember(room, this.client.user, seq));
    const owing = ({ seq }: TimelineEntry) => owed.find(({ after, upTo }) => after < seq && seq <= upTo);
    const [first, unread] = [missing.find((entry) => !owing(entry)), missing.find(owing)];
    if (first) {
      const what = `never received ${missing.length} of its timeline, first ${first.seq}`;
      this.#violate('missing', room.room, what, [first], first.seq);
    }
    if (unread) {
      const what = `was told that ${unread.seq} was not recovered, and never read it again`;
      this.#violate('not-refetched', room.room, what, [owing(unread)?.welcome, unread], unread.seq);
    }
  }

  /** Of state the last word counts: whoever is in the room at the end has had it about everybody, unless the room is too large to tell. */
  #checkStates(room: RoomTruth): void {
    const own = room.periods.get(this.client.user)?.at(-1);
    if (!own || own.to !== Infinity) return;
    const since = Math.max(own.from - 1, this.#stateStart[room.partition] ?? 0);
    const { states } = this.#feed(room.room);
    const lacks = (seq: number): boolean => seq > since && !states.has(seq);
    if (room.config && lacks(room.config.seq)) {
      const what = `never heard of what the room is as of ${room.config.seq}`;
      this.#violate('state-missing', room.room, what, [room.config], room.config.seq);
    }
    if (room.members.size > LIMITS.announcedMembers) return;
    for (const [user, seq] of room.changedAt)
      if (lacks(seq)) {
        const what = `never heard of ${user}'s membership as of ${seq}`;
        this.#violate('state-missing', room.room, what, [{ user, seq }], seq);
      }
  }

  #feed(room: string): Feed {
    let feed = this.#feeds.get(room);
    if (feed) return feed;
    const [got, states, statesOfConnection] = [new Set<number>(), new Set<number>(), new Set<number>()];
    feed = { last: 0, lastOfConnection: 0, got, excusedUpTo: 0, states, statesOfConnection, owed: [], left: 0, due: 0 };
    this.#feeds.set(room, feed);
    return feed;
  }

  #everIn(room: string): boolean {
    return (this.truth.rooms.get(room)?.periods.get(this.client.user) ?? []).length > 0;
  }

  #periods(room: string): unknown[] {
    return [{ periods: this.truth.rooms.get(room)?.periods.get(this.client.user) ?? [] }];
  }

  #violate(kind: ViolationKind, room: string, what: string, evidence: readonly unknown[], seq?: number): void {
    this.#findings.add({ kind, room, what, evidence, seq });
  }
}
