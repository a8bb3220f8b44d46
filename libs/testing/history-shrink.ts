/**
 * Cuts a history down to the shortest one that still shows a violation: without the clients, rooms, members, messages and steps
 * that it does not need. What is tried is judged by the checker itself: the violation must still be there, of the same kind and at
 * the same place, and no other kind may have come by the cut.
 *
 * Halves first, then smaller pieces (Zeller's ddmin), the coarse kinds of things before the fine ones, over and over until
 * nothing more can go or the time is up.
 */
import type { StoredEntry } from '#event-log';
import { checkHistory } from './history.js';
import type { ClientStep, History, Violation, ViolationKind } from './history-records.js';
import { roomOf, withoutClients, withoutEntries, withoutRooms, withoutSteps } from './history-without.js';

export interface Shortest {
  readonly history: History;
  /** As it stands in the history that is left. */
  readonly violation: Violation;
  /** Nothing more can be taken away; false when the time was up before. */
  readonly finished: boolean;
}

const WITHIN_MS = 20_000;
/** Frames that say nothing of a room: without them nothing becomes wrong. */
const PASSING: ReadonlySet<string> = new Set(['cursor', 'pong', 'presence', 'typing', 'marked', 'drain']);

export function shortestHistory(
  history: History,
  violation: Violation,
  { withinMs = WITHIN_MS }: { readonly withinMs?: number } = {},
): Shortest {
  return new Shrinking(history, violation, performance.now() + withinMs).run();
}

/** Things that may go, each with what is left without them. */
interface Cut<T> {
  readonly items: readonly T[];
  readonly without: (history: History, gone: ReadonlySet<T>) => History;
}

class Shrinking {
  readonly #kinds: ReadonlySet<ViolationKind>;

  constructor(
    private history: History,
    private violation: Violation,
    private readonly until: number,
  ) {
    this.#kinds = new Set(checkHistory(history).map(({ kind }) => kind));
  }

  run(): Shortest {
    this.#focus();
    for (let before = -1; this.#inTime() && before !== sizeOf(this.history);) {
      before = sizeOf(this.history);
      this.#cutAll({ items: this.history.clients, without: withoutClients });
      this.#cutAll({
        items: [...new Set(this.history.log.map(({ subject }) => roomOf(subject)))],
        without: withoutRooms,
      });
      this.#cutRecords();
      this.#cutAll({ items: timelineOf(this.history), without: withoutEntries });
      this.#cutAll({ items: membershipsOf(this.history), without: withoutMemberships });
      this.#cutAll({ items: connectionsOf(this.history), without: withoutConnections });
      this.#cutAll({ items: passing(this.history), without: withoutSteps });
    }
    return { history: this.history, violation: this.violation, finished: this.#inTime() };
  }

  /** Nearly always it takes no more than the client, or the user, and the room that the violation names. */
  #focus(): void {
    const { client, user, room } = this.violation.where;
    const others = this.history.clients.filter((each) =>
      client === undefined ? each.user !== user : each.client !== client,
    );
    const without = withoutClients(this.history, new Set(others));
    const rooms = new Set(this.history.log.map(({ subject }) => roomOf(subject)));
    rooms.delete(room ?? '');
    if (room === undefined || !this.#take(withoutRooms(without, rooms))) this.#take(without);
  }

  /** What the read models answered, and sends that are not in the log. */
  #cutRecords(): void {
    this.#cutAll({
      items: this.history.rooms,
      without: (history, gone) => ({
        ...history,
        allRooms: false,
        rooms: history.rooms.filter((room) => !gone.has(room)),
      }),
    });
    this.#cutAll({
      items: this.history.inboxes,
      without: (history, gone) => ({ ...history, inboxes: history.inboxes.filter((inbox) => !gone.has(inbox)) }),
    });
    this.#cutAll({
      items: this.history.users ?? [],
      without: (history, gone) => ({ ...history, users: (history.users ?? []).filter((user) => !gone.has(user)) }),
    });
    this.#cutAll({
      items: this.history.keys ? [this.history.keys] : [],
      without: ({ log, clients, rooms, inboxes, users = [], copiesLost = [] }) => {
        return { log, clients, rooms, inboxes, users, copiesLost };
      },
    });
    this.#cutAll({
      items: this.history.clients.flatMap(({ sends, moves = [] }) => [...sends, ...moves]),
      without: (history, gone) => ({
        ...history,
        clients: history.clients.map((client) => ({
          ...client,
          sends: client.sends.filter((send) => !gone.has(send)),
          moves: (client.moves ?? []).filter((move) => !gone.has(move)),
        })),
      }),
    });
  }

  #cutAll<T>({ items, without }: Cut<T>): void {
    const start = this.history;
    let gone = new Set<T>();
    for (let size = items.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < items.length && this.#inTime(); at += size) {
        const more = items.slice(at, at + size).filter((item) => !gone.has(item));
        if (more.length === 0) continue;
        const wanted = new Set([...gone, ...more]);
        if (this.#take(without(start, wanted))) gone = wanted;
      }
  }

  #take(history: History): boolean {
    const found = checkHistory(history);
    const same = found.find((each) => isSame(each, this.violation));
    if (!same || found.some(({ kind }) => !this.#kinds.has(kind))) return false;
    this.history = history;
    this.violation = same;
    return true;
  }

  #inTime(): boolean {
    return performance.now() < this.until;
  }
}

