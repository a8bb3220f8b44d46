/** Everything that is secret goes by everywhere it can, failures are provoked, and then nobody has written any of it down. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type NatsServer, type Platform, startPlatform, waitUntil } from '#embedded';
import { openDatabase } from '#read-models';
import { Grpc } from '../grpc.js';
import { Http, textAt } from '../http.js';
import { killAndRestart } from '../platform.js';
import { connect, Socket } from '../socket.js';

const WAIT_MS = 60_000;
let platform: Platform;
let http: Http;
/** By what it is. */
const secrets = new Map<string, string>();
/** Everything that was answered, which may hold no secret but those that it is there to give. */
const answers: string[] = [];

beforeAll(async () => {
  platform = await startPlatform({
    replicas: { commands: 1, projection: 1, gateway: 1, api: 1 },
    sync: 'off',
    env: { LOG_LEVEL: 'debug', ROOMS_ON_JOIN: 'true' },
  });
  http = new Http(platform.url);
}, 120_000);
afterAll(() => platform?.stop(), 60_000);

const secret = (what: string, value = `s3cr3t-${randomBytes(12).toString('hex')}`): string => {
  secrets.set(what, value);
  return value;
};

async function said(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(`${platform.url}${path}`, init);
  answers.push(
    `${path.split('?')[0]}: ${response.status} ${await response.clone().text()} ${JSON.stringify([...response.headers])}`,
  );
  return response;
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  said(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const isUp = async (): Promise<boolean> => {
  const [ready, room] = await Promise.all([fetch(`${platform.url}/health/ready`), fetch(`${platform.url}/api/rooms`)]);
  return ready.status === 200 && room.status === 401;
};

async function everythingGoesBy(): Promise<void> {
  const account = { username: 'ann', email: 'ann@example.org', password: secret('password') };
  const { json } = await http.post('/api/auth/register', account);
  const token = secret('access token', textAt(json, 'token'));
  const refreshToken = secret('refresh token', textAt(json, 'refreshToken'));
  const refreshed = await http.post('/api/auth/refresh', { refreshToken });
  secret('next access token', textAt(refreshed.json, 'token'));
  secret('next refresh token', textAt(refreshed.json, 'refreshToken'));
  const ann = http.as(token);
  expect((await ann.post('/api/rooms/hall/join', {})).status).toBe(202);
  expect((await ann.post('/api/rooms/hall/messages', { content: secret('content over HTTP') })).status).toBe(202);

  const url = platform.sockets[0] ?? '';
  const socket = await new Socket(url, { protocols: ['parley.v1'] }).opened();
  socket.send({ op: 'hello', token });
  await socket.frame('caught_up', ({ op }) => op === 'caught_up');
  await socket.request({ op: 'send', room: 'hall', content: secret('content over a socket') });
  await socket.request({ op: 'send', room: 'hall', content: secret('content that is refused'), type: 'system' });
  socket.send(`{"op":"send","content":"${secret('content that cannot be read')}`);
  socket.cut();
  const browser = await new Socket(url, { protocols: ['parley.v1', `bearer.${token}`] }).opened();
  browser.cut();
  const stream = new AbortController();
  await fetch(`${platform.url}/api/events?token=${token}`, { signal: stream.signal });
  stream.abort();

  const grpc = new Grpc(platform.grpc[0] ?? '', token);
  const message = { user_id: 'ann', room_id: 'hall', content: secret('content over gRPC') };
  expect(await grpc.call('SendMessage', { message })).toMatchObject({ code: 0 });
  grpc.close();
}

async function everythingIsRefused(): Promise<void> {
  const bad = secret('bad token', `x.${randomBytes(24).toString('base64url')}.y`);
  const headers = { authorization: `Bearer ${bad}` };
  await post('/api/auth/login', { username: 'ann', password: secret('wrong password') });
  await post('/api/auth/login', `{"username":"ann","password":"${secret('password in half a body')}`);
  await post('/api/auth/register', { username: 'a b', email: 'none', password: secret('password of no account') });
  await post('/api/auth/refresh', { refreshToken: secret('wrong refresh token') });
  await post('/api/auth/logout', { refreshToken: secret('refresh token of nobody') });
  await post('/api/rooms/hall/messages', { content: secret('content of nobody') }, headers);
  await post('/api/messages', { participants: 7, content: secret('content for nobody') }, headers);
  await said(`/api/events?token=${bad}`);
  await said(`/api/nothing?token=${bad}`, { headers });
  await said('/api/me', { headers: { authorization: secret('a header of another form') } });
  const grpc = new Grpc(platform.grpc[0] ?? '', bad);
  answers.push(JSON.stringify(await grpc.call('GetRooms', {})));
  grpc.close();
  const url = platform.sockets[0] ?? '';
  const socket = new Socket(url, { protocols: ['parley.v1', `bearer.${bad}`] });
  answers.push(JSON.stringify(await socket.closed()));
  const upgrade = new Socket(url, { protocols: ['parley.v1'], token: bad });
  expect(await upgrade.refused()).toBe(401);
}

/** What is asked while servers are away fails inside, and is written down. */
async function everythingBreaks(): Promise<void> {
  const token = secrets.get('access token') ?? '';
  const headers = { authorization: `Bearer ${token}` };
  const during = async (): Promise<void> => {
    await Promise.all([
      said('/health/ready'),
      said('/api/me', { headers }),
      post('/api/auth/login', { username: 'ann', password: secret('password while it is away') }),
      post('/api/auth/refresh', { refreshToken: secret('refresh token while it is away') }),
    ]);
  };
  await killAndRestart(platform.postgres, during);
  await waitUntil('the platform is back', WAIT_MS, isUp);
  await killAndRestart(platform.nats as NatsServer, async () => {
    await Promise.all([said('/health/ready'), said('/api/me', { headers })]);
  });
  await waitUntil('the platform is back', WAIT_MS, isUp);
}

async function whatTheServersKnow(): Promise<void> {
  secret('password of the database', new URL(platform.databaseUrl).password);
  for (const user of ['commands', 'projection', 'gateway', 'api', 'operate', 'setup'] as const)
    secret(`${user}'s password on the broker`, new URL(platform.natsUrls(user)[0] ?? '').password);
  const database = await openDatabase(platform.databaseUrl);
  const rows: { d: string }[] = await database.source.query(`select private_jwk->>'d' as d from signing_keys`);
  for (const { d } of rows) secret('private key', d);
  const accounts: { password_hash: string }[] = await database.source.query('select password_hash from accounts');
  for (const { password_hash: hash } of accounts) secret('hash of a password', hash);
  await database.close();
}

test('nothing secret stands in a log, an error or a health page, failures and debug level included', async () => {
  await everythingGoesBy();
  await everythingIsRefused();
  await everythingBreaks();
  await whatTheServersKnow();
  for (const path of ['/health', '/health/live', '/health/ready', '/docs', '/openapi.json']) await said(path);
  for (const { url } of platform.services.values())
    answers.push(await (await fetch(`${url ?? ''}/health/ready`)).text());
  const restored = await connect(platform.sockets[0] ?? '', secrets.get('next access token') ?? '');
  restored.cut();

  const logs = readdirSync(platform.folder).filter((name) => name.endsWith('.log'));
  expect(logs.length).toBeGreaterThanOrEqual(6);
  const texts = logs.map((name) => [name, readFileSync(join(platform.folder, name), 'utf8')] as const);
  // They did write down what went wrong.
  expect(texts.map(([, text]) => text).join('')).toMatch(/error|warn/i);
  const found = [...secrets].flatMap(([what, value]) => {
    expect(value.length).toBeGreaterThan(8);
    const inLogs = texts.filter(([, text]) => text.includes(value)).map(([name]) => `${what} in ${name}`);
    const inAnswers = answers.filter((answer) => answer.includes(value)).map((answer) => `${what} in ${answer}`);
    return [...inLogs, ...inAnswers];
  });
  expect(secrets.size).toBeGreaterThan(25);
  expect(found).toEqual([]);
}, 180_000);
