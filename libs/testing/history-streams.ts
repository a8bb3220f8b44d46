/**
 * What a client of messages received (gRPC streams, plain sockets), against what the log says it had to. It knows no chain and no
 * sequence: the ids of its messages give their places. Of each connection, a room's messages are a run of its timeline without
 * hole or repeat. Where the run has to begin is said by
 *
 * - the message before it, within one period of membership;
 * - the cursor that the connection came with, where it was recovered;
 * - the times: what was sent after the room was shown had to come.
 */
import { parseCursor, parseMessageId } from '#contract';
import { mayBeUnknown, type Span } from './history-copies.js';
import { Findings, refetchShort } from './history-findings.js';
import type { ClientHistory, ClientStep, Violation, ViolationKind } from './history-records.js';
import { sameMessage } from './history-same.js';
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

type Step<K extends ClientStep['kind']> = Extract<ClientStep, { kind: K }>;

/** One connection: of each room the last message that came, and since when it is shown. */
interface Connection {
  readonly opened: Step<'opened'>;
  /** By partition: everything after this has to come. */
  readonly recoveredFrom: readonly number[] | undefined;
  readonly showsAll: boolean;
  readonly shownAt: Map<string, number>;
  readonly last: Map<string, number>;
}

/** The part of a room that was not recovered. */
interface Owed {
  readonly opened: Step<'opened'>;
  readonly room: RoomTruth;
  readonly after: number;
  upTo: number;
}

export function checkStream(
  truth: Truth,
  client: ClientHistory,
  { sent, copiesLost = [] }: { readonly sent: SentTimes; readonly copiesLost?: readonly Span[] | undefined },
): Violation[] {
  return new StreamCheck(truth, client, sent, copiesLost).run();
}

class StreamCheck {
  readonly #findings: Findings;
  readonly #got = new Map<string, Set<number>>();
  /** What was not recovered, and is to be read again. */
  readonly #owed: Owed[] = [];
  #connection: Connection | undefined;

  constructor(
    private readonly truth: Truth,
    private readonly client: ClientHistory,
    private readonly sent: SentTimes,
    private readonly copiesLost: readonly Span[],
  ) {
    this.#findings = new Findings(client);
  }

  run(): Violation[] {
    for (const step of this.client.steps) this.#step(step);
    if (this.client.complete) {
      if (this.#connection) this.#checkEnd(this.#connection);
      for (const owed of this.#owed) this.#checkOwed(owed);
    }
    return this.#findings.all;
  }

  #step(step: ClientStep): void {
    switch (step.kind) {
      case 'opened':
        return this.#opened(step);
      case 'closed':
        return void (this.#connection = undefined);
      case 'shown':
        return void this.#connection?.shownAt.set(step.room, step.at);
      case 'message':
        return this.#message(step);
      case 'member':
        return this.#member(step);
      case 'refetched':
        return this.#refetched(step);
      case 'frame':
        return this.#violate('no-start', '-', 'a frame at a client of messages', [step]);
    }
  }

  #opened(opened: Step<'opened'>): void {
    const since = opened.since === undefined ? undefined : parseCursor(opened.since)?.seqs;
    this.#connection = {
      opened,
      recoveredFrom: opened.recovered === true ? since : undefined,
      showsAll: opened.since !== undefined || this.client.via === 'plain',
      shownAt: new Map(),
      last: new Map(),
    };
  }

  #message(step: Step<'message'>): void {
    const { room, id, at } = step;
    const connection = this.#connection;
    if (!connection) return this.#violate('no-start', room, `${id} came before the stream was open`, [step]);
    const known = this.truth.rooms.get(room);
    const seq = parseMessageId(id)?.seq ?? 0;
    const entry = known?.places.get(seq);
    if (!known || entry?.message?.id !== id)
      return this.#violate('not-in-log', room, `${id} is not in it`, [step], seq);
    const { message } = entry;
    if (!sameMessage({ id, sender: step.sender, content: step.content, ordinal: message.ordinal }, message))
      this.#violate('differs', room, `${id} is not what the log has`, [step, message], seq);
    const sentAt = this.sent.of(message);
    if (sentAt !== undefined && at < sentAt)
      this.#violate('too-early', room, `received ${seq} before it was sent`, [step, { sentAt }], seq);
    if (!wasMember(known, this.client.user, seq)) {
      if (this.#leavingWasLost(known, seq, at)) return;
      return this.#violate('outside-membership', room, `received ${seq}`, [step, ...this.#periods(known)], seq);
    }
    const last = connection.last.get(room) ?? 0;
    if (seq <= last)
      return this.#violate('repeat', room, `received ${seq} after ${last} on one connection`, [step], seq);
    this.#run(connection, known, last, seq);
    connection.last.set(room, seq);
    this.#gotOf(room).add(seq);
  }

