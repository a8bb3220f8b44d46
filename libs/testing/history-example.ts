/** A small true history, for the checker's own specs: two rooms, three users, a leave, a resume, an echo held back. */
import {
  formatCursor,
  formatPosition,
  messageId,
  Subjects,
  type ChatEvent,
  type MemberState,
  type ServerFrame,
  type ServerFrameOf,
} from '#contract';
import type { StoredEntry } from '#event-log';
import type { ClientHistory, ClientStep, Fetched, History, SendRecord } from './history.js';

const PARTITIONS = 2;
const EPOCH = 'e1';
const subjects = new Subjects(PARTITIONS);

export const TEA = 'tea';
export const SHED = 'shed';

type Event = ServerFrameOf<'event'>;
type Editable<T> = { -readonly [K in keyof T]: T[K] };
/** With everything open into which a fault can be planted. */
export type EditableClient = Editable<Omit<ClientHistory, 'sends' | 'steps'>> & {
  sends: Editable<SendRecord>[];
  steps: ClientStep[];
};
export type EditableHistory = Editable<Omit<History, 'log' | 'clients'>> & {
  log: StoredEntry[];
  clients: EditableClient[];
};

/** Writes a log as the command services would, and gives back frames of what stands in it. */
export class LogWriter {
  readonly log: StoredEntry[] = [];
  readonly #seqs = new Map<number, number>();
  readonly #last = new Map<string, number>();
  readonly #members = new Map<string, Set<string>>();

  append(subject: string, event: Omit<ChatEvent, 'v'>): StoredEntry {
    const partition = Number(subject.split('.')[1]);
    const seq = (this.#seqs.get(partition) ?? 0) + 1;
    this.#seqs.set(partition, seq);
    const prev = this.#last.get(subject) ?? 0;
    this.#last.set(subject, seq);
    const entry: StoredEntry = {
      partition,
      seq,
      subject,
      prev,
      at: 1_000 + seq,
      decoded: { kind: 'event', event: { v: 1, ...event } as ChatEvent },
    };
    this.log.push(entry);
    return entry;
  }

  join(room: string, user: string, limit = 10): StoredEntry {
    return this.#seat(room, user, 'MemberJoined', limit);
  }

  leave(room: string, user: string, limit = 10): StoredEntry {
    return this.#seat(room, user, 'MemberLeft', limit);
  }

  say(room: string, actor: string, content: string): StoredEntry {
    return this.append(subjects.timeline(room), { type: 'MessageSent', actor, data: { content, type: 'text' } });
  }

  #seat(room: string, user: string, type: 'MemberJoined' | 'MemberLeft', limit: number): StoredEntry {
    const members = this.#members.get(room) ?? new Set();
    this.#members.set(room, members);
    if (type === 'MemberJoined') members.add(user);
    else members.delete(user);
    const roster = { members: members.size, limit, moderators: [] };
    this.append(subjects.roster(room), { type: 'RosterChanged', actor: user, data: { roster } });
    return this.append(subjects.member(room, user), { type, actor: user, data: { member: memberOf(user, type) } });
  }
}

export function memberOf(userId: string, type: 'MemberJoined' | 'MemberLeft'): MemberState {
  const standing = type === 'MemberJoined' ? 'member' : 'left';
  return { userId, standing, role: 'member', muted: false, banned: false };
}

export const cursorAt = (seqs: Readonly<Record<number, number>>): string =>
  formatCursor({ epoch: EPOCH, seqs: Array.from({ length: PARTITIONS }, (_, partition) => seqs[partition] ?? 0) });

export const cursorAfter = (...entries: readonly StoredEntry[]): string =>
  cursorAt(Object.fromEntries(entries.map(({ partition, seq }) => [partition, seq])));

export const frameStep = (frame: ServerFrame): ClientStep => ({ kind: 'frame', at: 0, frame });

