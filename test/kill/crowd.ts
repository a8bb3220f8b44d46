/**
 * People who talk while a platform is broken under them: in several rooms, over sockets and over HTTP, with joins, leaves and read marks
 * among it. Afterwards they fall silent, catch up, and hand over what the history checker asks for.
 */
import { randomInt } from 'node:crypto';
import { waitUntil } from '#embedded';
import type { EventLog } from '#event-log';
import {
  checkHistory,
  describeViolations,
  type Fetched,
  type History,
  type InboxRecord,
  type RoomViewRecord,
} from '#testing';
import { TestClient } from '../client.js';
import { Http, listAt, textAt, type Fields } from '../http.js';
import { logEnd, wholeLog } from '../log.js';
import { tokenFor } from '../platform.js';

export interface Stage {
  readonly url: string;
  readonly sockets: readonly string[];
}

const PEOPLE = 20;
const ROOMS = ['hall', 'kitchen', 'garden', 'library', 'cellar'] as const;
/** Smaller than the number of people who want in. */
const CELLAR_SEATS = 6;
const TICK_MS = 150;
const PENDING_MAX = 3;
/** Every so manieth person sends over HTTP. */
const HTTP_EVERY = 4;
const KEEPER = 'keeper';
const PROGRESS_WITHIN_MS = 60_000;
const QUIET_WITHIN_MS = 90_000;
const PAGE = 100;

export class Crowd {
  readonly #clients: TestClient[];
  #timers: NodeJS.Timeout[] = [];
  #said = 0;
  readonly refusals = new Map<string, number>();
  /** How long it took after each break until everybody went on, for the record; nothing depends on it. */
  readonly #pace: string[] = [];

