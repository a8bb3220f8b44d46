/**
 * A short story in which every promise is put to the test: people talk in two rooms, one of them is away and comes back, one leaves
 * and tries to go on talking, one comes too late for a seat, and one key is used in two rooms. Afterwards all that happened is
 * recorded for the history checker.
 */
import { randomUUID } from 'node:crypto';
import { waitUntil } from '#embedded';
import type { Fetched, History, InboxRecord, KeyRecord, RoomViewRecord } from '#testing';
import { TestClient } from '../client.js';
import { Http, listAt, textAt, type Fields } from '../http.js';
import { logEnd, wholeLog, withLog } from '../log.js';
import { tokenFor } from '../platform.js';
import { PARTITIONS } from './world.js';

const WITHIN_MS = 30_000;
/** Fewer than want in. */
const SEATS = 3;

/** Faults that wait for something wait for the message that says so. */
export const MARKED = 'this one is marked';

export interface Stage {
  readonly natsUrl: string;
  readonly http: string;
  /** Where everybody begins. */
  readonly socket: string;
  /** Where the one who was away comes back to. */
  readonly backAt: string;
  /** Right before the marked message. */
  readonly atMark?: () => void;
  /** All rows of the view of keys. */
  readonly keys: () => Promise<KeyRecord[]>;
}

export class Story {
  readonly #clients = new Map<string, TestClient>();
  /** Where each of them connects to. */
  readonly #sockets = new Map<string, string[]>();
  readonly #suffix = randomUUID().slice(0, 8);
  readonly #room = `room-${this.#suffix}`;
  readonly #side = `side-${this.#suffix}`;
  #said = 0;

  constructor(private readonly stage: Stage) {}

