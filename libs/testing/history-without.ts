/**
 * A history without some of it, such that nothing else becomes wrong by that: whatever refers to an entry that is taken out goes
 * with it, and a number that was right (a predecessor, an ordinal, a count) is right again afterwards. One that was wrong stays.
 */
import { parseCursor, parseMessageId, type ServerFrame } from '#contract';
import type { StoredEntry } from '#event-log';
import type { ClientHistory, ClientStep, Fetched, History, InboxRecord, RoomViewRecord } from './history-records.js';
import { foldLog, timelineAfter, firstFrom, type RoomTruth, type Truth } from './history-truth.js';
import { unreadIn } from './history-views.js';

export function withoutClients(history: History, gone: ReadonlySet<ClientHistory>): History {
  return { ...history, clients: history.clients.filter((client) => !gone.has(client)) };
}

export function withoutRooms(history: History, gone: ReadonlySet<string>): History {
  const stays = ({ room }: { readonly room: string }): boolean => !gone.has(room);
  return {
    ...history,
    log: history.log.filter(({ subject }) => !gone.has(roomOf(subject))),
    rooms: history.rooms.filter(stays),
    inboxes: history.inboxes.map(({ user, entries }) => ({ user, entries: entries.filter(stays) })),
    clients: history.clients.map((client) => ({
      ...client,
      sends: client.sends.filter(stays),
      moves: (client.moves ?? []).filter(stays),
      steps: client.steps.flatMap((step) => stepWithoutRooms(step, stays)),
    })),
  };
}

type Stays = (about: { readonly room: string }) => boolean;

function stepWithoutRooms(step: ClientStep, stays: Stays): ClientStep[] {
  if (step.kind === 'opened' || step.kind === 'closed') return [step];
  if (step.kind !== 'frame') return stays(step) ? [step] : [];
  const { frame } = step;
  if (frame.op === 'welcome') return [{ ...step, frame: { ...frame, rooms: frame.rooms.filter(stays) } }];
  return 'room' in frame && frame.room !== undefined && !stays({ room: frame.room }) ? [] : [step];
}

export const roomOf = (subject: string): string => {
  const [, , area, owner = ''] = subject.split('.');
  return area === 'room' ? owner : '';
};

/** @param gone entries of the log */
export function withoutEntries(history: History, gone: ReadonlySet<StoredEntry>): History {
  const log = recounted(history.log, gone);
  const change = new Change(foldLog(history.log), foldLog(log), gone);
  return {
    ...history,
    log,
    clients: history.clients.map((client) => change.client(client)),
    rooms: history.rooms.map((view) => change.view(view)),
    inboxes: history.inboxes.map((inbox) => change.inbox(inbox)),
    ...(history.keys && { keys: history.keys.filter((key) => !change.isGone(key.partition, key.seq)) }),
  };
}

/** The log that is left, in which a roster that counted right counts right. */
function recounted(log: readonly StoredEntry[], gone: ReadonlySet<StoredEntry>): StoredEntry[] {
  const before = countsAt(log, () => true);
  const after = countsAt(log, (entry) => !gone.has(entry));
  return log.flatMap((entry) => {
    if (gone.has(entry)) return [];
    const count = after.get(entry);
    const event = entry.decoded.kind === 'event' ? entry.decoded.event : undefined;
    if (event?.type !== 'RosterChanged' || count === undefined || before.get(entry) !== event.data.roster.members)
      return [entry];
    const roster = { ...event.data.roster, members: count };
    return [{ ...entry, decoded: { kind: 'event', event: { ...event, data: { roster } } } }];
  });
}

/** Of each roster entry: how many members its room has when its batch is over. */
function countsAt(log: readonly StoredEntry[], counts: (entry: StoredEntry) => boolean): Map<StoredEntry, number> {
  const rosters = new Map<string, StoredEntry>();
  const members = new Map<string, Set<string>>();
  const found = new Map<StoredEntry, number>();
  for (const entry of log) {
    const event = entry.decoded.kind === 'event' ? entry.decoded.event : undefined;
    if (event === undefined || !counts(entry)) continue;
    const room = roomOf(entry.subject);
    if (event.type === 'RosterChanged') rosters.set(room, entry);
    const seated = members.get(room) ?? new Set();
    members.set(room, seated);
    if ('member' in event.data) {
      if (event.data.member.standing === 'member') seated.add(event.data.member.userId);
      else seated.delete(event.data.member.userId);
    }
    const roster = rosters.get(room);
    if (roster) found.set(roster, seated.size);
  }
  return found;
}

class Change {
  readonly #gone: ReadonlySet<string>;

  constructor(
    private readonly before: Truth,
    private readonly after: Truth,
    gone: ReadonlySet<StoredEntry>,
  ) {
    this.#gone = new Set([...gone].map(({ partition, seq }) => `${partition}-${seq}`));
  }

  isGone(partition: number, seq: number): boolean {
    return this.#gone.has(`${partition}-${seq}`);
  }