export function eventFrame(entry: StoredEntry, ordinal = 0): Event {
  if (entry.decoded.kind !== 'event') throw new Error('an event is asked for');
  const { event } = entry.decoded;
  const room = entry.subject.split('.')[3] ?? '';
  const place = {
    op: 'event',
    room,
    seq: entry.seq,
    actor: event.actor,
    at: new Date(entry.at).toISOString(),
  } as const;
  if (event.type === 'MessageSent') {
    const data = { id: messageId(entry), sender: event.actor, content: event.data.content, ordinal };
    return { ...place, type: 'message.sent', prev: entry.prev ?? 0, data };
  }
  if (event.type !== 'MemberJoined' && event.type !== 'MemberLeft') throw new Error('a message or a move is asked for');
  const type = event.type === 'MemberJoined' ? 'member.joined' : 'member.left';
  return { ...place, type, data: { ...event.data.member, ...(type === 'member.left' ? { removed: false } : {}) } };
}

export const skipFrame = (entry: StoredEntry): ServerFrame => ({
  op: 'skip',
  room: entry.subject.split('.')[3] ?? '',
  seq: entry.seq,
  prev: entry.prev ?? 0,
});

export function welcome(
  user: string,
  cursor: string,
  recovered: boolean,
  rooms: Record<string, number> = {},
): ServerFrame {
  const listed = Object.entries(rooms).map(([room, seq]) => {
    return { room, kind: 'room' as const, name: room, role: 'member', seq, ordinal: 0 };
  });
  return {
    op: 'welcome',
    session: 's',
    user,
    cursor,
    recovered,
    heartbeatMs: 25_000,
    time: '2026-01-01T00:00:00.000Z',
    rooms: listed,
  };
}

const fetched = (entry: StoredEntry, ordinal: number): Fetched => {
  const { id, sender, content } = eventFrame(entry, ordinal).data;
  return { id: String(id), seq: entry.seq, ordinal, sender: String(sender), content: String(content) };
};

const acknowledged = (entry: StoredEntry) =>
  ({ kind: 'acknowledged', seq: entry.seq, id: messageId(entry), position: formatPosition(entry) }) as const;

/**
 * Ann and Bob talk in `tea`; Bob resumes once; Cid, who watches `tea`, leaves it and makes `shed`, joined by Ann while she is
 * connected. Every step that a fault is planted into has a name.
 */
