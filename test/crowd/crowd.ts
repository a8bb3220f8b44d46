/**
 * People who talk while a platform is broken under them: in several rooms and channels, over sockets, HTTP, server-sent events and gRPC,
 * with joins, leaves, removals and read marks among it. Afterwards they fall silent, catch up, and hand over what the history
 * checker asks for.
 */
import { randomInt } from 'node:crypto';
import { parseLogSubject } from '#contract';
import { waitUntil } from '#embedded';
import type { EventLog, StoredEntry } from '#event-log';
import { checkHistory, type ClientHistory, describeViolations, type History, recordedNow, type Span } from '#testing';
import { TestClient } from '../client.js';
import { GrpcClient } from '../grpc-client.js';
import { Http } from '../http.js';
import { logEnd, wholeLog } from '../log.js';
import { tokenFor } from '../platform.js';
import { Random } from '../random.js';
import { act, Keeper, type Doing, type Place } from './deeds.js';
import { Person, WAYS, type Stage, type Way } from './people.js';
import { readInbox, readRoom } from './read-back.js';
import { plannedChannels, plannedRooms, type Channel, type RoomPlan } from './rooms.js';

export interface CrowdOptions {
  /** Decides whatever chance decides here. */
  readonly seed?: string | number;
  /** Of the names of its rooms. */
  readonly prefix?: string;
  readonly people?: Readonly<Record<Way, number>>;
  /** Between the deeds of one person. */
  readonly everyMs?: number;
  /** As of a client. */
  readonly patient?: boolean;
}

const PEOPLE: Readonly<Record<Way, number>> = { socket: 12, http: 4, events: 2, grpc: 2 };
const EVERY_MS = 150;
const KEEPER = 'keeper';
const KEEPER_EVERY_MS = 1_200;
const PROGRESS_WITHIN_MS = 150_000;
const QUIET_WITHIN_MS = 150_000;

export class Crowd implements Place {
  readonly people: readonly Person[];
  readonly rooms: readonly RoomPlan[];
  readonly channels: readonly Channel[];
  readonly random: Random;
  /** The owner of the rooms, who hears everything and says nothing. */
  readonly #owner: TestClient;
  readonly #keeper: Keeper;
  readonly #broken: string[] = [];
  readonly #copiesLost: Span[] = [];
  #timers: NodeJS.Timeout[] = [];
  #said = 0;
  readonly refusals = new Map<string, number>();
  /** How long it took after each break until everybody went on, for the record; nothing depends on it. */
  readonly #pace: string[] = [];

