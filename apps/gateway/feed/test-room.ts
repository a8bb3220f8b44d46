/** A room by itself: a log of which every live copy is in the spec's hands, a host that keeps what it hears, and readers. */
import { LIVE, type MemberState, Subjects } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import type { Encoding } from './encoding.js';
import { LocalUser } from './local-user.js';
import { Reader } from './reader.js';
import type { RoomEvent } from './room-event.js';
import { Room, type RoomHost, type RoomStart } from './room.js';
import { TestReader, TestSink, Writing } from './test-feed.js';
import { Turn } from './turn.js';

const ROOM = 'a';
const PARTITION = 0;

const rooms: Room[] = [];

/** After each test: what tails keep is counted over all rooms of a process. */
export async function closeRooms(): Promise<void> {
  for (const room of rooms.splice(0)) await room.close();
}

interface ReaderOptions {
  readonly sink?: TestSink;
  /** When its user joined. */
  readonly since?: number;
  readonly isLive?: boolean;
}

export class TestRoom implements Omit<RoomHost, 'log'> {
  /** By sequence: what the broker would have passed on, and lost. */
  readonly copies = new Map<number, StoredEntry>();
  readonly stored = new MemoryLog({
    partitions: 1,
    faults: { dropLive: (copy) => this.copies.set(copy.seq, copy).size > 0 },
  });
  readonly writing = new Writing(this.stored);
  readonly subjects = new Subjects(1);
  readonly log: EventLog;
  readonly room: Room;
  readonly turn = new Turn();
  readonly faults: unknown[] = [];
  /** Memberships that were passed on, not shown. */
  readonly passedOn: unknown[] = [];
  markSeq = 0;
  /** What a reader gets in the place of an event, by its sequence. */
  readonly instead = new Map<number, Map<Reader, Buffer | undefined>>();
  /** Happens when the room has an event in hand. */
  onEvent: (event: RoomEvent) => void = () => undefined;

  constructor(seen: (log: MemoryLog) => EventLog = (log) => log) {
    this.log = seen(this.stored);
    this.room = new Room(ROOM, this);
    rooms.push(this.room);
  }

  /** Opens it where the log ends now. */
  async open(start: Partial<RoomStart> = {}): Promise<this> {
    const end = await this.stored.lastSequence(PARTITION);
    await this.openWith(async () => ({ ...AT_THE_START, end, ...start }));
    return this;
  }

  openWith(locate: () => Promise<RoomStart>): Promise<void> {
    return this.room.open(LIVE.room(ROOM), locate);
  }

  /** Stores messages; nobody is passed them. */
  async send(...contents: string[]): Promise<number[]> {
    const seqs: number[] = [];
    for (const content of contents) seqs.push(await this.writing.send(ROOM, 'eve', content));
    return seqs;
  }

  copyOf(seq: number | undefined): StoredEntry {
    const copy = this.copies.get(seq ?? 0);
    if (copy === undefined) throw new Error(`nothing was stored as ${seq}`);
    return copy;
  }

  /** Copies come in, in this order. */
  deliver(...seqs: (number | undefined)[]): void {
    for (const seq of seqs) this.room.receive(this.copyOf(seq));
  }

  /** A reader of the room: live, and a member since ever, where nothing else is said. */
  reader(userId: string, { sink = new TestSink(), since = 0, isLive = true }: ReaderOptions = {}): TestReader {
    const reader = new Reader(userId, sink, 'all');
    reader.user = new LocalUser(userId);
    if (since > 0) reader.user.learn(ROOM, since, true, true);
    if (isLive) reader.goLive();
    this.room.attach(reader);
    return new TestReader(reader, sink);
  }

  /** A reader that reads in an encoding of its own. */
  readerIn(encoding: Encoding): TestReader {
    return this.reader('rob', { sink: new TestSink(encoding) });
  }

  /** Lets the room read what it lacks, and the turn end. */
  async settle(): Promise<void> {
    await this.room.settled();
    this.turn.flush();
  }

  // --- RoomHost

  mark(): number {
    return this.markSeq;
  }

  dirty(room: Room): void {
    this.turn.dirty(room);
  }

  onMember(): void {
    // Who reads what is the feed's.
  }

  onMembership(_roomId: string, seq: number, { userId, standing }: MemberState, joined: boolean): void {
    this.passedOn.push({ seq, userId, standing, joined });
  }

  heldBack(event: RoomEvent): Map<Reader, Buffer | undefined> | undefined {
    this.onEvent(event);
    return this.instead.get(event.seq);
  }

  fault(_room: Room, error: unknown): void {
    this.faults.push(error);
  }
}

export const AT_THE_START: RoomStart = { end: 0, timelineSeq: 0, ordinal: 0, members: 1, participants: undefined };

/** Something that is waited for until the spec lets it happen. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
