/** What a client sees of the socket's rules: sign-in, refusals, close codes, limits. */
import { randomUUID } from 'node:crypto';
import { get, type IncomingHttpHeaders } from 'node:http';
import { beforeAll, expect, test } from '@jest/globals';
import { CLOSE, LIMITS, SUBPROTOCOL, TRANSIENT } from '#contract';
import { connectNats } from '#service';
import { Client, type Gateway, tokenFor, usePlatform } from '../test-platform.js';

const platform = usePlatform();
let gateway: Gateway;
beforeAll(async () => {
  gateway = await platform.gateway({ ORIGINS: 'https://friend.example' });
});

const someone = (): string => `u${randomUUID().slice(0, 8)}`;

interface Refused {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** An upgrade that is refused with an HTTP answer. */
function refusedUpgrade(headers: Record<string, string>, path = '/ws'): Promise<Refused> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  return new Promise((resolve, reject) => {
    const request = get(`${gateway.url}${path}`, { headers: { ...upgrade, ...headers } });
    request.on('error', reject);
    request.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('was upgraded'));
    });
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    });
  });
}

test.each<[string, Record<string, string>, number, string]>([
  ['no header and no subprotocol', {}, 401, 'missing authorization header\n'],
  ['a header of another kind', { authorization: 'Basic abc' }, 401, 'invalid authorization header format\n'],
  ['a token that is none', { authorization: 'Bearer nonsense' }, 401, 'invalid token\n'],
  [
    'a bad header beside the subprotocol',
    { authorization: 'Bearer x', 'sec-websocket-protocol': SUBPROTOCOL },
    401,
    'invalid token\n',
  ],
  ['an unknown subprotocol', { 'sec-websocket-protocol': 'graphql-ws' }, 400, 'unknown subprotocol: offer parley.v1\n'],
  ['a foreign origin', { origin: 'https://evil.example' }, 403, 'forbidden: this origin may not connect\n'],
])('%s is refused before the upgrade', async (_, headers, status, text) => {
  const answer = await refusedUpgrade(headers);
  expect([answer.status, answer.text]).toEqual([status, text]);
  expect(answer.headers['content-type']).toMatch(/^text\/plain/);
});

test('a refusal is JSON for whoever asks for it, and an echo that is none is refused', async () => {
  const json = await refusedUpgrade({ accept: 'application/json' });
  expect(JSON.parse(json.text)).toEqual({
    status: 401,
    code: 'unauthenticated',
    detail: 'missing authorization header',
  });
  const echo = await refusedUpgrade({ authorization: `Bearer ${tokenFor('ann')}` }, '/ws?echo=loud');
  expect(echo.status).toBe(400);
});

test('the page’s own origin and a listed one may connect', async () => {
  for (const origin of [gateway.url, 'https://friend.example']) {
    const client = Client.raw(gateway, { user: someone(), headers: { origin } });
    await client.isOpen();
    expect(client.socket.protocol).toBe(SUBPROTOCOL);
    client.socket.close();
  }
});

test('a token may come by header, by subprotocol or in hello', async () => {
  const user = someone();
  const bySubprotocol = Client.raw(gateway, { protocols: [SUBPROTOCOL, `bearer.${tokenFor(user)}`] });
  await bySubprotocol.isOpen();
  bySubprotocol.send({ op: 'hello' });
  expect(await bySubprotocol.frame({ op: 'welcome' })).toMatchObject({ user, heartbeatMs: LIMITS.heartbeatMs });
  const inHello = Client.raw(gateway);
  await inHello.isOpen();
  inHello.send({ op: 'hello', token: tokenFor(user) });
  expect(await inHello.frame({ op: 'welcome' })).toMatchObject({ user, recovered: true });
});

test.each<[string, (client: Client) => void, number]>([
  ['a hello without any token', (client) => client.send({ op: 'hello' }), CLOSE.signInRefused],
  ['a hello with a bad token', (client) => client.send({ op: 'hello', token: 'x.y.z' }), CLOSE.signInRefused],
  [
    'a hello with an expired token',
    (client) => client.send({ op: 'hello', token: tokenFor('ann', -60) }),
    CLOSE.tokenExpired,
  ],
  ['another frame before the hello', (client) => client.send({ op: 'ping' }), CLOSE.protocolError],
  ['a binary frame', (client) => client.socket.send(Buffer.from([1, 2, 3])), CLOSE.protocolError],
  ['a frame that is too large', (client) => client.socket.send('x'.repeat(LIMITS.frameBytes + 1)), CLOSE.frameTooLarge],
])('%s closes', async (_, send, code) => {
  const client = Client.raw(gateway);
  await client.isOpen();
  send(client);
  expect((await client.closes()).code).toBe(code);
});

test('a bad token in the subprotocol is told by a close code, which a browser can see', async () => {
  const bad = Client.raw(gateway, { protocols: [SUBPROTOCOL, 'bearer.nonsense'] });
  expect((await bad.closes()).code).toBe(CLOSE.signInRefused);
});

test('a hello for somebody else than the header names, and a second hello, close', async () => {
  const other = Client.raw(gateway, { user: someone() });
  await other.isOpen();
  other.send({ op: 'hello', token: tokenFor(someone()) });
  expect((await other.closes()).code).toBe(CLOSE.signInRefused);
  const twice = await Client.open(gateway, someone());
  twice.send({ op: 'hello' });
  expect((await twice.closes()).code).toBe(CLOSE.protocolError);
});

