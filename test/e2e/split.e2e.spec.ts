/** What one process cannot show: two of each service, the commands split by service, clients on different gateways. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EventStream } from '../event-stream.js';
import { listAt, textAt } from '../http.js';
import { refusedByBroker, startSplit, tokenFor, type Split } from '../platform.js';
import { connect, type Socket } from '../socket.js';
import { contentsOf, eventually, messageIn, receives } from './world.js';

let platform: Split;
const sockets: Socket[] = [];

beforeAll(async () => {
  platform = await startSplit({
    env: { CONNECTIONS_PUBLIC: '1' },
    envOf: { 'commands-1': { COMMANDS: 'send,join' }, 'commands-2': { COMMANDS: 'leave,status' } },
  });
}, 120_000);

afterAll(async () => {
  sockets.forEach((socket) => socket.cut());
  await platform?.stop();
}, 60_000);

async function on(gateway: 0 | 1, user: string, hello: object = {}): Promise<Socket> {
  const socket = await connect(platform.sockets[gateway] ?? '', tokenFor(user), hello);
  sockets.push(socket);
  return socket;
}

test('people on different gateways talk, by commands that different processes serve', async () => {
  const [ann, bob] = [await on(0, 'ann'), await on(1, 'bob')];
  const made = await platform.http.as(tokenFor('ann')).post('/api/rooms', { id: 'bridge', name: 'Bridge' });
  expect(made.status).toBe(202);
  expect(await bob.request({ op: 'join', room: 'bridge' })).toMatchObject({ op: 'ack' });
  await ann.frame('bob joins', ({ type, actor }) => type === 'member.joined' && actor === 'bob');
  const ack = await ann.request({ op: 'send', room: 'bridge', content: 'over there?' });
  expect(await receives(bob, 'bridge', 'over there?')).toMatchObject({ seq: ack.seq, actor: 'ann' });
  ann.send({ op: 'typing', room: 'bridge', typing: true });
  await bob.frame('ann types', ({ op, user }) => op === 'typing' && user === 'ann');
  expect(await bob.request({ op: 'status', status: { mood: 'glad' } })).toMatchObject({ op: 'ack' });
  expect(await bob.request({ op: 'leave', room: 'bridge' })).toMatchObject({ op: 'ack' });
  await ann.frame('bob leaves', ({ type, actor }) => type === 'member.left' && actor === 'bob');
});

test('a cursor of one gateway is good at the other', async () => {
  const [cid, dot] = [await on(0, 'cid'), await on(0, 'dot')];
  const http = platform.http.as(tokenFor('cid'));
  await http.post('/api/rooms', { id: 'ferry', name: 'Ferry' });
  await dot.request({ op: 'join', room: 'ferry' });
  await cid.request({ op: 'send', room: 'ferry', content: 'first' });
  await receives(dot, 'ferry', 'first');
  const { cursor } = await dot.pong();
  dot.cut();
  for (const content of ['second', 'third']) await cid.request({ op: 'send', room: 'ferry', content });
  const again = await on(1, 'dot', { since: cursor });
  expect(again.frames[0]).toMatchObject({ op: 'welcome', recovered: true });
  // What came after the last cursor may come again.
  expect(contentsOf(again.events('ferry')).filter((content) => content !== 'first')).toEqual(['second', 'third']);
});

test('a key is one key at every edge, and a position is waited for at every api', async () => {
  const eve = await on(1, 'eve');
  const http = platform.http.as(tokenFor('eve'));
  await http.post('/api/rooms', { id: 'ledger', name: 'Ledger' });
  const ack = await eve.request({ op: 'send', room: 'ledger', content: 'once', key: 'k-1' });
  const again = await http.post(
    '/api/rooms/ledger/messages',
    { content: 'once' },
    { headers: { 'idempotency-key': 'k-1' } },
  );
  expect(again).toMatchObject({ status: 202, json: { id: ack.messageId, duplicate: true } });
  for (let round = 0; round < 4; round += 1) {
    const sent = await http.post('/api/rooms/ledger/messages', { content: `round ${round}` });
    const page = await http.get(`/api/rooms/ledger/messages?limit=1&position=${textAt(sent.json, 'position')}`);
    expect(listAt(page.json, 'items')).toMatchObject([{ content: `round ${round}` }]);
  }
});

test('connections and presence are those of all gateways', async () => {
  await platform.http.as(tokenFor('fay')).post('/api/rooms', { id: 'porch', name: 'Porch' });
  await platform.http.as(tokenFor('gus')).post('/api/rooms/porch/join', {});
  const watcher = await on(0, 'fay');
  await watcher.request({ op: 'watch', users: ['gus'] });
  const [one, other] = [await on(0, 'gus'), await on(1, 'gus')];
  await watcher.frame(
    'gus is online',
    ({ op, user, online }) => op === 'presence' && user === 'gus' && online === true,
  );
  const count = async () => (await platform.http.post('/api/connections', { users: ['gus'] })).text;
  await eventually('two connections', async () => (await count()) === '{"gus":2}');
  one.cut();
  other.cut();
  await eventually('none', async () => (await count()) === '{"gus":0}');
  const shown = () => watcher.frames.findLast(({ op, user }) => op === 'presence' && user === 'gus');
  await eventually('gus is offline', () => shown()?.online === false);
});

test('and a gateway that is killed takes its connections out of the count when its lease ends', async () => {
  const [here, there] = [await on(0, 'hal'), await on(1, 'hal')];
  const count = async () => (await platform.http.post('/api/connections', { users: ['hal'] })).text;
  await eventually('two connections', async () => (await count()) === '{"hal":2}');
  const gateway = platform.services.get('gateway-2');
  await gateway?.kill();
  await there.closed();
  await eventually('one connection', async () => (await count()) === '{"hal":1}', LEASE_MS);
  await gateway?.restart();
  await here.pong();
}, 90_000);

test('server-sent events come through the proxy, and go on at another gateway when theirs is killed', async () => {
  const [ida, joe] = [platform.http.as(tokenFor('ida')), platform.http.as(tokenFor('joe'))];
  await ida.post('/api/rooms', { id: 'lane', name: 'Lane' });
  await joe.post('/api/rooms/lane/join', {});
  const say = (content: string) => ida.post('/api/rooms/lane/messages', { content });
  const listen = (url: string, lastEventId = ''): Promise<EventStream> =>
    new EventStream(url, { token: tokenFor('joe'), lastEventId }).caughtUp();
  const gateway = platform.services.get('gateway-1');
  const [proxied, direct] = [await listen(platform.url), await listen(gateway?.url ?? '')];
  await say('one');
  for (const stream of [proxied, direct]) await stream.event('one', messageIn('lane', 'one'));
  expect((await proxied.opened()).headers).toMatchObject({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  await gateway?.kill();
  await direct.closed();
  for (const content of ['two', 'three']) await say(content);
  const again = await listen(platform.url, direct.lastEventId);
  expect(again.frames[0]).toMatchObject({ op: 'welcome', recovered: true });
  // What came after the last cursor may come again.
  expect(contentsOf(again.frames).filter((content) => content !== 'one')).toEqual(['two', 'three']);
  await gateway?.restart();
  for (const stream of [proxied, again]) stream.cut();
}, 90_000);

test('and the broker has refused its users nothing of all that', () => {
  expect(refusedByBroker(platform)).toEqual([]);
});

const LEASE_MS = 60_000;
