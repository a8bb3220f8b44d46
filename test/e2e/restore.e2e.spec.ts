/**
 * The restore drill: people talk while a backup is taken and afterwards, then broker and database lose everything, and the platform
 * is made anew of the backup. See docs/BACKUP.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import WebSocket from 'ws';
import { ChatClient, type SocketConstructor } from '#client';
import { parseMessageId } from '#contract';
import {
  projectRoot,
  startPlatform,
  startPostgres,
  temporaryFolder,
  waitUntil,
  type NatsServer,
  type NatsUser,
  type Platform,
  type Postgres,
} from '#embedded';
import type { StoredEntry } from '#event-log';
import { type Database, openDatabase, PartitionWriter, projections } from '#read-models';
import { Grpc } from '../grpc.js';
import { at, Http, listAt, textAt } from '../http.js';
import { wholeLog, withLog } from '../log.js';
import { connect, type Socket } from '../socket.js';

const PARTITIONS = 4;
const ROOMS = ['den', 'attic', 'cellar', 'garden', 'hall', 'porch'];
const PASSWORD = 'correct horse battery';

interface Said {
  readonly room: string;
  readonly key: string;
  readonly content: string;
  readonly id: string;
  readonly position: string;
}

let platform: Platform;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let beside: Postgres;
let http: Http;

beforeAll(async () => {
  folder = await temporaryFolder('restore-drill');
  const replicas = { commands: 1, projection: 1, gateway: 1, api: 1 };
  [platform, beside] = await Promise.all([
    startPlatform({ replicas, env: { RATE_LIMITS: 'off' } }),
    startPostgres({ dataDir: join(folder.path, 'beside') }),
  ]);
  http = new Http(platform.url);
}, 120_000);

afterAll(async () => {
  await platform.stop();
  await beside.stop();
  await folder.remove();
}, 60_000);

/** Files go over gRPC. */
async function overGrpc<T>({ token = '' }: Http, work: (grpc: Grpc) => Promise<T>): Promise<T> {
  const grpc = new Grpc(platform.grpc[0] ?? '', token);
  return work(grpc).finally(() => grpc.close());
}

const service = (name: string) => {
  const found = platform.services.get(`${name}-1`);
  if (!found) throw new Error(`no ${name}`);
  return found;
};

async function parley(user: NatsUser, ...args: string[]) {
  const [first = ''] = platform.natsUrls(user);
  const { username, password } = new URL(first);
  const env = {
    PATH: process.env['PATH'],
    NATS_URL: platform.nats.url,
    NATS_USER: username,
    NATS_PASSWORD: password,
    DATABASE_URL: platform.databaseUrl,
  };
  const child = spawn(process.execPath, [join(projectRoot(), 'dist', 'apps', 'cli', 'main.js'), ...args], { env });
  const written = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await once(child, 'exit')) as [number];
  const [out, errors] = await written;
  return { code, out, errors };
}

async function register(username: string): Promise<Http> {
  const account = { username, email: `${username}@example.org`, password: PASSWORD };
  const made = await http.post('/api/auth/register', account);
  expect(made.status).toBe(201);
  return http.as(textAt(made.json, 'token'));
}

async function signIn(username: string): Promise<Http> {
  const answer = await http.post('/api/auth/login', { username, password: PASSWORD });
  expect(answer.status).toBe(200);
  return http.as(textAt(answer.json, 'token'));
}

let keys = 0;

async function say(
  who: Http,
  room: string,
  content: string,
  key = `key-${(keys += 1)}`,
): Promise<Said & { duplicate: unknown }> {
  const answer = await who.post(`/api/rooms/${room}/messages`, { content }, { headers: { 'idempotency-key': key } });
  expect(answer.status).toBe(202);
  const [id, position] = [textAt(answer.json, 'id'), textAt(answer.json, 'position')];
  return { room, key, content, id, position, duplicate: answer.json.duplicate };
}

/** Sends into all rooms until it is stopped, and remembers what was acknowledged. */
class Talk {
  readonly said: Said[] = [];
  #going = true;
  readonly #running: Promise<void>[];

  constructor(who: readonly Http[]) {
    this.#running = ROOMS.map(async (room, i) => {
      for (let n = 0; this.#going; n += 1) this.said.push(await say(who[i % who.length]!, room, `${n} in ${room}`));
    });
  }

  more(count: number): Promise<unknown> {
    const goal = this.said.length + count;
    return waitUntil(`${count} more messages`, 60_000, () => this.said.length >= goal);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#running);
  }
}

const logNow = (): Promise<StoredEntry[]> => withLog(platform.natsUrls(), PARTITIONS, wholeLog);

/** Every row of every table that is made from the log, in one order. */
async function allRows({ source }: Database): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for (const table of projections.flatMap(({ tables }) => tables))
    rows[table] = await source.query(`select ${table}::text as row from ${table} order by 1`);
  return rows;
}

