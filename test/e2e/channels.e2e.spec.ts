import { expect, test } from '@jest/globals';
import { hs256, listAt, textAt, type Fields } from '../http.js';
import { SECRET } from '../platform.js';
import { contentsOf, eventually, worldOf, type Person } from './world.js';

const world = worldOf();

const post = ({ http }: Person, participants: readonly string[], content: string, headers = {}) =>
  http.post('/api/messages', { participants, content }, { headers });

const page = async ({ http }: Person, participants: readonly string[], query = ''): Promise<Fields[]> => {
  const answer = await http.get(`/api/messages/get?participants=${participants.join(',')}${query}`);
  expect(answer.status).toBe(200);
  return listAt(answer.json);
};

test('health answers as the contract says, to anybody', async () => {
  const answer = await world.http.get('/health');
  expect(answer).toMatchObject({
    status: 200,
    json: { status: 'ok', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
  });
});

test('a message is queued, every socket of every other participant gets it, and the page shows it newest first', async () => {
  const [ann, bob, cid] = [world.person('ann'), world.person('bob'), world.person('cid')];
  const trio = [cid.id, ann.id, bob.id];
  const [bobOne, bobTwo] = [
    await world.open({ token: bob.token }).opened(),
    await world.open({ token: bob.token }).opened(),
  ];
  const annSocket = await world.open({ token: ann.token }).opened();
  const sent = await post(ann, trio, 'first');
  expect(sent).toMatchObject({ status: 202, json: { status: 'message queued' } });
  const live = {
    id: expect.stringMatching(/^msg_\d+$/),
    sender: ann.id,
    content: 'first',
    participants: [...trio].sort(),
    created_at: expect.stringMatching(/^\d{4}-.*Z$/),
  };
  for (const socket of [bobOne, bobTwo])
    expect(await socket.frame('the message', ({ content }) => content === 'first')).toEqual(live);
  expect((await post(bob, [...trio, ann.id].reverse(), 'second')).status).toBe(202);
  await annSocket.frame('the answer', ({ content }) => content === 'second');
  expect(annSocket.frames.map(({ content }) => content)).toEqual(['second']);
  await eventually('the page has both', async () => (await page(cid, trio)).length === 2);
  const items = await page(cid, [...trio].reverse());
  expect(items.map(({ content }) => content)).toEqual(['second', 'first']);
  expect(items[1]).toEqual(live);
});

test('echo=origin and echo=all show a sender what the default holds back', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const all = await world.open({ token: ann.token }, '?echo=all').opened();
  const none = await world.open({ token: ann.token }, '?echo=none').opened();
  await post(ann, [ann.id, bob.id], 'hello');
  expect(await all.frame('own message', ({ content }) => content === 'hello')).toMatchObject({ sender: ann.id });
  await post(bob, [ann.id, bob.id], 'hi');
  await none.frame("bob's", ({ content }) => content === 'hi');
  expect(none.frames.map(({ content }) => content)).toEqual(['hi']);
});

test('a channel of one is allowed, and participants are trimmed', async () => {
  const ann = world.person('ann');
  expect((await post(ann, [ann.id], 'to myself')).status).toBe(202);
  expect((await post(ann, [` ${ann.id} `, ann.id], 'again')).status).toBe(202);
  await eventually('both are there', async () => (await page(ann, [ann.id])).length === 2);
});

test('page and size are clamped, or the default where they are no number', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const pair = [ann.id, bob.id];
  for (let i = 0; i < 5; i += 1) await post(ann, pair, `m${i}`);
  await eventually('all are there', async () => (await page(bob, pair)).length === 5);
  const contents = async (query: string) => (await page(bob, pair, query)).map(({ content }) => content);
  expect(await contents('&size=2')).toEqual(['m4', 'm3']);
  expect(await contents('&size=2&page=1')).toEqual(['m2', 'm1']);
  expect(await contents('&size=2&page=7')).toEqual([]);
  expect(await contents('&size=1000')).toHaveLength(5);
  expect(await contents('&size=0')).toHaveLength(1);
  expect(await contents('&size=-3&page=-1')).toEqual(['m4']);
  expect(await contents('&size=many&page=last')).toHaveLength(5);
});

test("someone who is no participant gets an empty list, for a channel that is and one that isn't", async () => {
  const [ann, bob, eve] = [world.person('ann'), world.person('bob'), world.person('eve')];
  await post(ann, [ann.id, bob.id], 'private');
  await eventually('bob has it', async () => (await page(bob, [ann.id, bob.id])).length === 1);
  expect(await page(eve, [ann.id, bob.id])).toEqual([]);
  expect(await page(eve, ['nobody', eve.id])).toEqual([]);
});

test('whoever a valid token names is a user: by `id` or `sub`, with whatever id another system gave', async () => {
  const odd = 'auth0|Zoë Müller';
  const zoe = { id: odd, token: hs256(SECRET, { id: odd }), http: world.http.as(hs256(SECRET, { id: odd })) };
  const ann = world.person('ann');
  const socket = await world.open({ token: zoe.token }).opened();
  expect((await post(ann, [ann.id, odd], 'hello')).status).toBe(202);
  expect(await socket.frame('the message', ({ content }) => content === 'hello')).toMatchObject({
    participants: [ann.id, odd].sort(),
  });
  expect((await post(zoe, [odd, ann.id], 'hello back')).status).toBe(202);
});

