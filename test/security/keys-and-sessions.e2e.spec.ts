/** Keys change and sessions are stolen while people talk, on a platform with two of what verifies tokens. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeProtectedHeader } from 'jose';
import { CLOSE, SUBPROTOCOL } from '#contract';
import { type Platform, projectRoot, startPlatform, waitUntil } from '#embedded';
import { Grpc } from '../grpc.js';
import { Http, listAt, textAt } from '../http.js';
import { connect, Socket } from '../socket.js';

const WAIT_MS = 30_000;
const run = promisify(execFile);
let platform: Platform;
let http: Http;
const opened: Socket[] = [];

beforeAll(async () => {
  platform = await startPlatform({
    replicas: { commands: 1, projection: 1 },
    sync: 'off',
    env: { RATE_LIMITS: 'off', ROOMS_ON_JOIN: 'true' },
  });
  http = new Http(platform.url);
}, 120_000);
afterAll(async () => {
  for (const socket of opened) socket.cut();
  await platform?.stop();
}, 60_000);

interface SignedIn {
  readonly name: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
}

async function signUp(): Promise<SignedIn> {
  const name = `user-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const { json } = await http.post('/api/auth/register', { username: name, email: `${name}@example.org`, password });
  return { name, password, token: textAt(json, 'token'), refreshToken: textAt(json, 'refreshToken') };
}

/** A socket on each gateway. */
async function onEveryGateway(token: string): Promise<Socket[]> {
  const sockets = await Promise.all(platform.sockets.map((url) => connect(url, token)));
  opened.push(...sockets);
  return sockets;
}

const apis = (): Http[] =>
  [...platform.services].flatMap(([name, { url }]) => (name.startsWith('api') ? [new Http(url ?? '')] : []));

const refresh = (refreshToken: string) => http.post('/api/auth/refresh', { refreshToken });
const kidOf = (token: string): unknown => decodeProtectedHeader(token).kid;

async function parley(...args: string[]): Promise<Record<string, unknown>[]> {
  const env = {
    ...process.env,
    DATABASE_URL: platform.databaseUrl,
    NATS_URL: platform.natsUrls('operate').join(','),
  };
  const main = join(projectRoot(), 'dist', 'apps', 'cli', 'main.js');
  const { stdout } = await run(process.execPath, [main, ...args, '--json'], { env });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a key is rotated while people talk: nobody is signed out, no socket is closed, and the new key signs', async () => {
  const [ann, bob, cleo] = [await signUp(), await signUp(), await signUp()];
  for (const { token } of [ann, bob]) expect((await http.as(token).post('/api/rooms/hall/join', {})).status).toBe(202);
  const sockets = [...(await onEveryGateway(ann.token)), ...(await onEveryGateway(bob.token))];
  const grpc = platform.grpc.map((address) => new Grpc(address, ann.token));
  const streams = grpc.map((each) => each.stream('ChatStream'));
  for (const stream of streams) await stream.join(ann.name, 'hall');

  const before = kidOf(ann.token);
  const listed = await parley('keys', 'rotate');
  expect(listed.map(({ kid, state }) => [kid === before, state])).toEqual([
    [true, 'retired'],
    [false, 'active'],
  ]);
  const now = listed[1]?.['kid'];
  for (const api of apis()) {
    const shown = await api.get('/.well-known/jwks.json');
    expect(listAt(shown.json, 'keys').map(({ kid }) => kid)).toEqual([before, now]);
    await waitUntil('the new key signs', WAIT_MS, async () => {
      const { json } = await api.post('/api/auth/login', { username: cleo.name, password: cleo.password });
      return kidOf(textAt(json, 'token')) === now;
    });
  }

  const refreshed = await refresh(ann.refreshToken);
  const next = textAt(refreshed.json, 'token');
  expect(kidOf(next)).toBe(now);
  for (const token of [ann.token, next]) {
    for (const api of apis()) expect((await api.as(token).get('/api/me')).json).toMatchObject({ id: ann.name });
    sockets.push(...(await onEveryGateway(token)));
    for (const each of grpc) expect(await each.as(token).call('GetRooms', {})).toMatchObject({ code: 0 });
  }

  await http.as(ann.token).post('/api/rooms/hall/messages', { content: 'still here' });
  for (const socket of sockets)
    await socket.frame('still here', ({ data }) => JSON.stringify(data ?? '').includes('still here'));
  for (const stream of streams) await stream.hears('hall', 'still here');
  expect(sockets.filter(({ isClosed }) => isClosed)).toEqual([]);
  for (const each of grpc) each.close();
}, 120_000);

/** A way in: whether it takes a token. Any other answer than yes or no is an error. */
interface Edge {
  readonly name: string;
  readonly takes: (token: string) => Promise<boolean>;
}

const said = (what: string, answer: unknown, yes: unknown, no: unknown): boolean => {
  if (answer === yes || answer === no) return answer === yes;
  throw new Error(`${what} answers ${String(answer)}`);
};

