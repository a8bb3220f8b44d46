/** Reads a room's past from the log, as the events that its readers would have had live. */
import { LIMITS, parseLogSubject, type RoomState, type Subjects } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import type { Place, Places } from './places.js';
import type { Budget } from './replay-budget.js';
import { isMessage, roomEvent, type RoomEvent } from './room-event.js';
import type { Room } from './room.js';

/** Of one read: many rooms are read side by side. */
const READ_ENTRIES_MAX = 1_000;
const READ_BYTES_MAX = 1024 * 1024;

/** Of sequences: `after` is exclusive, `upTo` inclusive. */
interface Span {
  readonly after: number;
  readonly upTo: number;
}

interface RoomSpan extends Span {
  readonly roomId: string;
}

interface Range extends RoomSpan {
  /** As far as it is known: of the room as it is now. */
  readonly members: number;
  readonly participants: readonly string[] | undefined;
}

const UNBOUNDED: Budget = { take: () => undefined };

/** A room's past that somebody is reading, up to where its tail begins. */
interface Past {
  readonly after: number;
  readonly events: Promise<RoomEvent[]>;
  /** Others wait for it. */
  isShared: boolean;
}

export class RoomReads {
  /** By room: the last that was begun. */
  private readonly pasts = new Map<Room, Past>();

  constructor(
    private readonly log: EventLog,
    private readonly subjects: Subjects,
    private readonly places: Places,
  ) {}

  /**
   * The room's events after a sequence: from the log where its tail does not reach back, then the tail. `finish` runs in the
   * moment in which nothing is missing, so whoever attaches in it has neither a hole nor a repeat. When a crowd comes at once the log is
   * read for all of them together.
   */
  async upToNow<T>(
    room: Room,
    after: number,
    finish: (events: RoomEvent[]) => T,
    budget: Budget = UNBOUNDED,
  ): Promise<T> {
    const others = room.tail.covers(after) ? undefined : this.pasts.get(room);
    if (others !== undefined && others.after <= after) {
      // It is in the tail then, if it fits in there.
      others.isShared = true;
      await others.events.catch(() => undefined);
    }
    const events: RoomEvent[] = [];
    let at = after;
    while (!room.tail.covers(at)) {
      const upTo = room.tail.from;
      events.push(...(await this.past(room, at, upTo, budget)));
      at = upTo;
    }
    room.flush();
    const recent = room.tail.after(at);
    budget.take(recent.length, 0);
    return finish([...events, ...recent]);
  }

  private async past(room: Room, after: number, upTo: number, budget: Budget): Promise<RoomEvent[]> {
    const { id: roomId, members, participants } = room;
    const events = this.between({ roomId, after, upTo, members, participants }, budget);
    const past: Past = { after, events, isShared: false };
    this.pasts.set(room, past);
    room.tail.widen();
    try {
      const read = await events;
      if (past.isShared) room.tail.extend(after, upTo, read);
      return read;
    } finally {
      if (this.pasts.get(room) === past) this.pasts.delete(room);
    }
  }

  /** A user's own comings and goings in a room. */
  async membershipsOf(roomId: string, userId: string, after: number, upTo: number): Promise<RoomEvent[]> {
    const entries = await this.entries(this.subjects.member(roomId, userId), { roomId, after, upTo });
    return entries.flatMap(membershipEvent);
  }

  /** The events of a range, from the log. */
  async between(range: Range, budget: Budget = UNBOUNDED): Promise<RoomEvent[]> {
    const entries = await this.entries(this.subjects.room(range.roomId), range, budget);
    const hasTimeline = entries.some((entry) => parseLogSubject(entry.subject)?.kind === 'timeline');
    const nowhere = { timelineSeq: 0, ordinal: 0 };
    return placed(entries, hasTimeline ? await this.places.at(range.roomId, range.after) : nowhere, range);
  }

  /** Those of the timeline alone: a crowd that leaves at once does not read each other's leaving. */
  async timelineBetween(range: Range, start: Place): Promise<RoomEvent[]> {
    return placed(await this.entries(this.subjects.timeline(range.roomId), range), start, range);
  }

  private async entries(subject: string, range: RoomSpan, budget: Budget = UNBOUNDED): Promise<StoredEntry[]> {
    const entries: StoredEntry[] = [];
    for await (const page of this.pages(this.subjects.partitionOfRoom(range.roomId), subject, range)) {
      budget.take(page.length, textBytesOf(page));
      entries.push(...page);
    }
    return entries;
  }

  /** All that a subject has in a span, read by read. */
  async *pages(partition: number, subject: string, { after, upTo }: Span): AsyncGenerator<StoredEntry[]> {
    for (let from = after; ;) {
      const range = { after: from, upTo, max: READ_ENTRIES_MAX, maxBytes: READ_BYTES_MAX };
      const { entries, complete } = await this.log.readSubject(partition, subject, range);
      yield entries;
      const last = entries.at(-1);
      if (complete || last === undefined) return;
      from = last.seq;
    }
  }
}

const textBytesOf = (entries: readonly StoredEntry[]): number =>
  entries.reduce((sum, { decoded }) => sum + (textOf(decoded)?.length ?? 0), 0);

const textOf = (decoded: StoredEntry['decoded']): string | undefined =>
  decoded.kind === 'event' && decoded.event.type === 'MessageSent' ? decoded.event.data.content : undefined;

/** A membership's entry without its surroundings. One that cannot be read changes nothing, here as where it comes live. */
export function membershipEvent(entry: StoredEntry): RoomEvent[] {
  const subject = parseLogSubject(entry.subject);
  if (subject?.kind !== 'member' || entry.decoded.kind !== 'event') return [];
  return [roomEvent(entry, subject, { prev: undefined, ordinal: 0, announced: true, participants: undefined })];
}

function placed(entries: readonly StoredEntry[], start: Place, range: Range): RoomEvent[] {
  let { timelineSeq: prev, ordinal } = start;
  let { members, participants } = range;
  const events: RoomEvent[] = [];
  for (const entry of entries) {
    const subject = parseLogSubject(entry.subject);
    if (subject === undefined || !('roomId' in subject)) continue;
    const event = entry.decoded.kind === 'event' ? entry.decoded.event : undefined;
    if (event?.type === 'RosterChanged') members = event.data.roster.members;
    if (event !== undefined && 'room' in event.data) participants = event.data.room.participants;
    const isLarge = members > LIMITS.announcedMembers;
    if (subject.kind === 'timeline') {
      if (isMessage(entry)) ordinal += 1;
      events.push(roomEvent(entry, subject, { prev, ordinal, announced: true, participants }));
      prev = entry.seq;
    } else {
      const announced = subject.kind === 'config' || (subject.kind === 'roster') === isLarge;
      events.push(roomEvent(entry, subject, { prev: undefined, ordinal, announced, participants }));
    }
  }
  return events;
}

/** How many seats are taken, by a room's last roster. */
export function membersOf(entry: StoredEntry | undefined): number {
  const event = entry?.decoded.kind === 'event' ? entry.decoded.event : undefined;
  return event?.type === 'RosterChanged' ? event.data.roster.members : 0;
}

/** The room as its last config has it. */
export function roomOf(entry: StoredEntry | undefined): RoomState | undefined {
  const event = entry?.decoded.kind === 'event' ? entry.decoded.event : undefined;
  return event !== undefined && 'room' in event.data ? event.data.room : undefined;
}