test('live connections are counted, of all who are asked for', async () => {
  const [ann, bob, cid] = [world.person('ann'), world.person('bob'), world.person('cid')];
  const sockets = [
    await world.open({ token: ann.token }).opened(),
    await world.open({ token: ann.token }).opened(),
    await world.connect(bob),
  ];
  const counts = async () => {
    const answer = await world.http.as(undefined).post('/api/connections', { users: [ann.id, bob.id, cid.id] });
    expect(answer.status).toBe(200);
    return JSON.stringify(answer.json);
  };
  await eventually(
    'two, one and none',
    async () => (await counts()) === JSON.stringify({ [ann.id]: 2, [bob.id]: 1, [cid.id]: 0 }),
  );
  sockets[0]?.cut();
  await sockets[2]?.close();
  await eventually(
    'one, none and none',
    async () => (await counts()) === JSON.stringify({ [ann.id]: 1, [bob.id]: 0, [cid.id]: 0 }),
  );
});

test('a key makes a repeat harmless here too', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const headers = { 'idempotency-key': 'the one and only' };
  const first = await post(ann, [ann.id, bob.id], 'once', headers);
  const again = await post(ann, [bob.id, ann.id], 'once', headers);
  expect(again).toMatchObject({ status: 202, json: { id: textAt(first.json, 'id'), duplicate: true } });
});

test('a parley.v1 socket has the channel as a room, from its first message', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const socket = await world.connect(bob);
  const ack = await (await world.connect(ann)).request({ op: 'send', participants: [ann.id, bob.id], content: 'psst' });
  expect(ack).toMatchObject({ op: 'ack', room: expect.any(String), messageId: expect.any(String) });
  const room = String(ack.room);
  await socket.frame('the message', ({ type, room: where }) => type === 'message.sent' && where === room);
  expect(contentsOf(socket.events(room))).toEqual(['psst']);
  const again = await world.connect(bob);
  expect(again.frames[0]).toMatchObject({ rooms: [{ room, kind: 'channel', participants: [ann.id, bob.id].sort() }] });
});

const refusals: [string, (ann: Person) => Promise<{ status: number; text: string }>, number, string][] = [
  ['no JSON', (ann) => ann.http.post('/api/messages', '{'), 400, 'bad request'],
  ['no body', (ann) => ann.http.post('/api/messages'), 400, 'bad request'],
  ['a body that is a list', (ann) => ann.http.post('/api/messages', []), 400, 'bad request'],
  [
    'no participants',
    (ann) => ann.http.post('/api/messages', { content: 'hi' }),
    400,
    'participants array is required',
  ],
  ['an empty list of participants', (ann) => post(ann, [], 'hi'), 400, 'participants array is required'],
  [
    'participants without the sender',
    (ann) => post(ann, ['bob', 'cid'], 'hi'),
    403,
    'forbidden: sender must be part of participants',
  ],
  [
    'a page without participants',
    (ann) => ann.http.get('/api/messages/get'),
    400,
    'participants query parameter is required',
  ],
  [
    'a page with empty participants',
    (ann) => ann.http.get('/api/messages/get?participants='),
    400,
    'participants query parameter is required',
  ],
  ['connections without users', (ann) => ann.http.post('/api/connections', {}), 400, 'users array is required'],
  [
    'no token',
    () => world.http.post('/api/messages', { participants: ['a'], content: 'x' }),
    401,
    'missing authorization header',
  ],
  [
    'another scheme',
    () => world.http.get('/api/messages/get?participants=a', { headers: { authorization: 'Basic YTpi' } }),
    401,
    'invalid authorization header format',
  ],
  ['a token that is none', () => world.http.as('abc').get('/api/messages/get?participants=a'), 401, 'invalid token'],
  ['GET where there is POST', (ann) => ann.http.get('/api/messages'), 405, 'method not allowed'],
  ['DELETE where there is GET', (ann) => ann.http.call('DELETE', '/api/messages/get'), 405, 'method not allowed'],
  ['PUT where there is POST', (ann) => ann.http.put('/api/connections', {}), 405, 'method not allowed'],
  ['POST on health', (ann) => ann.http.post('/health', {}), 405, 'method not allowed'],
];

test.each(refusals)('%s is refused in plain text', async (_, call, status, text) => {
  const answer = await call(world.person('ann'));
  expect({ status: answer.status, text: answer.text }).toEqual({ status, text: `${text}\n` });
  expect((answer as unknown as { headers: Headers }).headers.get('content-type')).toMatch(/^text\/plain/);
});

test('the same refusals are problems for who asks for JSON', async () => {
  const answer = await world.person('ann').http.post('/api/messages', {}, { headers: { accept: 'application/json' } });
  expect(answer).toMatchObject({
    status: 400,
    json: { code: 'invalid_body', detail: 'participants array is required' },
  });
});

test.each([
  ['no token', {}],
  ['a token that is none', { authorization: 'Bearer nonsense' }],
  ['another scheme', { authorization: 'Basic YTpi' }],
])('a plain socket with %s is refused before the upgrade', async (_, headers) => {
  expect(await world.open({ headers }).refused()).toBe(401);
});
