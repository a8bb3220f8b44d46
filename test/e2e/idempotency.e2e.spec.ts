import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { newKey } from '#contract';
import { listAt, textAt } from '../http.js';
import { contentsOf, expectRefusal, joined, receives, roomWith, worldOf, type Person } from './world.js';

const world = worldOf();
const freshKey = (): string => newKey(Date.now(), randomBytes(10));

const contents = async ({ http }: Person, room: string, position: string): Promise<unknown[]> => {
  const page = await http.get(`/api/rooms/${room}/messages?order=asc&position=${position}`);
  return listAt(page.json, 'items').map(({ content }) => content);
};

const keys: [string, () => string][] = [
  ['a new UUIDv7', freshKey],
  ['a UUIDv7 of an hour ago', () => newKey(Date.now() - 3_600_000, randomBytes(10))],
  ['a UUIDv7 from the future', () => newKey(Date.now() + 3_600_000, randomBytes(10))],
  ["a client's own number", () => `order 66 #${randomBytes(4).toString('hex')}`],
  ['200 printable characters', () => randomBytes(100).toString('hex')],
];

test.each(keys)(
  'a repeat with %s gets the first result, marked duplicate, and there is one message',
  async (_, makeKey) => {
    const ann = world.person('ann');
    const room = await roomWith(ann);
    const key = makeKey();
    const send = () =>
      ann.http.post(`/api/rooms/${room}/messages`, { content: 'once' }, { headers: { 'idempotency-key': key } });
    const first = await send();
    expect(first).toMatchObject({ status: 202, json: { duplicate: false } });
    for (let repeat = 0; repeat < 3; repeat += 1) {
      const again = await send();
      expect(again).toMatchObject({
        status: 202,
        json: { id: first.json['id'], position: first.json['position'], duplicate: true },
      });
    }
    expect(await contents(ann, room, textAt(first.json, 'position'))).toEqual(['once']);
  },
);

test.each(keys)('the same key (%s) with another body is refused', async (_, makeKey) => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  const headers = { 'idempotency-key': makeKey() };
  const first = await ann.http.post(`/api/rooms/${room}/messages`, { content: 'this' }, { headers });
  expectRefusal(
    await ann.http.post(`/api/rooms/${room}/messages`, { content: 'that' }, { headers }),
    422,
    'key_reused',
  );
  expect(await contents(ann, room, textAt(first.json, 'position'))).toEqual(['this']);
});

test('the same key of another user, or in another room, is another key', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const other = await roomWith(ann);
  const headers = { 'idempotency-key': freshKey() };
  for (const [{ http }, to] of [
    [ann, room],
    [bob, room],
    [ann, other],
  ] as const)
    expect(await http.post(`/api/rooms/${to}/messages`, { content: 'hi' }, { headers })).toMatchObject({
      status: 202,
      json: { duplicate: false },
    });
});

test('a socket and HTTP share a key; the repeat is acknowledged and shown to nobody', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const [annSocket, bobSocket] = [await world.connect(ann), await world.connect(bob)];
  const key = freshKey();
  const first = await annSocket.request({ op: 'send', room, content: 'once', key });
  expect(first).toMatchObject({ op: 'ack', duplicate: false });
  const again = await annSocket.request({ op: 'send', room, content: 'once', key });
  expect(again).toMatchObject({
    op: 'ack',
    messageId: first.messageId,
    seq: first.seq,
    position: first.position,
    duplicate: true,
  });
  const overHttp = await ann.http.post(
    `/api/rooms/${room}/messages`,
    { content: 'once' },
    { headers: { 'idempotency-key': key } },
  );
  expect(overHttp).toMatchObject({ status: 202, json: { id: first.messageId, duplicate: true } });
  expect(await annSocket.request({ op: 'send', room, content: 'twice', key })).toMatchObject({
    op: 'error',
    code: 'key_reused',
    temporary: false,
  });
  await annSocket.request({ op: 'send', room, content: 'end' });
  await receives(bobSocket, room, 'end');
  expect(contentsOf(bobSocket.events(room))).toEqual(['once', 'end']);
});

test('twenty repeats at once make one message', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  for (const key of [freshKey(), 'not a uuid']) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        ann.http.post(`/api/rooms/${room}/messages`, { content: key }, { headers: { 'idempotency-key': key } }),
      ),
    );
    const ids = new Set(answers.filter(({ status }) => status === 202).map(({ json }) => json['id']));
    expect({
      ids: ids.size,
      others: answers.filter(({ status }) => status !== 202 && status !== 503 && status !== 429).length,
    }).toEqual({ ids: 1, others: 0 });
    const position = textAt(answers.find(({ status }) => status === 202)?.json, 'position');
    expect((await contents(ann, room, position)).filter((content) => content === key)).toEqual([key]);
  }
});

test('someone whose acknowledgement was lost and who has left since gets the first result', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  for (const key of [freshKey(), `own ${randomBytes(4).toString('hex')}`]) {
    const send = () =>
      bob.http.post(`/api/rooms/${room}/messages`, { content: key }, { headers: { 'idempotency-key': key } });
    const first = await send();
    expect((await bob.http.post(`/api/rooms/${room}/leave`, {})).status).toBe(202);
    expect(await send()).toMatchObject({ status: 202, json: { id: first.json['id'], duplicate: true } });
    await joined(bob, room);
  }
});

test('other commands repeat too: making a room, joining, leaving, a status', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const make = { headers: { 'idempotency-key': freshKey() } };
  const first = await ann.http.post('/api/rooms', { name: 'Mine' }, make);
  const again = await ann.http.post('/api/rooms', { name: 'Mine' }, make);
  expect(again).toMatchObject({
    status: 202,
    json: { id: first.json['id'], position: first.json['position'], duplicate: true },
  });
  const room = textAt(first.json, 'id');
  for (const act of ['join', 'leave']) {
    const options = { headers: { 'idempotency-key': freshKey() } };
    const one = await bob.http.post(`/api/rooms/${room}/${act}`, {}, options);
    const two = await bob.http.post(`/api/rooms/${room}/${act}`, {}, options);
    expect(two).toMatchObject({ status: 202, json: { success: true, position: one.json['position'] } });
  }
  const status = { headers: { 'idempotency-key': freshKey() } };
  const set = await bob.http.put('/api/users/me/status', { status: { mood: 'calm' } }, status);
  expect(await bob.http.put('/api/users/me/status', { status: { mood: 'calm' } }, status)).toMatchObject({
    status: 202,
    json: { position: set.json['position'], duplicate: true },
  });
});

test.each([
  ['empty', ''],
  ['no ASCII', 'é'],
  ['of 201 characters', 'x'.repeat(201)],
  ['with a tab', 'tab\there'],
])('a key that is %s is none', async (_, key) => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  const socket = await world.connect(ann);
  expect(await socket.request({ op: 'send', room, content: 'hi', key })).toMatchObject({
    op: 'error',
    code: 'invalid_body',
  });
});
