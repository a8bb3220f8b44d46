import { expect, test } from '@jest/globals';
import { listAt, textAt } from '../http.js';
import { expectRefusal, joined, roomWith, say, worldOf } from './world.js';

const world = worldOf();

test('joining gives the last events of the room, oldest first, in both spellings', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann);
  const started = Date.now();
  const sent = await say(ann, room, 'hello');
  const answer = await joined(bob, room);
  const history = listAt(answer.json, 'history');
  expect(history.map(({ eventType }) => eventType)).toEqual(['join', 'message', 'join']);
  for (const item of history) expect(item['event_type']).toBe(item['eventType']);
  const message = history[1];
  expect(message).toEqual({
    eventType: 'message',
    event_type: 'message',
    offset: expect.any(Number),
    data: { userId: ann.id, username: expect.any(String), text: 'hello', timestamp: expect.any(Number) },
  });
  expect(Math.abs(Number((message?.['data'] as { timestamp: number }).timestamp) - started)).toBeLessThan(60_000);
  expect(`${sent.position.split('-')[0]}-${String(message?.['offset'])}`).toBe(sent.position);
  expect(history[2]).toMatchObject({ data: { userId: bob.id } });
});

test('a message is answered with its id and its place', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  for (const body of [{ text: 'spelled so' }, { content: 'or so' }]) {
    const answer = await ann.http.post(`/api/rooms/${room}/messages`, body);
    expect(answer).toMatchObject({
      status: 202,
      json: {
        success: true,
        eventId: expect.stringMatching(/^msg_\d+$/),
        offset: expect.any(Number),
        position: expect.any(String),
      },
    });
    expect(answer.json['eventId']).toBe(answer.json['id']);
    expect(`-${String(answer.json['offset'])}`).toBe(textAt(answer.json, 'position').replace(/^\d+/, ''));
  }
});

test('users are listed with when they joined, and gone when they leave', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const users = async (position = '') =>
    listAt((await ann.http.get(`/api/rooms/${room}/users${position}`)).json, 'users');
  const both = await users();
  expect(both.map(({ userId }) => userId).sort()).toEqual([ann.id, bob.id].sort());
  expect(both[0]).toMatchObject({ username: expect.any(String), joinedAt: expect.anything() });
  const left = await bob.http.post(`/api/rooms/${room}/leave`, {});
  expect(left).toMatchObject({ status: 202, json: { success: true } });
  expect((await users(`?position=${textAt(left.json, 'position')}`)).map(({ userId }) => userId)).toEqual([ann.id]);
});

test('joining a room that does not exist makes it, in the demo', async () => {
  const ann = world.person('ann');
  const room = `new-${ann.id}`;
  expect(listAt((await joined(ann, room)).json, 'history')).toHaveLength(1);
  expect(await ann.http.get(`/api/rooms/${room}`)).toMatchObject({
    status: 200,
    json: { id: room, createdBy: ann.id, memberCount: 1 },
  });
});

test('joining as a member and leaving as none are successes that change nothing', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann);
  expect(await ann.http.post(`/api/rooms/${room}/join`, {})).toMatchObject({
    status: 202,
    json: { success: true, changed: false },
  });
  expect(await bob.http.post(`/api/rooms/${room}/leave`, {})).toMatchObject({
    status: 202,
    json: { success: true, changed: false },
  });
});

test('the token says who acts: a body that names somebody else is refused, one that names oneself is not', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  for (const [path, body] of [
    ['join', {}],
    ['messages', { text: 'as bob' }],
    ['leave', {}],
  ] as const) {
    expectRefusal(await ann.http.post(`/api/rooms/${room}/${path}`, { ...body, userId: bob.id }), 403, 'forbidden');
    const own = await ann.http.post(`/api/rooms/${room}/${path}`, { ...body, userId: ann.id, username: 'Somebody' });
    expect(own).toMatchObject({ status: 202, json: { success: true } });
  }
});

test('rooms are made, listed with a cursor and a search, changed, and archived', async () => {
  const ann = world.person('ann');
  const names = ['alpha', 'beta', 'gamma'].map((name) => `${name} of ${ann.id}`);
  let position = '';
  for (const name of names)
    position = textAt(
      (await ann.http.post('/api/rooms', { name, description: 'd', settings: { theme: 'dark' } })).json,
      'position',
    );
  const list = (query: string) =>
    ann.http.get(`/api/rooms?q=${encodeURIComponent(ann.id)}&position=${position}${query}`);
  const first = await list('&limit=2');
  const second = await list(`&limit=2&cursor=${encodeURIComponent(textAt(first.json, 'next'))}`);
  expect([...listAt(first.json, 'items'), ...listAt(second.json, 'items')].map(({ name }) => name).sort()).toEqual(
    names,
  );
  expect(second.json['next']).toBeNull();
  const room = textAt(listAt(first.json, 'items')[0], 'id');
  const changed = await ann.http.call('PATCH', `/api/rooms/${room}`, { body: { name: 'delta' } });
  expect(changed).toMatchObject({ status: 202, json: { id: room } });
  expect(await ann.http.get(`/api/rooms/${room}?position=${textAt(changed.json, 'position')}`)).toMatchObject({
    json: { name: 'delta', description: 'd', settings: { theme: 'dark' }, isPrivate: false, createdBy: ann.id },
  });
  expect((await ann.http.call('DELETE', `/api/rooms/${room}`)).status).toBe(202);
  expectRefusal(await ann.http.post(`/api/rooms/${room}/messages`, { content: 'late' }), 409, 'room_archived');
});

test('a room takes no more than its seats, however many come at once', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann, [], { maxMembers: 4 });
  const crowd = Array.from({ length: 12 }, (_, i) => world.person(`p${i}`));
  const answers = await Promise.all(crowd.map(({ http }) => http.post(`/api/rooms/${room}/join`, {})));
  const statuses = answers.map(({ status }) => status);
  expect({
    in: statuses.filter((status) => status === 202).length,
    out: statuses.filter((status) => status === 409).length,
  }).toEqual({ in: 3, out: 9 });
  for (const answer of answers) if (answer.status === 409) expectRefusal(answer, 409, 'room_full');
  expect(listAt((await ann.http.get(`/api/rooms/${room}/users`)).json, 'users')).toHaveLength(4);
});