/** The views as they were when the log ended there: built from the entries of before, in a database beside. */
async function viewsUpTo(entries: readonly StoredEntry[], ends: readonly number[]): Promise<Record<string, unknown[]>> {
  const database = await openDatabase(await beside.createDatabase('as_it_was'));
  for (const [partition, end] of ends.entries()) {
    const writer = await database.writer(`as it was ${partition}`);
    const target = new PartitionWriter(writer, partition, projections);
    await target.load({ epoch: 'before', last: end });
    await target.apply(entries.filter((entry) => entry.partition === partition && entry.seq <= end));
    await writer.release();
  }
  const rows = await allRows(database);
  await database.close();
  return rows;
}

async function viewsNow(): Promise<Record<string, unknown[]>> {
  const database = await openDatabase(platform.databaseUrl, { migrate: false });
  const rows = await allRows(database);
  await database.close();
  return rows;
}

async function destroyEverything(): Promise<void> {
  const nats = platform.nats as NatsServer;
  await nats.kill();
  rmSync(join(nats.storeDir, 'jetstream'), { recursive: true });
  await nats.restart();
  const database = await openDatabase(platform.databaseUrl, { migrate: false });
  await database.source.query('drop schema public cascade');
  await database.source.query('create schema public');
  await database.close();
}