  /** Plays it, and gives the history. */
  async play(): Promise<History> {
    try {
      await withLog([this.stage.natsUrl], PARTITIONS, async (log) => {
        const ends = (): Promise<number[]> => logEnd(log);
        await this.#begin();
        await this.#talk();
        await this.#oneIsAway(ends);
        await this.#oneLeaves();
        await this.#oneIsTooLate();
        await this.#settle(ends);
      });
      return await this.#history();
    } finally {
      for (const client of this.#clients.values()) client.stop();
    }
  }

  async #begin(): Promise<void> {
    for (const room of [this.#room, this.#side]) {
      const made = await this.#httpOf('ann').post('/api/rooms', { id: room, name: room, maxMembers: SEATS });
      if (made.status !== 202) throw new Error(`${room} was not made: ${made.status} ${made.text}`);
    }
    await Promise.all(['ann', 'bob', 'cid', 'dan', 'eve'].map((name) => this.#connect(name)));
    for (const name of ['bob', 'cid']) await this.#client(name).join(this.#room);
    await this.#client('bob').join(this.#side);
  }

  async #talk(): Promise<void> {
    for (const name of ['ann', 'bob', 'cid', 'ann']) await this.#say(name);
    this.stage.atMark?.();
    // Over HTTP, where no feed tells the sender what became of it: an answer that is lost is asked for again.
    await this.#client('ann').sendOverHttp(this.#room, `${MARKED} ${this.#suffix}`);
    for (const name of ['bob', 'ann']) await this.#say(name);
    const key = `shared by rooms ${this.#suffix}`;
    await this.#client('ann').send(this.#room, `first of a key ${this.#suffix}`, key);
    await this.#client('ann').send(this.#side, `second of a key ${this.#suffix}`, key);
  }

  /** With a cursor that covers everything, so that the first message that he misses is the next entry of the log. */
  async #oneIsAway(ends: () => Promise<number[]>): Promise<void> {
    const bob = this.#client('bob');
    const end = await ends();
    await waitUntil('bob has a cursor of the end', WITHIN_MS, () => bob.hasReached(end));
    bob.sleep();
    for (let i = 0; i < 3; i += 1) await this.#say('ann');
    this.#sockets.get('bob')?.splice(0, 1, this.stage.backAt);
    bob.wake();
    await waitUntil('bob is back', WITHIN_MS, () => bob.isUp);
    await this.#say('cid');
  }

  async #oneLeaves(): Promise<void> {
    const cid = this.#client('cid');
    await this.#say('cid');
    await cid.leave(this.#room);
    await cid.send(this.#room, `after leaving ${this.#suffix}`);
    for (const name of ['ann', 'bob']) await this.#say(name);
  }

  /** There is one seat for two. */
  async #oneIsTooLate(): Promise<void> {
    await this.#client('dan').join(this.#room);
    await this.#client('eve').join(this.#room);
    for (const name of ['ann', 'dan', 'ann']) await this.#say(name);
  }

  async #settle(ends: () => Promise<number[]>): Promise<void> {
    const clients = [...this.#clients.values()];
    await waitUntil('every request is answered', WITHIN_MS, () => clients.every(({ unanswered }) => unanswered === 0));
    const end = await ends();
    const states = (): string => clients.map(({ options, cursor }) => `${options.name} ${cursor}`).join(', ');
    await waitUntil(`everybody has the end`, WITHIN_MS, () => clients.every((client) => client.hasReached(end))).catch(
      (cause: unknown) => {
        throw new Error(`${String(cause)}; the end is ${end.join('.')}; ${states()}`, { cause });
      },
    );
    const path = `/api/rooms?limit=1&position=0-${end[0]}`;
    await waitUntil(
      'the views have the end',
      WITHIN_MS,
      async () => (await this.#httpOf('ann').get(path)).status === 200,
    );
  }

  async #history(): Promise<History> {
    const rooms = [this.#room, this.#side];
    const log = await withLog([this.stage.natsUrl], PARTITIONS, wholeLog);
    const own = log.filter(({ subject }) => rooms.includes(subject.split('.')[3] ?? ''));
    const places = new Set(own.map(({ partition, seq }) => `${partition}-${seq}`));
    const keys = await this.stage.keys();
    return {
      log: own,
      clients: [...this.#clients.values()].map((client) => client.history(true)),
      rooms: await Promise.all(rooms.map((room) => this.#roomView(room))),
      inboxes: await Promise.all([...this.#clients.keys()].map((name) => this.#inbox(name))),
      keys: keys.filter(({ partition, seq }) => places.has(`${partition}-${seq}`)),
    };
  }

  async #roomView(room: string): Promise<RoomViewRecord> {
    const http = this.#httpOf('ann');
    const { json } = await http.get(`/api/rooms/${room}`);
    const members = listAt((await http.get(`/api/rooms/${room}/users`)).json, 'users');
    const { json: page } = await http.get(`/api/rooms/${room}/messages?order=asc&limit=100`);
    return {
      room,
      view: json,
      memberCount: Number(json['memberCount']),
      members: members as unknown as RoomViewRecord['members'],
      messages: listAt(page, 'items') as unknown as Fetched[],
    };
  }

  async #inbox(name: string): Promise<InboxRecord> {
    const items = listAt((await this.#httpOf(name).get('/api/inbox?limit=100')).json, 'items');
    const text = (item: Fields, field: string, path: string): string | null =>
      item[field] === null ? null : textAt(item, path);
    return {
      user: this.#user(name),
      entries: items.map((item) => ({
        room: textAt(item, 'room.id'),
        unread: Number(item['unread']),
        lastMessageId: text(item, 'lastMessage', 'lastMessage.id'),
        readUpTo: text(item, 'readUpTo', 'readUpTo'),
      })),
    };
  }

  async #connect(name: string): Promise<void> {
    const user = this.#user(name);
    const { http, socket } = this.stage;
    const sockets = [socket];
    const client = new TestClient({ name, user, token: tokenFor(user), http, sockets });
    this.#sockets.set(name, sockets);
    this.#clients.set(name, client);
    await client.start();
  }

  #say(name: string): Promise<unknown> {
    return this.#client(name).send(this.#room, `${name} says ${(this.#said += 1)} ${this.#suffix}`);
  }

  #client(name: string): TestClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`${name} is not in the story`);
    return client;
  }

  #httpOf(name: string): Http {
    return new Http(this.stage.http, tokenFor(this.#user(name)));
  }

  #user(name: string): string {
    return `${name}-${this.#suffix}`;
  }
}

/** A key's row, as PostgreSQL has it. */
export const keyRecord = (row: Fields): KeyRecord => ({
  id: String(row['id']),
  partition: Number(row['partition']),
  seq: Number(row['seq']),
  body: String(row['body']),
});
