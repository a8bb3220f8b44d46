/**
 * Fifty clients of one room on two gateways, who talk, come, go, are cut and resume, while one of them reads nothing and the
 * broker is killed in the midst of it. The history checker judges what each of them saw.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { CLOSE, DomainError, parseCursor, type ServerFrame, SUBPROTOCOL } from '#contract';
import { waitUntil } from '#embedded';
import { openEventLog, type StoredEntry } from '#event-log';
import { connectNats } from '#service';
import { checkHistory, type ClientStep, describeViolations, recordedNow } from '#testing';
import { Client, type Frame, type Gateway, usePlatform } from './test-platform.js';

const CLIENTS = 50;
const ROUNDS = 12;
const AT_ONCE = 8;
const WITHIN_MS = 60_000;
/** A busy machine takes its time over a broker's restart. */
const TEST_MS = 240_000;

const platform = usePlatform();
let gateways: Gateway[];
beforeAll(async () => {
  gateways = [await platform.gateway({ RATE_LIMITS: 'off' }), await platform.gateway({ RATE_LIMITS: 'off' })];
});

/** A client that comes back with its cursor, and keeps what it saw. */
class Person {
  readonly steps: ClientStep[] = [];
  readonly user = `u${randomUUID().slice(0, 8)}`;
  private client: Client | undefined;
  private cursor: unknown;
  private isLive = false;

  get live(): boolean {
    return this.isLive;
  }

  async connect(): Promise<void> {
    const client = Client.raw(gateways[randomInt(gateways.length)] as Gateway, { user: this.user });
    this.client = client;
    client.socket.on('message', (data) => this.take(client, JSON.parse(String(data)) as Frame));
    client.socket.on('close', (code) => this.gone(client, code));
    client.socket.on('open', () =>
      client.send({ op: 'hello', ...(this.cursor === undefined ? {} : { since: this.cursor }) }),
    );
    await waitUntil(`${this.user} to be live`, WITHIN_MS, () => this.isLive || client.closed !== undefined);
  }

  async comeBack(): Promise<void> {
    await waitUntil(`${this.user} to be back`, WITHIN_MS, async () => {
      if (!this.isLive) await this.connect();
      return this.isLive;
    });
  }

  covers(entries: readonly StoredEntry[]): boolean {
    const seqs = parseCursor(String(this.cursor))?.seqs ?? [];
    return entries.every(({ partition, seq }) => seq <= (seqs[partition] ?? 0));
  }

  cut(): void {
    this.client?.socket.terminate();
  }

  send(frame: object): void {
    if (this.isLive) this.client?.send(frame);
  }

  private take(client: Client, frame: Frame): void {
    if (client !== this.client) return;
    this.steps.push({ kind: 'frame', at: recordedNow(), frame: frame as unknown as ServerFrame });
    if (typeof frame['cursor'] === 'string') this.cursor = frame['cursor'];
    if (frame['op'] === 'caught_up') this.isLive = true;
  }

  private gone(client: Client, code: number): void {
    if (client !== this.client) return;
    this.isLive = false;
    this.client = undefined;
    this.steps.push({ kind: 'closed', at: recordedNow(), code });
  }
}

async function wholeLog(): Promise<StoredEntry[]> {
  const nats = await connectNats(platform.config, 'spec');
  const log = await openEventLog(nats, { partitions: platform.config.partitions });
  const entries: StoredEntry[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const upTo = await log.lastSequence(partition);
    for (let after = 0; after < upTo;) {
      const read = await log.readSubject(partition, `chat.${partition}.>`, { after, upTo, max: 1_000 });
      entries.push(...read.entries);
      after = read.complete ? upTo : (read.entries.at(-1)?.seq ?? upTo);
    }
  }
  await nats.close();
  return entries;
}

/** Joins and leaves of before may still be under way: what is refused for them is tried again. */
async function orRefused(command: Promise<unknown>): Promise<void> {
  await command.catch((error: unknown) => {
    if (!(error instanceof DomainError)) throw error;
  });
}

/** The log, once nothing is stored any more and everybody has been given a cursor that covers it. */
async function settledLog(people: readonly Person[]): Promise<StoredEntry[]> {
  let before = -1;
  return waitUntil('the log to settle', WITHIN_MS, async () => {
    const entries = await wholeLog();
    const isSettled = entries.length === before && people.every((person) => person.covers(entries));
    before = entries.length;
    for (const person of people) person.send({ op: 'ping' });
    return isSettled ? entries : undefined;
  });
}