const records = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the restore drill', () => {
  let [ann, bob]: Http[] = [];
  let backup: string;
  let before: Said[];
  let lost: Said[];
  let file: { id: string; bytes: Buffer };
  let marked: Said;
  let original: StoredEntry[];
  let socket: Socket;
  let cursor: string;
  let sdk: ChatClient;
  let tokenOfBob: () => Promise<string>;
  let ends: number[];
  let epoch: string;

  test('a backup is taken while people talk, and is whole', async () => {
    [ann, bob] = [await register('ann'), await register('bob')];
    for (const room of ROOMS) {
      const made = await ann!.post('/api/rooms', { id: room, name: room });
      expect(made.status).toBe(202);
      expect((await bob!.post(`/api/rooms/${room}/join?position=${textAt(made.json, 'position')}`, {})).status).toBe(
        202,
      );
    }
    const bytes = Buffer.alloc(700_000, 'a picture of the attic');
    const first = { room_id: 'attic', user_id: 'ann', filename: 'attic.png', content_type: 'image/png', data: bytes };
    const uploaded = await overGrpc(ann!, (grpc) => grpc.upload([first]));
    file = { id: textAt(uploaded.value, 'file_id'), bytes };
    marked = await say(ann!, 'den', 'read by bob');
    const mark = await bob!.put(`/api/rooms/den/read?position=${marked.position}`, { messageId: marked.id });
    expect(mark.status).toBe(200);

    const talk = new Talk([ann!, bob!]);
    await talk.more(60);
    const acknowledged = [...talk.said];
    backup = join(folder.path, 'monday');
    const taken = await parley('backup', 'backup', '--to', backup, '--json');
    if (taken.code !== 0) await talk.stop();
    expect(taken).toMatchObject({ code: 0 });
    before = [marked, ...acknowledged];
    // Whatever is sent from here on is acknowledged after the backup.
    const count = talk.said.length + ROOMS.length;
    await talk.more(60);
    await talk.stop();
    lost = talk.said.slice(count);

    expect(await parley('backup', 'backup', 'verify', backup)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^whole and unchanged: backup of .*, 5 streams\n$/),
    });
    expect(await parley('backup', 'backup', '--to', backup)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('is there already'),
    });
    const manifest = readFileSync(join(backup, 'manifest.json'), 'utf8');
    expect(manifest).not.toContain('private');
  }, 120_000);

  test('more happens, is acknowledged, and then everything is lost', async () => {
    await register('late');
    const last = lost.at(-1)!;
    expect(
      (await bob!.put(`/api/rooms/${last.room}/read?position=${last.position}`, { messageId: last.id })).status,
    ).toBe(200);
    socket = await connect(platform.sockets[0] ?? '', bob!.token ?? '');
    cursor = String((await socket.pong()).cursor);
    let token = bob!.token ?? '';
    tokenOfBob = async () => token;
    sdk = new ChatClient({ url: platform.url, token: () => tokenOfBob(), WebSocket: WebSocket as SocketConstructor });
    await sdk.connect();
    await sdk.load(last.room);
    expect(sdk.state.rooms.get(last.room)?.messages.map(({ id }) => id)).toContain(last.id);
    tokenOfBob = async () => (token = (await signIn('bob')).token ?? '');
    original = await logNow();
    for (const name of ['api', 'commands', 'projection']) await service(name).stop();
    await destroyEverything();
  }, 120_000);

  test('the backup is restored, and only whole: its log goes on with another epoch', async () => {
    const restored = await parley('restore', 'restore', '--from', backup, '--json');
    expect(restored).toMatchObject({ code: 0 });
    const lines = records(restored.out);
    ends = Array.from({ length: PARTITIONS }, (_, p) =>
      Number(lines.find(({ stream }) => stream === `CHAT_${p}`)?.endSeq),
    );
    epoch = String(lines.at(-1)?.epoch);
    expect(epoch).not.toBe(lines.at(-1)?.previousEpoch);
    expect(await parley('restore', 'restore', '--from', backup)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('into an empty broker'),
    });
    expect(await parley('setup', 'setup')).toMatchObject({ code: 0 });
  }, 60_000);

  test('whoever is connected is told, the services start, and the views are those of then, row by row', async () => {
    expect(await socket.closed(30_000)).toMatchObject({ code: 4003 });
    await waitUntil('the gateway ends by itself', 30_000, () =>
      platform.unexpected.some((how) => how.startsWith('gateway-1')),
    );
    await Promise.all(['projection', 'commands', 'api', 'gateway'].map((name) => service(name).restart()));
    const kept = (await logNow()).filter(({ subject }) => !subject.endsWith('.restored'));
    const expected = original.filter(({ partition, seq }) => seq <= ends[partition]!);
    expect(kept).toEqual(expected);
    const rebuilt = await viewsUpTo(original, ends);
    await waitUntil('the views are built', 60_000, async () => {
      const { out } = await parley('operate', 'projections', 'status', '--json');
      return records(out).every(({ behind, note }) => behind === 0 && note === '');
    });
    expect(await viewsNow()).toEqual(rebuilt);
    const verified = await parley('operate', 'log', 'verify');
    expect(verified).toMatchObject({ code: 0 });
  }, 120_000);

  test('everything from before the backup is there, under the ids that it had', async () => {
    [ann, bob] = [await signIn('ann'), await signIn('bob')];
    for (const { room, id, content } of before)
      expect((await bob.get(`/api/rooms/${room}/messages/${id}`)).json).toMatchObject({ id, content });
    const found = await overGrpc(bob, (grpc) => grpc.call('GetFile', { file_id: file.id }));
    expect((found.value['data'] as Buffer).equals(file.bytes)).toBe(true);
    const inbox = listAt((await bob.get('/api/inbox')).json, 'items');
    expect(inbox.find((entry) => at(entry, 'room.id') === 'den')).toMatchObject({ readUpTo: marked.id });
    expect((await http.post('/api/auth/login', { username: 'late', password: PASSWORD })).status).toBe(401);
  }, 60_000);

  test('nothing from after the backup can be taken for something else', async () => {
    const after: Said[] = [];
    for (const room of ROOMS) after.push(await say(ann!, room, `after the restore, in ${room}`));
    const lostIds = new Set(lost.map(({ id }) => id));
    for (const { id, room, position } of after) {
      expect(lostIds.has(id)).toBe(false);
      const lostSeqs = lost.filter((each) => each.room === room).map((each) => parseMessageId(each.id)!.seq);
      expect(parseMessageId(id)!.seq).toBeGreaterThan(Math.max(...lostSeqs));
      expect((await bob!.get(`/api/rooms/${room}/messages?position=${position}&limit=1`)).status).toBe(200);
    }
    const survived = new Set((await logNow()).map(({ partition, seq }) => `${partition}-${seq}`));
    const gone = lost.filter(({ position }) => !survived.has(position));
    expect(gone.length).toBeGreaterThan(20);
    for (const { id, room, position } of gone.slice(-12)) {
      expect((await bob!.get(`/api/rooms/${room}/messages/${id}?position=${position}`)).status).toBe(404);
      expect((await ann!.call('PUT', `/api/rooms/${room}/read`, { body: { messageId: id } })).status).toBe(404);
      const page = await bob!.get(`/api/rooms/${room}/messages?after=${id}`);
      if (page.status === 200)
        expect(listAt(page.json, 'items').map((item) => item['content'])).toEqual([`after the restore, in ${room}`]);
    }
    const again = gone.at(-1)!;
    const sender = ROOMS.indexOf(again.room) % 2 === 0 ? ann! : bob!;
    const repeated = await say(sender, again.room, again.content, again.key);
    expect(repeated).toMatchObject({ duplicate: false });
    expect(await say(sender, again.room, again.content, again.key)).toMatchObject({ id: repeated.id, duplicate: true });
    const kept = before.at(-1)!;
    const keeper = ROOMS.indexOf(kept.room) % 2 === 0 ? ann! : bob!;
    expect(await say(keeper, kept.room, kept.content, kept.key)).toMatchObject({ id: kept.id, duplicate: true });
  }, 60_000);

  test('who comes back with an old cursor fetches anew, and the client shows nothing that is lost', async () => {
    const back = await connect(platform.sockets[0] ?? '', bob!.token ?? '', { since: cursor });
    const welcome = await back.frame('welcome', ({ op }) => op === 'welcome');
    expect(welcome).toMatchObject({ recovered: false, cursor: expect.stringMatching(new RegExp(`^${epoch}\\.`)) });
    await back.close();
    const last = lost.at(-1)!;
    const shown = (): readonly string[] => sdk.state.rooms.get(last.room)?.messages.map(({ content }) => content) ?? [];
    await waitUntil('the client has fetched the room', 30_000, () =>
      shown().includes(`after the restore, in ${last.room}`),
    );
    const history = listAt((await bob!.get(`/api/rooms/${last.room}/messages?limit=100`)).json, 'items');
    expect(shown()).toEqual(history.map((item) => String(item['content'])).reverse());
    sdk.close();
    expect(platform.unexpected.filter((how) => !how.startsWith('gateway-1'))).toEqual([]);
  }, 60_000);
});