export function example() {
  const writer = new LogWriter();
  for (const user of ['ann', 'bob', 'cid']) writer.join(TEA, user);
  const before = writer.say(TEA, 'ann', 'before');
  const start = cursorAfter(before);
  const hello = writer.say(TEA, 'ann', 'hello');
  const reply = writer.say(TEA, 'bob', 'reply');
  const cidLeft = writer.leave(TEA, 'cid');
  const secret = writer.say(TEA, 'bob', 'cid is gone');
  const away = writer.say(TEA, 'ann', 'while bob was away');
  const cidIn = writer.join(SHED, 'cid');
  const first = writer.say(SHED, 'cid', 'nobody here');
  const annIn = writer.join(SHED, 'ann');
  const second = writer.say(SHED, 'cid', 'ann is here');
  const end = cursorAfter(away, second);

  const ann: EditableClient = {
    client: 'ann-1',
    user: 'ann',
    complete: true,
    sends: [
      { room: TEA, key: 'k1', content: 'before', sentAt: 0, outcome: { kind: 'unknown' } },
      { room: TEA, key: 'k2', content: 'hello', sentAt: 0, outcome: acknowledged(hello) },
      { room: TEA, key: 'k3', content: 'while bob was away', sentAt: 0, outcome: acknowledged(away) },
      { room: TEA, key: 'k4', content: 'never stored', sentAt: 0, outcome: { kind: 'unknown' } },
      { room: SHED, key: 'k5', content: 'too early', sentAt: 0, outcome: { kind: 'refused', code: 'not_member' } },
    ],
    steps: [
      frameStep(welcome('ann', start, false, { [TEA]: before.seq })),
      frameStep(skipFrame(hello)),
      frameStep(eventFrame(reply, 3)),
      frameStep(eventFrame(cidLeft)),
      frameStep(eventFrame(secret, 4)),
      frameStep(skipFrame(away)),
      frameStep(eventFrame(annIn)),
      frameStep(eventFrame(second, 2)),
      frameStep({ op: 'cursor', cursor: end }),
    ],
  };
  const bob: EditableClient = {
    client: 'bob-1',
    user: 'bob',
    complete: true,
    sends: [
      { room: TEA, key: 'k1', content: 'reply', sentAt: 0, outcome: acknowledged(reply) },
      { room: TEA, key: 'k2', content: 'cid is gone', sentAt: 0, outcome: { kind: 'acknowledged', seq: secret.seq } },
    ],
    steps: [
      frameStep(welcome('bob', start, false, { [TEA]: before.seq })),
      frameStep(eventFrame(hello, 2)),
      frameStep(skipFrame(reply)),
      frameStep({ op: 'cursor', cursor: cursorAfter(reply) }),
      frameStep(eventFrame(cidLeft)),
      frameStep(skipFrame(secret)),
      { kind: 'closed', at: 0, code: 4000 },
      frameStep(welcome('bob', cursorAfter(reply), true, { [TEA]: reply.seq })),
      frameStep(eventFrame(secret, 4)),
      frameStep(eventFrame(away, 5)),
      frameStep({ op: 'caught_up', cursor: end }),
    ],
  };
  const cid: EditableClient = {
    client: 'cid-1',
    user: 'cid',
    complete: true,
    sends: [
      { room: SHED, key: 'k1', content: 'nobody here', sentAt: 0, outcome: acknowledged(first) },
      { room: SHED, key: 'k2', content: 'ann is here', sentAt: 0, outcome: acknowledged(second) },
    ],
    steps: [
      frameStep(welcome('cid', start, false, { [TEA]: before.seq })),
      frameStep(eventFrame(hello, 2)),
      frameStep(eventFrame(reply, 3)),
      frameStep(eventFrame(cidLeft)),
      { kind: 'closed', at: 0, code: 1006 },
      // Away for too long: the rooms are read again, and the feed goes on from there.
      frameStep(welcome('cid', cursorAfter(away, first), false, { [SHED]: first.seq })),
      { kind: 'refetched', at: 0, room: SHED, messages: [fetched(first, 1)] },
      frameStep(eventFrame(annIn)),
      frameStep(skipFrame(second)),
      frameStep({ op: 'pong', cursor: end }),
    ],
  };
  const history: EditableHistory = {
    log: writer.log,
    clients: [ann, bob, cid],
    rooms: [
      {
        room: TEA,
        memberCount: 2,
        members: ['ann', 'bob'].map((userId) => ({ userId, role: 'member' })),
        messages: [before, hello, reply, secret, away].map((entry, i) => fetched(entry, i + 1)),
      },
      {
        room: SHED,
        memberCount: 2,
        members: ['cid', 'ann'].map((userId) => ({ userId, role: 'member' })),
        messages: [first, second].map((entry, i) => fetched(entry, i + 1)),
      },
    ],
    inboxes: [
      {
        user: 'ann',
        entries: [
          { room: TEA, unread: 0, lastMessageId: messageId(away), readUpTo: messageId(reply) },
          { room: SHED, unread: 1, lastMessageId: messageId(second), readUpTo: null },
        ],
      },
      { user: 'bob', entries: [{ room: TEA, unread: 1, lastMessageId: messageId(away), readUpTo: null }] },
    ],
  };
  return {
    history,
    ann,
    bob,
    cid,
    writer,
    at: { before, hello, reply, cidLeft, secret, away, cidIn, first, annIn, second },
  };
}