  private constructor(
    private readonly stage: Stage,
    readonly options: CrowdOptions,
  ) {
    const { seed = randomInt(2 ** 31), prefix = '', people = PEOPLE, patient = false } = options;
    this.random = new Random(seed);
    const ways = WAYS.flatMap((way) => Array.from({ length: people[way] }, () => way)).filter(
      (way) => way !== 'grpc' || stage.grpc !== undefined,
    );
    this.people = ways.map((way, at) => {
      const user = `person-${at + 1}`;
      return Person.of(stage, way, user, this.random.fork(user), patient);
    });
    this.rooms = plannedRooms(prefix, this.people.length);
    // Neighbours in a channel read in different ways.
    this.channels = plannedChannels(this.random.fork('channels').shuffle(this.people.map(({ user }) => user)));
    const keeper = { http: stage.url, token: tokenFor(KEEPER) };
    const asKeeper = { ...keeper, name: KEEPER, user: KEEPER, sockets: stage.sockets, patient };
    this.#owner = new TestClient({ ...asKeeper, random: this.random.fork(KEEPER) });
    this.#keeper = new Keeper(keeper, this.random.fork('keeper at the door'), this.rooms, (fault) =>
      this.#broken.push(`${KEEPER}: ${fault}`),
    );
  }

  /** Makes the rooms, connects everybody, and has each person in two rooms. */
  static async gather(stage: Stage, options: CrowdOptions = {}): Promise<Crowd> {
    const crowd = new Crowd(stage, options);
    const http = new Http(stage.url, tokenFor(KEEPER));
    for (const { room, maxMembers = 0, isPrivate = false } of crowd.rooms) {
      const made = await http.post('/api/rooms', { id: room, name: room, maxMembers, isPrivate });
      if (made.status !== 202) throw new Error(`${room} was not made: ${made.status} ${made.text}`);
    }
    await Promise.all(crowd.#clients().map((client) => client.start()));
    const open = crowd.rooms.filter(({ maxMembers, isPrivate }) => maxMembers === undefined && !isPrivate);
    for (const turn of [0, 1])
      await Promise.all(crowd.people.map(({ client }, at) => client.join(open[(at + turn) % open.length]?.room ?? '')));
    return crowd;
  }

  get faults(): string[] {
    return [...this.#broken, ...this.#clients().flatMap(({ faults }) => faults)];
  }

  text(user: string): string {
    return `${user} says ${(this.#said += 1)}`;
  }

  talk(): void {
    const { everyMs = EVERY_MS } = this.options;
    this.#timers = this.people.map((person, at) => setInterval(() => this.#own(() => act(person, this)), everyMs + at));
    this.#timers.push(setInterval(() => this.#own(() => this.#keeper.act(this.people)), KEEPER_EVERY_MS));
  }

  /** Live copies may be lost while this is done, and until its end: a broker, a way to one, or a gateway is broken by it. */
  async whileCopiesAreLost<T>(work: () => Promise<T>): Promise<T> {
    const from = recordedNow();
    try {
      return await work();
    } finally {
      this.#copiesLost.push({ from, to: recordedNow() });
    }
  }

  /** Everybody has been told anew that something they sent is stored. Resolves with how long that took, ms, and who was last. */
  async progress(what: string, withinMs = PROGRESS_WITHIN_MS): Promise<{ tookMs: number; last: string }> {
    const since = performance.now();
    const before = this.people.map(({ client }) => client.acknowledged);
    let last = '';
    const waiting = (): string[] => {
      const left = this.people.filter(({ client }, at) => client.acknowledged <= (before[at] ?? 0));
      last = left.at(0)?.describe() ?? last;
      return left.map(({ user }) => user);
    };
    await waitUntil(`everybody goes on talking ${what}`, withinMs, () => waiting().length === 0).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; not: ${waiting().join(', ')}\n${this.#states()}`, { cause: error });
      },
    );
    const tookMs = performance.now() - since;
    this.#pace.push(`${what} ${(tookMs / 1_000).toFixed(1)} s`);
    return { tookMs, last };
  }

  /** The longest that anybody was without an acknowledgement between two moments, ms; both by `recordedNow`. */
  longestSilence(from: number, to: number): number {
    const gaps = this.people.map(({ client }) => {
      const moments = [from, ...client.record.answers.filter((at) => at > from && at < to), to];
      return Math.max(...moments.map((at, index) => at - (moments[index - 1] ?? at)));
    });
    return Math.max(0, ...gaps);
  }

  /** Silence: every request has its answer, every client has the log's end, and so have the read models. */
  async settle(log: EventLog): Promise<void> {
    this.hush();
    const clients = this.#clients();
    await this.#until('every request is answered', () => {
      return this.#keeper.unanswered === 0 && clients.every(({ unanswered }) => unanswered === 0);
    });
    const ends = await logEnd(log);
    await this.#until(`every client has the log up to ${ends.join('.')}`, () =>
      clients.every((client) => client instanceof GrpcClient || client.hasReached(ends)),
    );
    const http = new Http(this.stage.url, tokenFor(KEEPER));
    for (const [partition, end] of ends.entries())
      await this.#until(`the views have ${partition}-${end}`, async () => {
        return end === 0 || (await http.get(`/api/rooms?limit=1&position=${partition}-${end}`)).status === 200;
      });
    await this.#settleStreams(ends, await wholeLog(log));
  }

  /** @param complete whether it has settled, so that whatever is missing is missing */
  async history(log: EventLog, complete = true): Promise<History> {
    // Of those who have not fallen silent, what they were told by now has to be in the log that is read now; views are not compared.
    const clients = this.#clients()
      .map((client) => client.history(complete))
      .map(asOfNow);
    const entries = await wholeLog(log);
    if (!complete) return { log: entries, copiesLost: this.#copiesLost, clients, rooms: [], inboxes: [] };
    const keeper = new Http(this.stage.url, tokenFor(KEEPER));
    const made = new Set(entries.map(({ subject }) => roomOf(subject)));
    const channels = this.channels.filter(({ room }) => made.has(room));
    const users = this.#clients().map(({ options }) => options.user);
    return {
      log: entries,
      copiesLost: this.#copiesLost,
      clients,
      rooms: [
        ...(await inTurn(this.rooms, ({ room }) => readRoom(keeper, room))),
        ...(await inTurn(channels, ({ room, participants: [one = ''] }) => readRoom(keeper.as(tokenFor(one)), room))),
      ],
      inboxes: await inTurn(users, (user) => readInbox(keeper.as(tokenFor(user)), user)),
    };
  }

  /** Nobody begins anything any more. */
  hush(): void {
    this.#timers.forEach((timer) => clearInterval(timer));
  }

  /** Settles, and throws what was not as promised. */
  async judge(log: EventLog): Promise<string> {
    await this.settle(log);
    const history = await this.history(log);
    const violations = checkHistory(history);
    if (violations.length > 0) throw new Error(`${violations.length} violations:\n${describeViolations(violations)}`);
    if (this.faults.length > 0) throw new Error(`the clients met faults:\n${this.faults.slice(0, 10).join('\n')}`);
    assertCheckerBites(history);
    return `${this.summary(history)}; went on ${this.#pace.join(', ')}`;
  }

  stop(): void {
    this.hush();
    this.#keeper.stop();
    this.#clients().forEach((client) => client.stop());
  }

  tally(): Tally {
    const tally = { acknowledged: 0, refused: 0, unknown: 0, resumes: 0, restarts: 0, cuts: 0 };
    for (const client of this.#clients()) {
      const sends = client.record.tally();
      tally.acknowledged += sends.acknowledged;
      tally.refused += sends.refused;
      tally.unknown += sends.unknown;
      tally.resumes += client.resumes;
      tally.restarts += client.restarts;
      tally.cuts += client.cuts;
    }
    return { ...tally, removed: this.#keeper.removed };
  }

  summary({ log, clients }: Pick<History, 'log' | 'clients'>): string {
    const { acknowledged, resumes, restarts, cuts, removed } = this.tally();
    const steps = clients.reduce((sum, client) => sum + client.steps.length, 0);
    const refused = [...this.refusals].map(([code, times]) => `${times} ${code}`).join(', ');
    return (
      `${log.length} entries, ${acknowledged} acknowledged sends, ${steps} steps at ${clients.length} clients, ` +
      `${resumes} resumes, ${restarts} times read again, ${cuts} cuts, ${removed} removals; refused: ${refused || 'none'}`
    );
  }

  #clients(): (TestClient | GrpcClient)[] {
    return [this.#owner, ...this.people.map(({ client }) => client)];
  }

  /** What comes of it is in the client's records; here only refusals are counted. */
  #own(deed: () => Doing | undefined): void {
    deed()?.then(
      (came) => {
        if (came.kind === 'refused') this.refusals.set(came.code, (this.refusals.get(came.code) ?? 0) + 1);
      },
      (error: unknown) => this.#broken.push(`the test itself failed: ${String(error)}`),
    );
  }

  /** A stream of messages has no cursor: who is in a room at the end has heard its newest message, or read it. */
  async #settleStreams(ends: readonly number[], log: readonly StoredEntry[]): Promise<void> {
    const streams = this.#clients().filter((client) => client instanceof GrpcClient);
    const partitions = new Map(log.map(({ subject, partition }) => [roomOf(subject), partition]));
    await Promise.all(streams.map((client) => client.catchUp(ends, (room) => partitions.get(room) ?? 0)));
    const unheard = (): string[] =>
      streams.flatMap((client) => {
        const rooms = client.unheard(newestFor(client.options.user, log));
        return client.isUp && rooms.length === 0 ? [] : [`${client.options.user}: ${rooms.join(', ')}`];
      });
    await this.#until('every stream has the newest messages', () => unheard().length === 0).catch((error: unknown) => {
      throw new Error(`not heard: ${unheard().join('; ')}`, { cause: error });
    });
  }

  async #until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    await waitUntil(what, QUIET_WITHIN_MS, condition).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.#states()}`, { cause: error });
    });
  }

  #states(): string {
    return [...this.people.map((person) => person.describe()), ...this.faults.slice(0, 10)].join('\n');
  }
}