const isSame = (a: Violation, b: Violation): boolean =>
  a.kind === b.kind && (['client', 'user', 'room', 'seq'] as const).every((name) => a.where[name] === b.where[name]);

const sizeOf = ({ log, clients, rooms, inboxes }: History): number =>
  log.length +
  rooms.length +
  inboxes.length +
  clients.reduce((sum, { steps, sends }) => sum + 1 + steps.length + sends.length, 0);

const timelineOf = ({ log }: History): StoredEntry[] => log.filter(({ subject }) => subject.endsWith('.timeline'));

/** All that the log says of one user in one room, with the rosters that were written for it. */
interface Membership {
  readonly entries: readonly StoredEntry[];
}

function membershipsOf({ log }: History): Membership[] {
  const found = new Map<string, StoredEntry[]>();
  for (const [i, entry] of log.entries()) {
    const event = entry.decoded.kind === 'event' ? entry.decoded.event : undefined;
    if (event === undefined || !('member' in event.data)) continue;
    const before = log[i - 1];
    const roster =
      before?.subject.endsWith('.roster') && roomOf(before.subject) === roomOf(entry.subject) ? [before] : [];
    const entries = found.get(entry.subject);
    if (entries) entries.push(...roster, entry);
    else found.set(entry.subject, [...roster, entry]);
  }
  return [...found.values()].map((entries) => ({ entries }));
}

const withoutMemberships = (history: History, gone: ReadonlySet<Membership>): History =>
  withoutEntries(history, new Set([...gone].flatMap(({ entries }) => entries)));

/** A loss of the connection that was recovered: the close, the welcome, what came again in the replay, and its end. */
type Resume = readonly ClientStep[];

const connectionsOf = ({ clients }: History): Resume[] => clients.flatMap(({ steps }) => resumesOf(steps));

function resumesOf(steps: readonly ClientStep[]): Resume[] {
  const seen = new Set<string>();
  const resumes: Resume[] = [];
  let resume: ClientStep[] | undefined;
  for (const [at, step] of steps.entries()) {
    const frame = step.kind === 'frame' ? step.frame : undefined;
    const next = steps[at + 1];
    if (step.kind === 'closed' && next?.kind === 'frame' && next.frame.op === 'welcome' && next.frame.recovered)
      resumes.push((resume = [step, next]));
    if (frame?.op === 'event' || frame?.op === 'skip') {
      const place = `${frame.room} ${frame.seq}`;
      if (seen.has(place)) resume?.push(step);
      seen.add(place);
    }
    if (frame?.op !== 'caught_up') continue;
    resume?.push(step);
    resume = undefined;
  }
  return resumes;
}

const withoutConnections = (history: History, gone: ReadonlySet<Resume>): History =>
  withoutSteps(history, new Set([...gone].flat()));

const passing = ({ clients }: History): ClientStep[] =>
  clients.flatMap(({ steps }) => steps.filter((step) => step.kind === 'frame' && PASSING.has(step.frame.op)));
