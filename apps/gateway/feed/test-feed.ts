/** A feed on the memory twin: a log to write to, views that may lag, readers that keep what they are sent. */
import {
  channelParticipants,
  channelRoomId,
  type ChatEvent,
  commandKeyId,
  type EchoMode,
  EVENT_VERSION,
  type MemberRole,
  type MemberState,
  parseLogSubject,
  type RoomState,
  type ServerFrame,
  Subjects,
} from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { type MemoryFaults, MemoryLog } from '#event-log/memory';
import type { Encoding, FeedSink } from './encoding.js';
import { eventFrame, skipFrame } from './event-frames.js';
import { Feed } from './feed.js';
import { openReader, type OpenFrom } from './opening.js';
import { Reader } from './reader.js';
import type { FeedViews, UserRoom } from './views.js';

const line = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);

/** Frames as lines of JSON: the feed knows no more of sockets than this. */
export const LINES: Encoding = {
  slot: 7,
  replaysOwn: true,
  readsRoom: () => true,
  event: (event) => {
    const frame = eventFrame(event);
    return frame === undefined ? undefined : line(frame);
  },
  skip: (event, key) => line(skipFrame(event, key)),
  frame: line,
};

export class TestSink implements FeedSink {
  readonly frames: ServerFrame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  writes = 0;
  queuedBytes = 0;

  constructor(
    readonly encoding: Encoding = LINES,
    private readonly onFrame: (frame: ServerFrame) => void = () => undefined,
  ) {}

  write(bytes: Buffer): void {
    this.writes += 1;
    for (const text of bytes.toString().split('\n').filter(Boolean)) {
      const frame = JSON.parse(text) as ServerFrame;
      this.frames.push(frame);
      this.onFrame(frame);
    }
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }
}

export class TestReader {
  constructor(
    readonly reader: Reader,
    readonly sink: TestSink,
  ) {}

  get frames(): ServerFrame[] {
    return this.sink.frames;
  }

  get cursor(): string {
    return this.reader.cursor;
  }

  /** What the timeline of a room brought, skips with a bar. */
  timeline(room: string): string[] {
    return this.frames.flatMap((frame) => {
      if (frame.op === 'skip' && frame.room === room) return [`|${frame.key ?? ''}`];
      if (frame.op !== 'event' || frame.room !== room || frame.type !== 'message.sent') return [];
      return [String(frame.data['content'])];
    });
  }

  events(room: string): string[] {
    return this.frames.flatMap((frame) => (frame.op === 'event' && frame.room === room ? [frame.type] : []));
  }
}

export interface TestFeedOptions {
  readonly log?: MemoryLog;
  /** What the feed sees of the log, where it is not the log itself. */
  readonly seen?: (log: MemoryLog) => EventLog;
  /** Views that stopped here; up to date without. */
  readonly viewsUpTo?: () => readonly number[] | undefined;
  /** Of the log that the views were built from; the log's own without. */
  readonly viewsEpoch?: string;
  /** In place of those that are made of the log. */
  readonly views?: FeedViews;
  readonly roomSubscribersMax?: number;
  readonly faults?: MemoryFaults;
}

export class TestFeed {
  readonly log: MemoryLog;
  readonly subjects: Subjects;
  readonly feed: Feed;
  readonly faults: unknown[] = [];
  nowMs = 1;
  private readonly stopTails = new AbortController();
  private sessions = 0;

  constructor(options: TestFeedOptions = {}) {
    this.log = options.log ?? new MemoryLog({ partitions: 2, ...(options.faults && { faults: options.faults }) });
    this.subjects = new Subjects(this.log.partitions);
    this.feed = new Feed({
      log: options.seen?.(this.log) ?? this.log,
      views: options.views ?? memoryViews(this.log, options.viewsUpTo ?? (() => undefined), options.viewsEpoch),
      roomSubscribersMax: options.roomSubscribersMax ?? 1_000,
      nowMs: () => this.nowMs,
      onFault: (error) => this.faults.push(error),
    });
  }