export interface Tally {
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly resumes: number;
  readonly restarts: number;
  readonly cuts: number;
  readonly removed: number;
}

/** A checker that would find nothing if the log had lost a message proves nothing: so one is taken out. */
export function assertCheckerBites(history: History): void {
  const lost = history.log.findLastIndex(({ subject }) => subject.endsWith('.timeline'));
  const kinds = checkHistory({ ...history, log: history.log.filter((_, at) => at !== lost) }).map(({ kind }) => kind);
  if (!kinds.includes('not-in-log')) throw new Error(`the checker does not miss entry ${lost}: ${kinds.join()}`);
}

/** Records go on being written. */
const asOfNow = (client: ClientHistory): ClientHistory => ({
  ...client,
  sends: [...client.sends],
  moves: [...(client.moves ?? [])],
  steps: [...client.steps],
});

function roomOf(subject: string): string {
  const place = parseLogSubject(subject);
  return place && 'roomId' in place ? place.roomId : '';
}

/** By room that the user is in at the end: its newest message, if that came after they had joined. */
function newestFor(user: string, log: readonly StoredEntry[]): Map<string, StoredEntry> {
  const newest = new Map<string, StoredEntry>();
  const inside = new Set<string>();
  for (const entry of log) {
    const { subject, decoded } = entry;
    if (decoded.kind !== 'event') continue;
    const { event } = decoded;
    const room = roomOf(subject);
    if ('member' in event.data && event.data.member.userId === user) {
      const isIn = event.data.member.standing === 'member';
      if (isIn !== inside.has(room)) newest.delete(room);
      if (isIn) inside.add(room);
      else inside.delete(room);
    }
    if (event.type === 'MessageSent' && inside.has(room)) newest.set(room, entry);
  }
  return newest;
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