test(
  `${CLIENTS} clients with churn, over a broker that is killed: each has a contiguous run of the log`,
  async () => {
    const room = `r${randomUUID().slice(0, 8)}`;
    const people = Array.from({ length: CLIENTS }, () => new Person());
    await platform.run('CreateRoom', people[0]?.user ?? '', { roomId: room, name: 'Crowd' });
    await Promise.all(people.map((person) => person.connect()));
    for (const person of people) person.send({ op: 'join', id: 'j', room });
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const person of people) person.send({ op: 'send', id: 's', room, content: `m${++sent}`, key: randomUUID() });
      for (let i = 0; i < AT_ONCE; i++) {
        const person = people[randomInt(CLIENTS)] as Person;
        const what = randomInt(3);
        if (what === 0) person.cut();
        else person.send({ op: what === 1 ? 'leave' : 'join', id: 'c', room });
      }
      if (round === ROUNDS / 2) {
        await platform.nats.kill();
        await platform.nats.restart();
      }
      await Promise.all(people.map((person) => person.comeBack()));
    }
    const marker = `end ${randomUUID()}`;
    await waitUntil('everybody to be in', WITHIN_MS, async () => {
      await Promise.all(people.map((person) => person.comeBack()));
      for (const { user } of people.filter((person) => !sees(person, marker)))
        await orRefused(platform.run('JoinRoom', user, { roomId: room }));
      await orRefused(platform.run('SendMessage', people[0]?.user ?? '', { roomId: room, content: marker }));
      return people.every((person) => sees(person, marker));
    });
    const entries = await settledLog(people);
    const clients = people.map(({ user, steps, live }) => ({
      client: user,
      user,
      sends: [],
      steps: [...steps],
      complete: live,
    }));
    const violations = checkHistory({ log: entries, clients, rooms: [], inboxes: [] }).filter(
      ({ kind }) => kind !== 'unsent', // what was sent is not recorded here
    );
    expect(describeViolations(violations)).toBe('');
    expect(clients.every(({ complete }) => complete)).toBe(true);
  },
  TEST_MS,
);

const sees = ({ steps }: Person, content: string): boolean =>
  steps.some((step) => step.kind === 'frame' && step.frame.op === 'event' && step.frame.data['content'] === content);

test('a client that reads nothing is closed, the others go on, and it resumes without a hole', async () => {
  const [ann, bob] = [`a${randomUUID().slice(0, 8)}`, `b${randomUUID().slice(0, 8)}`];
  const room = `r${randomUUID().slice(0, 8)}`;
  await platform.run('CreateRoom', ann, { roomId: room, name: 'Room' });
  await platform.run('JoinRoom', bob, { roomId: room });
  const gateway = await platform.gateway({ RATE_LIMITS: 'off', SEND_STALL_MS: '300' });
  const reading = await Client.open(gateway, ann, { echo: 'all' });
  const stalled = await Client.open(gateway, bob);
  stalled.send({ op: 'ping' });
  const { cursor } = await stalled.frame({ op: 'pong' });
  stalled.socket.pause();
  const content = 'x'.repeat(15_000);
  let sent = 0;
  await waitUntil('the stalled socket to be closed', WITHIN_MS, async () => {
    await Promise.all(
      Array.from({ length: 20 }, () => reading.request({ op: 'send', room, content: `${++sent} ${content}` })),
    );
    const health = (await (await fetch(`${gateway.url}/health/ready`)).json()) as {
      parts: { feed: { detail: string } };
    };
    return health.parts.feed.detail.startsWith('1 readers');
  });
  stalled.socket.resume();
  expect([CLOSE.slowReader, 1006]).toContain((await stalled.closes()).code);
  await reading.until('all of it', () => reading.contents(room).length === sent);
  const back = await Client.open(gateway, bob, { since: cursor });
  const numbers = back.contents(room).map((text) => Number(String(text).split(' ')[0]));
  const [known] = back.frames[0]?.['rooms'] as { ordinal: number }[];
  const from = known?.ordinal ?? 0;
  expect(numbers).toEqual(Array.from({ length: sent - from }, (_, i) => from + i + 1));
  if (back.frames[0]?.['recovered'] === true) expect(from).toBe(0);
  expect(back.socket.protocol).toBe(SUBPROTOCOL);
});