  private constructor(
    private readonly stage: Stage,
    private readonly prefix: string,
  ) {
    const names = Array.from({ length: PEOPLE }, (_, i) => `person-${i + 1}`);
    this.#clients = [KEEPER, ...names].map((user) => {
      const { url: http, sockets } = stage;
      return new TestClient({ name: user, user, token: tokenFor(user), http, sockets });
    });
  }

  /** Makes the rooms, connects everybody, and has each person in two rooms. */
  static async gather(stage: Stage, prefix = ''): Promise<Crowd> {
    const crowd = new Crowd(stage, prefix);
    const keeper = new Http(stage.url, tokenFor(KEEPER));
    for (const room of crowd.rooms) {
      const seats = room.endsWith('cellar') ? { maxMembers: CELLAR_SEATS } : {};
      const made = await keeper.post('/api/rooms', { id: room, name: room, ...seats });
      if (made.status !== 202) throw new Error(`${room} was not made: ${made.status} ${made.text}`);
    }
    await Promise.all(crowd.#clients.map((client) => client.start()));
    const people = crowd.#people();
    await Promise.all(people.map((client, i) => client.join(crowd.rooms[i % 4] ?? '')));
    await Promise.all(people.map((client, i) => client.join(crowd.rooms[(i + 1) % 4] ?? '')));
    return crowd;
  }

  get rooms(): string[] {
    return ROOMS.map((room) => `${this.prefix}${room}`);
  }

  get faults(): string[] {
    return this.#clients.flatMap(({ faults }) => faults);
  }

  talk(): void {
    this.#timers = this.#people().map((client, i) => {
      return setInterval(() => this.#act(client, i % HTTP_EVERY === 0), TICK_MS + i);
    });
  }

  /** Everybody has been told anew that something they sent is stored. */
  async progress(what: string): Promise<void> {
    const since = performance.now();
    const before = this.#people().map((client) => client.acknowledged);
    const waiting = (): string[] =>
      this.#people().flatMap((client, i) => (client.acknowledged > (before[i] ?? 0) ? [] : [client.options.name]));
    await waitUntil(`everybody goes on talking ${what}`, PROGRESS_WITHIN_MS, () => waiting().length === 0).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; not: ${waiting().join(', ')}\n${this.#states()}`, { cause: error });
      },
    );
    this.#pace.push(`${what} ${((performance.now() - since) / 1_000).toFixed(1)} s`);
  }

  /** Silence: every request has its answer, every client has the log's end, and so have the read models. */
  async settle(log: EventLog): Promise<void> {
    this.#timers.forEach((timer) => clearInterval(timer));
    await this.#until('every request is answered', () => this.#clients.every(({ unanswered }) => unanswered === 0));
    const ends = await logEnd(log);
    await this.#until(`every client has the log up to ${ends.join('.')}`, () =>
      this.#clients.every((client) => client.hasReached(ends)),
    );
    const http = new Http(this.stage.url, tokenFor(KEEPER));
    for (const [partition, end] of ends.entries())
      await this.#until(`the views have ${partition}-${end}`, async () => {
        return end === 0 || (await http.get(`/api/rooms?limit=1&position=${partition}-${end}`)).status === 200;
      });
  }

  async history(log: EventLog): Promise<History> {
    const clients = this.#clients.map((client) => client.history(true));
    const users = this.#clients.map(({ options }) => options.user);
    return {
      log: await wholeLog(log),
      copiesWereLost: true,
      clients,
      rooms: await inTurn(this.rooms, (room) => this.#roomView(room)),
      inboxes: await inTurn(users, (user) => this.#inbox(user)),
    };
  }

  /** Settles, and throws what was not as promised. */
  async judge(log: EventLog): Promise<string> {
    await this.settle(log);
    const history = await this.history(log);
    const violations = checkHistory(history);
    if (violations.length > 0) throw new Error(`${violations.length} violations:\n${describeViolations(violations)}`);
    if (this.faults.length > 0) throw new Error(`the clients met faults:\n${this.faults.slice(0, 10).join('\n')}`);
    assertCheckerBites(history);
    return this.#summary(history);
  }

  stop(): void {
    this.#timers.forEach((timer) => clearInterval(timer));
    this.#clients.forEach((client) => client.stop());
  }

  #people(): TestClient[] {
    return this.#clients.slice(1);
  }

  #act(client: TestClient, overHttp: boolean): void {
    if (client.unanswered >= PENDING_MAX) return;
    const dice = randomInt(100);
    const inside = this.rooms.filter((room) => client.rooms.has(room));
    const outside = this.rooms.filter((room) => !client.rooms.has(room));
    if (outside.length > 0 && (dice < 5 || inside.length === 0)) return this.#own(client.join(pick(outside)));
    if (dice < 9 && inside.length > 1) return this.#own(client.leave(pick(inside)));
    if (dice < 12) return this.#read(client, pick(inside));
    if (dice === 99) return client.cut();
    // Now and then to a room that one is not in, which is refused.
    const room = pick(dice < 14 && outside.length > 0 ? outside : inside);
    const content = `${client.options.user} says ${(this.#said += 1)}`;
    this.#own(overHttp ? client.sendOverHttp(room, content) : client.send(room, content));
  }

  #read(client: TestClient, room: string): void {
    const messageId = client.newest.get(room);
    if (messageId !== undefined) this.#own(client.request({ op: 'read', room, messageId }));
  }

  /** What comes of it is in the client's records; here only refusals are counted. */
  #own(doing: Promise<{ readonly kind: string; readonly code?: string }>): void {
    doing.then(
      ({ kind, code = '' }) => void (kind === 'refused' && this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)),
      (error: unknown) => this.#clients[0]?.faults.push(`the test itself failed: ${String(error)}`),
    );
  }

  async #until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    await waitUntil(what, QUIET_WITHIN_MS, condition).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.#states()}`, { cause: error });
    });
  }

  #states(): string {
    const lines = this.#clients.map(({ options, isUp, cursor, unanswered, faults }) => {
      return `${options.name}: ${isUp ? 'up' : 'not up'}, ${unanswered} unanswered, cursor ${cursor}, ${faults.length} faults`;
    });
    return [...lines, ...this.faults.slice(0, 10)].join('\n');
  }

  async #roomView(room: string): Promise<RoomViewRecord> {
    const http = new Http(this.stage.url, tokenFor(KEEPER));
    const { json } = await http.get(`/api/rooms/${room}`);
    const members = listAt((await http.get(`/api/rooms/${room}/users`)).json, 'users');
    const messages = await everyPage(http, `/api/rooms/${room}/messages?order=asc&limit=${PAGE}`);
    return {
      room,
      memberCount: Number(json['memberCount']),
      members: members as unknown as RoomViewRecord['members'],
      messages: messages as unknown as Fetched[],
    };
  }

  async #inbox(user: string): Promise<InboxRecord> {
    const items = await everyPage(new Http(this.stage.url, tokenFor(user)), `/api/inbox?limit=${PAGE}`);
    const entries = items.map((item) => ({
      room: textAt(item, 'room.id'),
      unread: Number(item['unread']),
      lastMessageId: item['lastMessage'] === null ? null : textAt(item, 'lastMessage.id'),
      readUpTo: item['readUpTo'] === null ? null : textAt(item, 'readUpTo'),
    }));
    return { user, entries };
  }

  #summary({ log, clients }: History): string {
    const frames = clients.reduce((sum, { steps }) => sum + steps.length, 0);
    const sum = (of: (client: TestClient) => number): number =>
      this.#clients.reduce((all, client) => all + of(client), 0);
    const cuts = sum((client) => client.cuts);
    const refused = [...this.refusals].map(([code, times]) => `${times} ${code}`).join(', ');
    return (
      `${log.length} entries, ${sum((client) => client.acknowledged)} acknowledged sends, ${frames} steps at ${clients.length} clients, ` +
      `${sum((client) => client.resumes)} resumes, ${sum((client) => client.restarts)} rooms read again, ${cuts} cuts; refused: ${refused || 'none'}; ` +
      `went on ${this.#pace.join(', ')}`
    );
  }
}

/** A checker that would find nothing if the log had lost a message proves nothing: so one is taken out. */
function assertCheckerBites(history: History): void {
  const lost = history.log.findLastIndex(({ subject }) => subject.endsWith('.timeline'));
  const kinds = checkHistory({ ...history, log: history.log.filter((_, at) => at !== lost) }).map(({ kind }) => kind);
  if (!kinds.includes('not-in-log')) throw new Error(`the checker does not miss entry ${lost}: ${kinds.join()}`);
}

const pick = (from: readonly string[]): string => from[randomInt(from.length)] ?? '';

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

async function everyPage(http: Http, path: string): Promise<Fields[]> {
  const items: Fields[] = [];
  for (let cursor = ''; ;) {
    const answer = await http.get(`${path}${cursor}`);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    items.push(...listAt(answer.json, 'items'));
    const { next } = answer.json;
    if (typeof next !== 'string') return items;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
}
