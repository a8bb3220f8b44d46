/** A room of its own for each test of the contract suite: the log is shared, the subjects are not. */
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { streamName, Subjects, type ChatEvent, type MemberState } from '#contract';
import { FenceMovedError, type Append, type Appended, type EventLog, type Fence, type StoredEntry } from './log.js';

export const message = (userId: string, content: string, key?: string): ChatEvent => ({
  v: 1,
  type: 'MessageSent',
  actor: userId,
  ...(key === undefined ? {} : { key: { id: key, body: `hash of ${content}` } }),
  data: { content, type: 'text' },
});

const member = (type: 'MemberJoined' | 'MemberLeft', userId: string, standing: MemberState['standing']): ChatEvent => ({
  v: 1,
  type,
  actor: userId,
  data: { member: { userId, standing, role: 'member', muted: false, banned: false } },
});

const roster = (userId: string, members: number, limit: number): ChatEvent => ({
  v: 1,
  type: 'RosterChanged',
  actor: userId,
  data: { roster: { members, limit, moderators: [] } },
});

export class ContractRoom {
  readonly partition: number;
  readonly timeline: string;
  readonly roster: string;
  readonly config: string;
  readonly everything: string;
  readonly members: string;
  readonly #subjects: Subjects;

  constructor(
    partitions: number,
    readonly roomId = `room-${randomBytes(6).toString('hex')}`,
  ) {
    this.#subjects = new Subjects(partitions);
    this.partition = this.#subjects.partitionOfRoom(roomId);
    this.timeline = this.#subjects.timeline(roomId);
    this.roster = this.#subjects.roster(roomId);
    this.config = this.#subjects.config(roomId);
    this.everything = this.#subjects.room(roomId);
    this.members = this.everything.replace('>', 'member.*');
  }

  member(userId: string): string {
    return this.#subjects.member(this.roomId, userId);
  }

  says(userId: string, content: string, fence?: Fence, key?: string): Append {
    return { subject: this.timeline, event: message(userId, content, key), ...(fence ? { fence } : {}) };
  }

  /** What joining appends: the roster, fenced on itself, and the membership. */
  joining(userId: string, rosterSeq: number, members: number, limit = 100): Append[] {
    return [
      { subject: this.roster, event: roster(userId, members, limit), fence: { subject: this.roster, seq: rosterSeq } },
      { subject: this.member(userId), event: member('MemberJoined', userId, 'member') },
    ];
  }

  /** Appends the membership alone and gives back the fence of a send under it. */
  async join(log: EventLog, userId: string): Promise<Fence> {
    const subject = this.member(userId);
    const { seq } = await log.append({ subject, event: member('MemberJoined', userId, 'member') });
    return { subject, seq };
  }

  leave(log: EventLog, userId: string): Promise<Appended> {
    return log.append({ subject: this.member(userId), event: member('MemberLeft', userId, 'left') });
  }
}

/** Takes a seat if there is one, as a command service would: reads the roster, appends under its fence, and again. */
export async function takeSeat(log: EventLog, room: ContractRoom, userId: string, seats: number): Promise<boolean> {
  for (;;) {
    const last = await log.last(room.roster);
    const event = last?.decoded.kind === 'event' ? last.decoded.event : undefined;
    const taken = event?.type === 'RosterChanged' ? event.data.roster.members : 0;
    if (taken >= seats) return false;
    try {
      await log.appendBatch(room.joining(userId, last?.seq ?? 0, taken + 1, seats));
      return true;
    } catch (error) {
      if (!(error instanceof FenceMovedError)) throw error;
    }
  }
}

export const contents = (entries: readonly StoredEntry[]): string[] =>
  entries.map(({ decoded }) =>
    decoded.kind === 'event' && decoded.event.type === 'MessageSent' ? decoded.event.data.content : decoded.kind,
  );

/** Everything that stands on a room's timeline now. */
export async function timelineOf(log: EventLog, room: ContractRoom): Promise<StoredEntry[]> {
  const upTo = await log.lastSequence(room.partition);
  const { entries, complete } = await log.readSubject(room.partition, room.timeline, { after: 0, upTo, max: 100_000 });
  if (!complete) throw new Error('the timeline is longer than this suite makes one');
  return entries;
}

/** Waits for a condition, at most `ms`. */
export async function until(what: string, condition: () => boolean, ms = 20_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/**
 * A live subscription that is known to deliver: in a cluster interest spreads to the other nodes after the subscription
 * was confirmed, so something is appended until it arrives, and then forgotten.
 */
export async function listening(log: EventLog, liveSubject: string, nudge: () => Promise<Appended>) {
  const seen: StoredEntry[] = [];
  const subscription = await log.live(liveSubject, (entry) => seen.push(entry));
  let last = await nudge();
  for (const deadline = Date.now() + 20_000; seen.length === 0 && Date.now() < deadline;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (seen.length === 0) last = await nudge();
  }
  await until('a live subscription delivers', () => seen.at(-1)?.seq === last.seq);
  seen.length = 0;
  return { seen, subscription };
}

/** Erases as the eraser will: a delete that overwrites. */
export async function eraseEntry(connection: NatsConnection, partition: number, seq: number): Promise<void> {
  const subject = `$JS.API.STREAM.MSG.DELETE.${streamName(partition)}`;
  const answer = (await connection.request(subject, JSON.stringify({ seq }))).json<{ success?: boolean }>();
  if (!answer.success) throw new Error(`entry ${seq} was not erased: ${JSON.stringify(answer)}`);
}