  /** What stands between the last message and this one, and was due. */
  #run(connection: Connection, room: RoomTruth, last: number, upTo: number): void {
    if (last === 0) this.#owe(connection, room, upTo);
    const lacking = this.#firstDue(connection, room, upTo);
    if (!lacking) return;
    const isReplay = last === 0 && connection.recoveredFrom !== undefined;
    const what = `received ${upTo} without ${lacking.seq}`;
    this.#violate(isReplay ? 'not-recovered' : 'hole', room.room, what, [lacking], lacking.seq);
  }

  /** The first entry before `upTo` that was due on this connection after what it has of the room. */
  #firstDue(connection: Connection, room: RoomTruth, upTo: number): TimelineEntry | undefined {
    const { user } = this.client;
    const last = connection.last.get(room.room) ?? 0;
    const lastPeriod = last === 0 ? undefined : periodAt(room, user, last);
    const from = connection.recoveredFrom?.[room.partition];
    for (let i = timelineAfter(room, Math.max(last, from ?? 0)); i < room.timeline.length; i += 1) {
      const entry = room.timeline[i];
      if (!entry || entry.seq >= upTo) return undefined;
      const period = periodAt(room, user, entry.seq);
      if (!entry.message || !period || (this.client.via === 'plain' && entry.actor === user)) continue;
      if (from !== undefined || period === lastPeriod || this.#wasShown(connection, entry, period.fromAt)) return entry;
    }
    return undefined;
  }

  /** It was sent when the room was already being shown, in the same period of membership; the broker's clock is taken for the recorder's. */
  #wasShown(connection: Connection, { room, message }: TimelineEntry, periodFrom: number): boolean {
    const since = connection.showsAll ? connection.opened.at : connection.shownAt.get(room);
    const sentAt = message && this.sent.of(message);
    if (since === undefined || sentAt === undefined || sentAt <= since) return false;
    return connection.showsAll || since >= periodFrom;
  }

  #owe({ opened }: Connection, room: RoomTruth, upTo: number): void {
    if (opened.recovered !== false || opened.since === undefined) return;
    const after = parseCursor(opened.since)?.seqs[room.partition] ?? 0;
    this.#owed.push({ opened, room, after, upTo });
  }

  #checkOwed({ opened, room, after, upTo }: Owed): void {
    const got = this.#gotOf(room.room);
    const lacking = room.timeline.find(
      ({ seq }) => after < seq && seq < upTo && !got.has(seq) && wasMember(room, this.client.user, seq),
    );
    if (!lacking) return;
    const what = `was told that ${lacking.seq} was not recovered, and never read it again`;
    this.#violate('not-refetched', room.room, what, [opened, lacking], lacking.seq);
  }

  #checkEnd(connection: Connection): void {
    for (const room of this.truth.roomsOf.get(this.client.user) ?? []) {
      if (this.client.via === 'plain' && room.config?.state.kind !== 'channel') continue;
      const lacking = this.#firstDue(connection, room, Infinity);
      if (!lacking) continue;
      const isReplay = connection.recoveredFrom !== undefined && !connection.last.has(room.room);
      const what = `never received ${lacking.seq}`;
      this.#violate(isReplay ? 'not-recovered' : 'missing', room.room, what, [lacking], lacking.seq);
    }
  }

  /** Somebody's coming or going: it is in the log, and some such event was for this user to see. */
  #member(step: Step<'member'>): void {
    const { room, user, what } = step;
    const known = this.truth.rooms.get(room);
    const events = [...(known?.states.values() ?? [])].filter(({ event }) => {
      const member = 'member' in event.data ? event.data.member : undefined;
      return member?.userId === user && (member.standing === 'member') === (what === 'joined');
    });
    if (events.length === 0) return this.#violate('not-in-log', room, `${user} never ${what}`, [step]);
    if (events.some(({ seq }) => touchesMembership(known, this.client.user, seq))) return;
    if (known && events.some(({ seq }) => this.#leavingWasLost(known, seq, step.at))) return;
    this.#violate('outside-membership', room, `was told that ${user} ${what}`, [step, ...this.#periods(known)]);
  }

  /**
   * The copy of the user's leaving was lost, so the room goes on for them until a notice tells of it. A client of messages is told of
   * neither: only the times of what was broken can say that it was too long. What was opened since then knows better.
   */
  #leavingWasLost(room: RoomTruth, seq: number, at: number): boolean {
    const ended = room.periods.get(this.client.user)?.findLast(({ to }) => to < seq);
    if (!ended || !this.#connection) return false;
    return this.#connection.opened.at < ended.toAt && mayBeUnknown(this.copiesLost, ended.toAt, at);
  }

  #refetched(step: Step<'refetched'>): void {
    const { room, messages } = step;
    const known = this.truth.rooms.get(room);
    if (messages === 'refused') return this.#excuse(room);
    for (const message of messages) {
      const logged = known?.places.get(message.seq)?.message;
      if (!logged || !sameMessage(message, logged))
        this.#violate('differs', room, `read ${message.seq}, which is not what the log has`, [message, logged]);
      this.#gotOf(room).add(message.seq);
    }
    const lacking = known && refetchShort(step, known);
    if (!lacking) return;
    const what = `read at ${step.position} and without ${lacking.seq}`;
    this.#violate('refetch-short', room, what, [lacking], lacking.seq);
  }

  /** A room that was left meanwhile cannot be read again. */
  #excuse(room: string): void {
    for (const owed of this.#owed) if (owed.room.room === room) owed.upTo = 0;
  }

  #gotOf(room: string): Set<number> {
    const got = this.#got.get(room) ?? new Set();
    this.#got.set(room, got);
    return got;
  }

  #periods(room: RoomTruth | undefined): unknown[] {
    return [{ periods: room?.periods.get(this.client.user) ?? [] }];
  }

  #violate(kind: ViolationKind, room: string, what: string, evidence: readonly unknown[], seq?: number): void {
    this.#findings.add({ kind, room, what, evidence, seq });
  }
}