test('a socket ends with its token', async () => {
  const client = Client.raw(gateway);
  await client.isOpen();
  client.send({ op: 'hello', token: tokenFor(someone(), 1) });
  expect((await client.closes()).code).toBe(CLOSE.tokenExpired);
});

test('one user has so many connections and no more; when one goes, another may come', async () => {
  const user = someone();
  const clients = await Promise.all(Array.from({ length: LIMITS.socketsPerUser }, () => Client.open(gateway, user)));
  const tooMany = Client.raw(gateway, { user });
  await tooMany.isOpen();
  tooMany.send({ op: 'hello' });
  expect((await tooMany.closes()).code).toBe(CLOSE.tooManyConnections);
  await clients[0]?.cut();
  await Client.open(gateway, user);
  for (const client of clients) client.socket.terminate();
});

test('a session that is revoked loses its sockets', async () => {
  const user = someone();
  const client = await Client.open(gateway, user);
  const nats = await connectNats(platform.config, 'spec');
  nats.publish(TRANSIENT.sessionRevoked(user), JSON.stringify({ userId: user, sessionId: 'another' }));
  nats.publish(TRANSIENT.sessionRevoked(user), 'what?');
  nats.publish(TRANSIENT.sessionRevoked(user), JSON.stringify({ userId: user }));
  expect((await client.closes()).code).toBe(CLOSE.sessionRevoked);
  await nats.close();
});

test.each<[string, unknown, string, string | undefined]>([
  ['no JSON', 'hello', 'invalid_body', undefined],
  ['an array', '[1]', 'invalid_body', undefined],
  ['null', 'null', 'invalid_body', undefined],
  ['no op', { id: 'a' }, 'invalid_body', 'a'],
  ['an unknown op', { op: 'fly', id: 'a' }, 'invalid_body', 'a'],
  ['an op that is no string', { op: { deep: true }, id: 'a' }, 'invalid_body', 'a'],
  ['a send without an id', { op: 'send', room: 'r', content: 'x' }, 'invalid_body', undefined],
  ['a send to nowhere', { op: 'send', id: 'a', content: 'x' }, 'invalid_body', 'a'],
  ['a send to a room that is none', { op: 'send', id: 'a', room: '../etc', content: 'x' }, 'invalid_body', 'a'],
  ['a send to a missing room', { op: 'send', id: 'a', room: 'nowhere', content: 'x' }, 'room_not_found', 'a'],
  ['a send of nothing', { op: 'send', id: 'a', room: 'r', content: '' }, 'invalid_body', 'a'],
  ['a send of bad text', { op: 'send', id: 'a', room: 'r', content: 'a\u0000b' }, 'invalid_text', 'a'],
  ['a send with an unknown field', { op: 'send', id: 'a', room: 'r', content: 'x', evil: 1 }, 'invalid_body', 'a'],
  [
    'a send that is too long',
    { op: 'send', id: 'a', room: 'r', content: 'x'.repeat(LIMITS.contentBytes + 1) },
    'too_large',
    'a',
  ],
  ['a key that is none', { op: 'send', id: 'a', room: 'r', content: 'x', key: 'ü' }, 'invalid_body', 'a'],
  ['a channel without its sender', { op: 'send', id: 'a', participants: ['x'], content: 'x' }, 'forbidden', 'a'],
  ['a join of nothing', { op: 'join', id: 7 }, 'invalid_body', undefined],
  ['typing where one is no member', { op: 'typing', room: 'nowhere', typing: true }, 'not_member', undefined],
  ['a mark that is none', { op: 'read', id: 'a', room: 'r', messageId: 'last' }, 'invalid_body', 'a'],
  [
    'too many watched',
    { op: 'watch', id: 'a', users: Array.from({ length: 501 }, (_, i) => `u${i}`) },
    'invalid_body',
    'a',
  ],
])('%s is an error, and the socket lives', async (_, frame, code, id) => {
  const client = await Client.open(gateway, someone());
  client.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  const error = await client.frame({ op: 'error' });
  expect(error).toMatchObject({ code, temporary: false, message: expect.any(String) });
  if (id !== undefined) expect(error['id']).toBe(id);
  client.send({ op: 'ping' });
  await client.frame({ op: 'pong' });
  client.socket.terminate();
});

test('whoever sends too fast is told when to go on', async () => {
  const client = await Client.open(gateway, someone());
  for (let i = 0; i < LIMITS.sendsBurst + 10; i++)
    client.send({ op: 'send', id: `s${i}`, room: 'nowhere', content: 'x' });
  expect(await client.frame({ op: 'error', code: 'rate_limited' })).toMatchObject({
    temporary: true,
    retryMs: expect.any(Number),
  });
});

test('a flood of frames of any kind is refused, and the socket lives', async () => {
  const client = await Client.open(gateway, someone());
  for (let i = 0; i < 1_000; i++) client.send({ op: 'ping' });
  await client.frame({ op: 'error', code: 'rate_limited' });
  expect(client.closed).toBeUndefined();
});

test('a request that asks for no upgrade is refused as an upgrade is, or told to ask for one', async () => {
  const ask = async (headers: Record<string, string>) => {
    const answer = await fetch(`${gateway.url}/ws`, { headers });
    return [answer.status, await answer.text()];
  };
  expect(await ask({})).toEqual([401, 'missing authorization header\n']);
  expect(await ask({ authorization: `Bearer ${tokenFor('ann')}` })).toEqual([426, 'upgrade required\n']);
});

test('another path is not ours, and health is', async () => {
  const elsewhere = Client.raw(gateway, { user: someone(), path: '/elsewhere' });
  await elsewhere.closes();
  expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
});