  async start(): Promise<this> {
    await this.feed.start();
    return this;
  }

  /** From here on notices are published; without, no mark moves but by silence. */
  startTails(): void {
    for (let partition = 0; partition < this.log.partitions; partition++)
      this.log.publishTails(partition, this.stopTails.signal).catch((error: unknown) => this.faults.push(error));
  }

  async stop(): Promise<void> {
    this.stopTails.abort();
    await this.feed.stop();
  }

  async open(
    userId: string,
    from: OpenFrom = {},
    echo: EchoMode = 'origin',
    sink = new TestSink(),
  ): Promise<TestReader> {
    const reader = new Reader(`s${++this.sessions}`, sink, echo);
    await openReader(this.feed, reader, userId, from);
    return new TestReader(reader, sink);
  }

  /** Lets everything that is under way come to its end. */
  async settle(): Promise<void> {
    for (let i = 0; i < 40; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Writes what the rules would have decided, with their fences where they matter to the order. */
export class Writing {
  private readonly subjects: Subjects;
  private readonly counts = new Map<string, number>();

  constructor(private readonly log: MemoryLog) {
    this.subjects = new Subjects(log.partitions);
  }

  async room(roomId: string, owner: string): Promise<number> {
    const room: RoomState = {
      kind: 'room',
      name: roomId,
      description: '',
      isPrivate: false,
      maxMembers: 100_000,
      settings: {},
      createdBy: owner,
      archived: false,
    };
    await this.append(this.subjects.config(roomId), owner, { type: 'RoomCreated', data: { room } });
    return this.join(roomId, owner, 'owner');
  }

  async channel(participants: readonly string[], content: string): Promise<{ roomId: string; seq: number }> {
    const sorted = channelParticipants(participants);
    const roomId = channelRoomId(participants);
    const [sender = ''] = participants;
    const room: RoomState = {
      kind: 'channel',
      name: '',
      description: '',
      isPrivate: true,
      maxMembers: sorted.length,
      settings: {},
      createdBy: sender,
      archived: false,
      participants: sorted,
    };
    await this.append(this.subjects.config(roomId), sender, { type: 'RoomCreated', data: { room } });
    for (const userId of sorted) await this.join(roomId, userId);
    return { roomId, seq: await this.send(roomId, sender, content) };
  }

  /** Sets how many members the room says to have. */
  async roster(roomId: string, members: number): Promise<number> {
    this.counts.set(roomId, members);
    const roster = { members, limit: 100_000, moderators: [] };
    return this.append(this.subjects.roster(roomId), 'system', { type: 'RosterChanged', data: { roster } });
  }

  async join(roomId: string, userId: string, role: MemberRole = 'member'): Promise<number> {
    await this.roster(roomId, (this.counts.get(roomId) ?? 0) + 1);
    return this.member(roomId, 'MemberJoined', { ...stranger(userId), standing: 'member', role });
  }

  async leave(roomId: string, userId: string): Promise<number> {
    await this.roster(roomId, (this.counts.get(roomId) ?? 1) - 1);
    return this.member(roomId, 'MemberLeft', { ...stranger(userId), standing: 'left' });
  }

  mute(roomId: string, userId: string, muted: boolean): Promise<number> {
    return this.member(roomId, 'MemberChanged', { ...stranger(userId), standing: 'member', muted });
  }

  send(roomId: string, actor: string, content: string, key?: string): Promise<number> {
    const keyed = key === undefined ? {} : { key: { id: commandKeyId(actor, 'SendMessage', roomId, key), body: 'b' } };
    const event: ChatEvent = {
      v: EVENT_VERSION,
      type: 'MessageSent',
      actor,
      data: { content, type: 'text' },
      ...keyed,
    };
    return this.log.append({ subject: this.subjects.timeline(roomId), event }).then(({ seq }) => seq);
  }

  private member(
    roomId: string,
    type: 'MemberJoined' | 'MemberLeft' | 'MemberChanged',
    member: MemberState,
  ): Promise<number> {
    return this.append(this.subjects.member(roomId, member.userId), member.userId, { type, data: { member } });
  }

  private async append(subject: string, actor: string, event: NewEvent): Promise<number> {
    const { seq } = await this.log.append({ subject, event: { v: EVENT_VERSION, actor, ...event } as ChatEvent });
    return seq;
  }
}

type NewEvent = { [T in ChatEvent['type']]: Pick<Extract<ChatEvent, { type: T }>, 'type' | 'data'> }[ChatEvent['type']];

const stranger = (userId: string): MemberState => ({
  userId,
  standing: 'removed',
  role: 'member',
  muted: false,
  banned: false,
});

/** The read models as a fold of the memory twin, up to where they are said to have come. */
export function memoryViews(
  log: MemoryLog,
  upTo: () => readonly number[] | undefined,
  epoch: string = log.epoch,
): FeedViews {
  const ends = async (): Promise<number[]> => {
    const given = upTo();
    return Promise.all(
      Array.from({ length: log.partitions }, async (_, partition) => {
        const end = await log.lastSequence(partition);
        return Math.min(end, given?.[partition] ?? end);
      }),
    );
  };
  const entries = async (given?: readonly number[]): Promise<StoredEntry[]> => {
    const seen = given ?? (await ends());
    const reads = seen.map((to, p) => log.readSubject(p, `chat.${p}.>`, { after: 0, upTo: to, max: 1e9 }));
    return (await Promise.all(reads)).flatMap((read) => read.entries);
  };
  return {
    async roomsOfUser(userId) {
      const checkpoints = await ends();
      const all = await entries(checkpoints);
      return { rooms: userRooms(all, userId), checkpoints, epoch };
    },
    async anchor(roomId, seq) {
      const messages = (await entries()).filter((entry) => isTimeline(entry, roomId) && entry.seq <= seq);
      const last = messages[messages.length - 1];
      return last === undefined ? undefined : { seq: last.seq, ordinal: messages.length };
    },
    async periods(roomId, userId) {
      const periods: { from: number; to: number | undefined }[] = [];
      for (const entry of await entries()) {
        const member = memberIn(entry, roomId);
        if (member?.userId !== userId) continue;
        const open = periods.find(({ to }) => to === undefined);
        if (member.standing === 'member' && open === undefined) periods.push({ from: entry.seq, to: undefined });
        if (member.standing !== 'member' && open !== undefined) open.to = entry.seq;
      }
      return periods;
    },
  };
}

function userRooms(all: readonly StoredEntry[], userId: string): UserRoom[] {
  const rooms = new Map<string, UserRoom>();
  for (const entry of all) {
    const subject = parseLogSubject(entry.subject);
    if (subject === undefined || !('roomId' in subject)) continue;
    const { roomId } = subject;
    const member = memberIn(entry, roomId);
    if (member?.userId !== userId) continue;
    rooms.delete(roomId);
    if (member.standing !== 'member') continue;
    const timeline = all.filter((other) => isTimeline(other, roomId));
    rooms.set(roomId, {
      roomId,
      kind: roomId.startsWith('dm_') ? 'channel' : 'room',
      name: roomId,
      role: member.role,
      isPrivate: false,
      memberSeq: entry.seq,
      lastSeq: timeline[timeline.length - 1]?.seq ?? 0,
      lastOrdinal: timeline.length,
      memberCount: 0,
    });
  }
  return [...rooms.values()];
}

function isTimeline({ subject }: StoredEntry, roomId: string): boolean {
  const parsed = parseLogSubject(subject);
  return parsed?.kind === 'timeline' && parsed.roomId === roomId;
}

function memberIn({ subject, decoded }: StoredEntry, roomId: string): MemberState | undefined {
  const parsed = parseLogSubject(subject);
  if (parsed?.kind !== 'member' || parsed.roomId !== roomId || decoded.kind !== 'event') return undefined;
  return 'member' in decoded.event.data ? decoded.event.data.member : undefined;
}
