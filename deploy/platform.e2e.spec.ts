/**
 * The services as docker-compose.yml starts them, with its environment and the broker's users, as processes on this machine: people
 * talk, and the broker refuses nothing that a service does.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  freePort,
  projectRoot,
  type NatsServer,
  type Postgres,
  type ServiceProcess,
  setUp,
  startNatsServer,
  startPostgres,
  startProxy,
  startService,
  temporaryFolder,
  waitUntil,
} from '#embedded';
import { Http, textAt } from '../test/http.js';
import { Socket } from '../test/socket.js';
import { shareAndFetch } from './file-exchange.js';
import { environmentIn, ourServices, readCompose, secretNames, type ComposeService } from './compose-file.js';

const run = promisify(execFile);
const PASSWORD = 'p1';
const given = Object.fromEntries(secretNames().map((name) => [name, PASSWORD]));
const started: { stop(): Promise<void> }[] = [];
const services = new Map<string, ServiceProcess>();
let nats: NatsServer;
let postgres: Postgres;
let databaseUrl: string;
let natsLog: string;
let grpcPort: number;
let http: Http;

const keep = <T extends { stop(): Promise<void> }>(each: T): T => {
  started.push(each);
  return each;
};

beforeAll(async () => {
  const home = await temporaryFolder('compose');
  started.push({ stop: () => home.remove() });
  natsLog = join(home.path, 'nats.log');
  const configExtra = readFileSync(join(import.meta.dirname, 'nats', 'users.conf'), 'utf8');
  [nats, postgres] = await Promise.all([
    startNatsServer({ storeDir: join(home.path, 'nats'), logFile: natsLog, configExtra, env: given }).then(keep),
    startPostgres({ dataDir: join(home.path, 'postgres') }).then(keep),
  ]);
  grpcPort = await freePort();
  databaseUrl = await postgres.createDatabase('parley');
  await setUp(toolEnvironment('setup'));
  await Promise.all(ourServices(readCompose()).map((each) => start(each, home.path)));
  const url = (name: string): string => String(services.get(name)?.url);
  const proxy = keep(await startProxy({ gateways: () => [url('gateway')], apis: () => [url('api')] }));
  http = new Http(proxy.url);
});

afterAll(async () => {
  for (const each of started.reverse()) await each.stop();
});

function toolEnvironment(name: 'setup' | 'operate'): Record<string, string> {
  const tool = readCompose().services[name];
  if (!tool) throw new Error(`compose has no ${name}`);
  return { ...environmentIn(tool, given), NATS_URL: nats.url, DATABASE_URL: databaseUrl };
}

/** Where compose has names and fixed ports, this machine has other ones; everything else is as it stands in the file. */
async function start([name, each]: [string, ComposeService], home: string): Promise<void> {
  const port = await freePort();
  const inFile = environmentIn(each, given);
  const moved = { NATS_URL: nats.url, DATABASE_URL: databaseUrl, GRPC_PORT: String(grpcPort), PARLEY_HOME: home };
  const portVariable = 'PORT' in inFile ? 'PORT' : 'HEALTH_PORT';
  const service = await startService({
    name,
    app: String(each.command?.[0]),
    port,
    logFile: join(home, `${name}.log`),
    env: { ...inFile, ...moved, [portVariable]: String(port) },
    ready: { healthPath: '/health/ready' },
  });
  services.set(name, keep(service));
}

async function register(username: string): Promise<string> {
  const account = { username, email: `${username}@example.org`, password: 'correct horse' };
  const answer = await http.post('/api/auth/register', account);
  expect(answer.status).toBe(201);
  return textAt(answer.json, 'token');
}

async function connected(token: string): Promise<Socket> {
  const socket = await new Socket(`${http.url.replace('http', 'ws')}/ws`, { protocols: ['parley.v1'], token }).opened();
  socket.send({ op: 'hello' });
  await socket.frame('caught up', ({ op }) => op === 'caught_up');
  return socket;
}

test('people talk, and see who is there', async () => {
  const [ann, ben] = [await register('ann'), await register('ben')];
  const [annHttp, benHttp] = [http.as(ann), http.as(ben)];
  expect(await annHttp.post('/api/rooms', { id: 'tea', name: 'Tea' })).toMatchObject({ status: 202 });
  const annSocket = await connected(ann);
  expect(await benHttp.post('/api/rooms/tea/join', {})).toMatchObject({ status: 202 });
  const benSocket = await connected(ben);

  const ack = await annSocket.request({ op: 'send', room: 'tea', content: 'Tea?' });
  await benSocket.frame('the message', ({ op, seq }) => op === 'event' && seq === ack['seq']);
  annSocket.send({ op: 'typing', room: 'tea', typing: true });
  await benSocket.frame('typing', ({ op, user }) => op === 'typing' && user === 'ann');
  await benSocket.request({ op: 'watch', users: ['ann'] });
  await benSocket.frame('presence', ({ op, user, online }) => op === 'presence' && user === 'ann' && online === true);
  await benSocket.request({ op: 'read', room: 'tea', messageId: ack['messageId'] });
  expect(await benHttp.get('/api/rooms/tea/messages')).toMatchObject({ status: 200 });
  expect(await benHttp.post('/api/connections', { users: ['ann', 'nobody'] })).toMatchObject({
    status: 200,
    json: { ann: 1, nobody: 0 },
  });
  expect(await benHttp.put('/api/users/me/status', { status: { mood: 'thirsty' } })).toMatchObject({ status: 202 });
  expect(await benHttp.post('/api/rooms/tea/leave', {})).toMatchObject({ status: 202 });
  await annSocket.frame('ben leaves', ({ type, actor }) => type === 'member.left' && actor === 'ben');

  await annSocket.close();
  await benSocket.close();
});

test('a file that is shared over gRPC can be fetched again', async () => {
  const cat = await register('cat');
  expect(await http.as(cat).post('/api/rooms', { id: 'files', name: 'Files' })).toMatchObject({ status: 202 });
  const bytes = randomBytes(300_000);
  const room = { userId: 'cat', roomId: 'files' };
  await waitUntil('the room is in the views', 10_000, async () => {
    const { status } = await http.as(cat).get('/api/rooms/files');
    return status === 200;
  });
  expect(await shareAndFetch(`127.0.0.1:${grpcPort}`, cat, { ...room, bytes })).toEqual(bytes);
});

test("the operator's tool looks at the read models and has them rebuilt", async () => {
  const main = join(projectRoot(), 'dist', 'apps', 'cli', 'main.js');
  const env = toolEnvironment('operate');
  const operate = (...args: string[]) => run(process.execPath, [main, 'projections', ...args], { env });
  expect((await operate('status')).stdout).toContain('dead letters: 0');
  await expect(operate('rebuild')).resolves.toHaveProperty('stderr', '');
});

test('the broker has refused nothing of all that', async () => {
  const log = (): string => readFileSync(natsLog, 'utf8');
  await waitUntil('the log is written', 5_000, () => log().includes('Server is ready'));
  expect(
    log()
      .split('\n')
      .filter((line) => line.includes('Violation')),
  ).toEqual([]);
});
