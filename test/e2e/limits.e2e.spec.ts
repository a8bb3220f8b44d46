import { expect, test } from '@jest/globals';
import type { Answer } from '../http.js';
import { startStandalone } from '../platform.js';
import { connect, type Socket } from '../socket.js';
import { eventually, expectRefusal, roomWith, worldOf } from './world.js';

const world = worldOf();
/** So many that a machine which answers a hundred a second still refuses most: 40 are free, and 20 more each second. */
const AT_ONCE = 300;

test('a user who sends more than 40 at once is told when to go on, over HTTP', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const answers = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => ann.http.post(`/api/rooms/${room}/messages`, { content: `m${i}` })),
  );
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(40);
  const [first] = refused as [Answer];
  expectRefusal(first, 429, 'rate_limited');
  expect(first.json['detail']).toBe('rate limit exceeded');
  expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await bob.http.post(`/api/rooms/${room}/messages`, { content: 'I am not her' })).status).toBe(202);
  await eventually(
    'ann may go on',
    async () => (await ann.http.post(`/api/rooms/${room}/messages`, { content: 'on' })).status === 202,
  );
});

test('and over a socket, as a temporary error', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  const socket = await world.connect(ann);
  const answers = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => socket.request({ op: 'send', room, content: `m${i}` })),
  );
  const refused = answers.filter(({ op }) => op === 'error');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]).toMatchObject({ code: 'rate_limited', temporary: true, retryMs: expect.any(Number) });
  await socket.pong();
});

test('the participants route says so in plain text', async () => {
  const ann = world.person('ann');
  const answers = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) =>
      ann.http.post('/api/messages', { participants: [ann.id], content: `m${i}` }),
    ),
  );
  const refused = answers.find(({ status }) => status === 429);
  expect(refused).toMatchObject({ status: 429, text: 'rate limit exceeded\n' });
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('the sixth wrong password in a minute is refused unread', async () => {
  const { http } = world;
  const login = () => http.post('/api/auth/login', { email: 'nobody@example.org', password: 'wrong wrong' });
  const answers: Answer[] = [];
  for (let attempt = 0; attempt < 6; attempt += 1) answers.push(await login());
  expect(answers.slice(0, 5).map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
  expectRefusal(answers[5] as Answer, 429, 'rate_limited');
});

test('a user has at most 20 sockets; the next one is told so and closed for good', async () => {
  const ann = world.person('ann');
  const sockets: Socket[] = [];
  for (let i = 0; i < 20; i += 1) sockets.push(await world.connect(ann));
  const extra = world.open({ token: ann.token, protocols: ['parley.v1'] });
  await extra.opened();
  extra.send({ op: 'hello' });
  expect((await extra.closed()).code).toBe(4504);
  await sockets[0]?.close();
  await world.connect(ann);
});

test('more than 500 watched users are refused', async () => {
  const socket = await world.connect(world.person('ann'));
  const users = Array.from({ length: 501 }, (_, i) => `u${i}`);
  expect(await socket.request({ op: 'watch', users })).toMatchObject({
    op: 'error',
    code: expect.stringMatching(/^(too_large|invalid_body)$/),
  });
});

test('a platform that is stopped drains: it says so, closes with 4000, and what was acknowledged is there afterwards', async () => {
  const platform = await startStandalone();
  try {
    const ann = { id: 'ann', token: world.person('ann').token };
    const http = platform.http.as(ann.token);
    await http.post('/api/rooms', { id: 'shelter', name: 'Shelter' });
    const socket = await connect(platform.sockets[0] ?? '', ann.token);
    const ack = await socket.request({ op: 'send', room: 'shelter', content: 'before the storm' });
    const restarted = platform.process.restart();
    expect(await socket.frame('drain', ({ op }) => op === 'drain')).toMatchObject({ retryMs: expect.any(Number) });
    expect((await socket.closed()).code).toBe(4000);
    await restarted;
    const shown = await http.get(`/api/rooms/shelter/messages?position=${String(ack.position)}`);
    expect(shown).toMatchObject({ status: 200, json: { items: [{ id: ack.messageId, content: 'before the storm' }] } });
  } finally {
    await platform.stop();
  }
}, 120_000);