  client(client: ClientHistory): ClientHistory {
    return {
      ...client,
      sends: client.sends.filter((send) => !this.#allGone(send.room, client.user, send.content)),
      moves: (client.moves ?? []).filter(({ position, changed }) => !(changed && this.#gone.has(position))),
      steps: client.steps.flatMap((step) => this.#step(step)),
    };
  }

  view(view: RoomViewRecord): RoomViewRecord {
    const [before, after] = this.#room(view.room);
    if (!before || !after) return view;
    const present = (room: RoomTruth) => [...room.members.values()].filter(({ standing }) => standing === 'member');
    return {
      ...view,
      memberCount: kept(view.memberCount, present(before).length, present(after).length),
      members: view.members.filter(({ userId }) => after.members.has(userId) || !before.members.has(userId)),
      messages: this.#fetched(view.room, view.messages),
    };
  }

  inbox({ user, entries }: InboxRecord): InboxRecord {
    return {
      user,
      entries: entries.flatMap((entry) => {
        const [before, after] = this.#room(entry.room);
        if (!before || !after) return [entry];
        if (before.members.has(user) && !after.members.has(user)) return [];
        const readSeq = entry.readUpTo === null ? 0 : (parseMessageId(entry.readUpTo)?.seq ?? 0);
        const readUpTo = after.messages[firstFrom(after.messages, ({ seq }) => seq > readSeq) - 1]?.id ?? null;
        const unread = kept(entry.unread, unreadIn(before, user, entry.readUpTo), unreadIn(after, user, readUpTo));
        const [last, now] = [before.messages.at(-1)?.id ?? null, after.messages.at(-1)?.id ?? null];
        return [{ ...entry, readUpTo, unread, lastMessageId: kept(entry.lastMessageId, last, now) }];
      }),
    };
  }

  #step(step: ClientStep): ClientStep[] {
    if (step.kind === 'frame') return this.#frame(step.frame).map((frame) => ({ ...step, frame }));
    if (step.kind === 'message') {
      const place = parseMessageId(step.id);
      return place && this.isGone(place.partition, place.seq) ? [] : [step];
    }
    if (step.kind === 'member') {
      const [before, after] = this.#room(step.room);
      return before?.members.has(step.user) && !after?.members.has(step.user) ? [] : [step];
    }
    if (step.kind !== 'refetched' || step.messages === 'refused') return [step];
    return [{ ...step, messages: this.#fetched(step.room, step.messages) }];
  }

  #frame(frame: ServerFrame): ServerFrame[] {
    if (frame.op === 'welcome')
      return [{ ...frame, rooms: frame.rooms.map((room) => this.#start(room, frame.cursor)) }];
    if (frame.op !== 'event' && frame.op !== 'skip') return [frame];
    const [before, after] = this.#room(frame.room);
    if (!before) return [frame];
    if (this.isGone(before.partition, frame.seq)) return [];
    const [was, is] = [before.places.get(frame.seq), after?.places.get(frame.seq)];
    if (was && is) {
      const prev = frame.prev === was.prev ? { prev: is.prev } : {};
      if (frame.op === 'skip') return [{ ...frame, ...prev }];
      const ordinal = kept(frame.data['ordinal'], was.message?.ordinal, is.message?.ordinal);
      return [{ ...frame, ...prev, data: { ...frame.data, ...(ordinal === undefined ? {} : { ordinal }) } }];
    }
    if (frame.op === 'skip' || frame.type !== 'members.changed') return [frame];
    const count = kept(frame.data['count'], seatsIn(before, frame.seq), after && seatsIn(after, frame.seq));
    return [{ ...frame, data: { ...frame.data, count } }];
  }

  #start<T extends { readonly room: string; readonly seq: number; readonly ordinal: number }>(
    room: T,
    text: string,
  ): T {
    const [before, after] = this.#room(room.room);
    const covered = parseCursor(text)?.seqs[before?.partition ?? 0] ?? 0;
    if (!before || !after) return room;
    const place = (truth: RoomTruth) => truth.timeline[timelineAfter(truth, covered) - 1]?.seq ?? 0;
    const count = (truth: RoomTruth) => firstFrom(truth.messages, ({ seq }) => seq > covered);
    const seq = kept(room.seq, place(before), place(after));
    return { ...room, seq, ordinal: kept(room.ordinal, count(before), count(after)) };
  }

  #fetched(room: string, messages: readonly Fetched[]): Fetched[] {
    const [before, after] = this.#room(room);
    return messages.flatMap((message) => {
      const [was, is] = [before?.places.get(message.seq)?.message, after?.places.get(message.seq)?.message];
      if (was && !is) return [];
      return [{ ...message, ordinal: kept(message.ordinal, was?.ordinal, is?.ordinal) }];
    });
  }

  /** It was in the log, and no copy of it is left. */
  #allGone(room: string, user: string, content: string): boolean {
    const isIt = (message: { readonly sender: string; readonly content: string }): boolean =>
      message.content === content && message.sender === user;
    const stored = this.#stored(room).get(content) ?? [];
    return (
      stored.length > 0 && stored.some(isIt) && stored.every(({ seq }) => !this.after.rooms.get(room)?.places.has(seq))
    );
  }

  readonly #byContent = new Map<string, Map<string, { seq: number; sender: string; content: string }[]>>();
  #stored(room: string): Map<string, { seq: number; sender: string; content: string }[]> {
    let known = this.#byContent.get(room);
    if (known) return known;
    this.#byContent.set(room, (known = new Map()));
    for (const message of this.before.rooms.get(room)?.messages ?? [])
      known.set(message.content, [...(known.get(message.content) ?? []), message]);
    return known;
  }

  #room(room: string): [before: RoomTruth | undefined, after: RoomTruth | undefined] {
    return [this.before.rooms.get(room), this.after.rooms.get(room)];
  }
}

/** What was right is what is right now. */
const kept = <T>(shown: T, was: T | undefined, is: T | undefined): T =>
  shown === was && is !== undefined ? is : shown;

function seatsIn(room: RoomTruth, seq: number): number | undefined {
  const event = room.states.get(seq)?.event;
  return event?.type === 'RosterChanged' ? event.data.roster.members : undefined;
}

/** The same connection goes on: a loss of it that was recovered, taken out with the cursor that it came back with. */
export function withoutSteps(history: History, gone: ReadonlySet<ClientStep>): History {
  const clients = history.clients.map((client) => {
    return { ...client, steps: client.steps.filter((step) => !gone.has(step)) };
  });
  return { ...history, clients };
}