/** Of every replica of what verifies tokens. */
function edges(): Edge[] {
  const urls = (service: string): string[] =>
    [...platform.services].flatMap(([name, { url }]) => (name.startsWith(service) ? [url ?? ''] : []));
  const overHttp = (name: string, url: string): Edge => ({
    name: `${name} of ${url}`,
    async takes(token) {
      const { status, body } = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      await body?.cancel();
      return said(name, status, 200, 401);
    },
  });
  const overSocket = (url: string): Edge => ({
    name: `a hello at ${url}`,
    async takes(token) {
      const socket = await new Socket(url, { protocols: [SUBPROTOCOL] }).opened();
      opened.push(socket);
      socket.send({ op: 'hello', token });
      const answer = await waitUntil('a welcome or a close', WAIT_MS, async () =>
        socket.isClosed ? (await socket.closed()).code : socket.frames.find(({ op }) => op === 'welcome')?.op,
      );
      socket.cut();
      return said('the socket', answer, 'welcome', CLOSE.signInRefused);
    },
  });
  const overGrpc = (address: string): Edge => ({
    name: `gRPC at ${address}`,
    async takes(token) {
      const grpc = new Grpc(address, token);
      const { code } = await grpc.call('GetRooms', {});
      grpc.close();
      return said('gRPC', code, 0, 16);
    },
  });
  return [
    ...urls('api').map((url) => overHttp('/api/me', `${url}/api/me`)),
    ...urls('gateway').map((url) => overHttp('/api/events', `${url}/api/events`)),
    ...platform.sockets.map(overSocket),
    ...platform.grpc.map(overGrpc),
  ];
}

/** What `parley keys --help` says, services forget a revoked key within 2 minutes; and a machine that has other things to do. */
const FORGOTTEN_WITHIN_MS = 2 * 60_000 + 30_000;

test('a key is revoked: what it has signed is refused at every edge in the stated time, and everybody else goes on', async () => {
  const [ann, bob] = [await signUp(), await signUp()];
  const lost = kidOf(ann.token);
  await parley('keys', 'rotate');
  const cleo = await waitUntil('the next key signs', WAIT_MS, async () => {
    const { token } = await signUp();
    return kidOf(token) === lost ? undefined : token;
  });
  const refreshed = await waitUntil('the next key signs for bob', WAIT_MS, async () => {
    const { json } = await http.post('/api/auth/login', { username: bob.name, password: bob.password });
    const token = textAt(json, 'token');
    return kidOf(token) === lost ? undefined : token;
  });
  const all = edges();
  // Every edge has seen the key, and remembers the tokens.
  for (const { name, takes } of all)
    for (const token of [cleo, refreshed, ann.token, bob.token])
      expect([name, await takes(token)]).toEqual([name, true]);
  const open = await onEveryGateway(ann.token);

  const listed = await parley('keys', 'revoke', String(lost));
  const since = performance.now();
  expect(listed.map(({ kid }) => kid)).not.toContain(lost);
  expect(listed).toContainEqual(expect.objectContaining({ kid: kidOf(cleo), state: 'active' }));
  for (const { name, takes } of all)
    for (const token of [ann.token, bob.token])
      await waitUntil(
        `${name} refuses it`,
        Math.max(1, FORGOTTEN_WITHIN_MS - (performance.now() - since)),
        async () => {
          return !(await takes(token));
        },
      );

  for (const { name, takes } of all)
    for (const token of [cleo, refreshed]) expect([name, await takes(token)]).toEqual([name, true]);
  for (const socket of open) await socket.pong();
  const next = textAt((await refresh(ann.refreshToken)).json, 'token');
  expect(kidOf(next)).toBe(kidOf(cleo));
  for (const { name, takes } of all) expect([name, await takes(next)]).toEqual([name, true]);
  await expect(parley('keys', 'revoke', String(lost))).rejects.toThrow(
    `there is no key ${String(lost)}: parley keys list`,
  );
  // A name is random: one in 64 begins so.
  await expect(parley('keys', 'revoke', '-no-such-key')).rejects.toThrow('there is no key -no-such-key');
}, 300_000);

test('a stolen refresh token ends its session: sockets on every gateway, tokens on every replica; other sessions stay', async () => {
  const ann = await signUp();
  const elsewhere = await http.post('/api/auth/login', { username: ann.name, password: ann.password });
  const others = await onEveryGateway(textAt(elsewhere.json, 'token'));
  const stolen = ann.refreshToken;
  const first = await refresh(stolen);
  const thief = await refresh(textAt(first.json, 'refreshToken'));
  const sockets = [...(await onEveryGateway(ann.token)), ...(await onEveryGateway(textAt(thief.json, 'token')))];
  const grpc = platform.grpc.map((address) => new Grpc(address, ann.token));
  const streams = grpc.map((each) => each.stream('Chat'));
  for (const stream of streams) await stream.join(ann.name, 'hall');

  expect(await refresh(stolen)).toMatchObject({ status: 401 });
  for (const socket of sockets) expect((await socket.closed()).code).toBe(4505);
  for (const stream of streams) expect(await stream.ended()).toMatchObject({ code: 16 });
  for (const token of [ann.token, textAt(thief.json, 'token')])
    for (const api of apis())
      await waitUntil(
        'its tokens are refused',
        WAIT_MS,
        async () => (await api.as(token).get('/api/me')).status === 401,
      );
  expect(await refresh(textAt(thief.json, 'refreshToken'))).toMatchObject({ status: 401 });

  for (const socket of others) await socket.pong();
  expect((await refresh(textAt(elsewhere.json, 'refreshToken'))).status).toBe(200);
  for (const each of grpc) each.close();
}, 120_000);

test('two tabs that refresh at once, on two replicas, both go on', async () => {
  const { refreshToken } = await signUp();
  const answers = await Promise.all(apis().map((api) => api.post('/api/auth/refresh', { refreshToken })));
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  const [one, other] = answers.map(({ json }) => textAt(json, 'refreshToken'));
  expect(one).toBe(other);
  for (const { json } of answers) expect((await http.as(textAt(json, 'token')).get('/api/me')).status).toBe(200);
  expect((await refresh(one ?? '')).status).toBe(200);
});
