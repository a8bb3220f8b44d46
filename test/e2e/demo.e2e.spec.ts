import { expect, test } from '@jest/globals';
import { listAt, textAt } from '../http.js';
import { connect } from '../socket.js';
import { contentsOf, eventually, expectRefusal, receives, worldOf } from './world.js';

const world = worldOf();

/** Seeding runs beside everything else: it is done when its last room is there. */
const seeded = () =>
  eventually(
    'the demo data',
    async () => listAt((await world.http.get('/api/rooms?limit=100')).json, 'items').length >= 7,
  );

const signIn = async (user: string) => {
  const answer = await world.http.post('/api/auth/demo', { user });
  expect(answer).toMatchObject({ status: 200, json: { user: { id: expect.any(String) }, token: expect.any(String) } });
  const token = textAt(answer.json, 'token');
  return { id: textAt(answer.json, 'user.id'), token, http: world.http.as(token) };
};

test('the demo has its users, by id and by name', async () => {
  await seeded();
  for (const [id, username, displayName] of [
    ['user1', 'alice', 'Alice Johnson'],
    ['user2', 'bob', 'Bob Smith'],
    ['user3', 'charlie', 'Charlie Brown'],
  ] as const) {
    expect((await signIn(id)).id).toBe(id);
    const { http } = await signIn(username);
    expect((await http.get('/api/me')).json).toMatchObject({ id, username, displayName });
    expect((await http.get(`/api/users/${id}`)).json).toMatchObject({ id, username, displayName });
  }
  expectRefusal(await world.http.post('/api/auth/demo', { user: 'mallory' }), 404, 'user_not_found');
});

test('and its rooms, with members and a few messages; user3 is in neither', async () => {
  await seeded();
  const { http } = await signIn('user1');
  for (const [room, name, maxMembers] of [
    ['room1', 'General Discussion', 100],
    ['room2', 'Tech Support', 50],
  ] as const) {
    expect((await http.get(`/api/rooms/${room}`)).json).toMatchObject({ id: room, name, maxMembers, memberCount: 2 });
    const users = listAt((await http.get(`/api/rooms/${room}/users`)).json, 'users');
    expect(users.map(({ userId }) => userId).sort()).toEqual(['user1', 'user2']);
    expect(listAt((await http.get(`/api/rooms/${room}/messages`)).json, 'items').length).toBeGreaterThan(1);
  }
  const ids = listAt((await http.get('/api/rooms?limit=100')).json, 'items').map(({ id }) => id);
  expect(ids).toEqual(
    expect.arrayContaining(['room1', 'room2', 'General', 'Technology', 'Crypto', 'Sports', 'Movies']),
  );
});

test('a guest without a token sees public rooms and their history', async () => {
  await seeded();
  expect(listAt((await world.http.get('/api/rooms')).json, 'items').length).toBeGreaterThan(0);
  expect(listAt((await world.http.get('/api/rooms/room1/messages')).json, 'items').length).toBeGreaterThan(0);
});

test('charlie can join and talk with alice', async () => {
  await seeded();
  const [alice, charlie] = [await signIn('alice'), await signIn('charlie')];
  expectRefusal(await charlie.http.get('/api/rooms/room1/messages'), 403, 'not_member');
  const socket = await connect(world.socketUrl, alice.token);
  await charlie.http.post('/api/rooms/room1/join', {});
  await charlie.http.post('/api/rooms/room1/messages', { text: 'Hello from charlie' });
  await receives(socket, 'room1', 'Hello from charlie');
  expect(contentsOf(socket.events('room1'))).toEqual(['Hello from charlie']);
  socket.cut();
});

test('a restart has the same demo, nothing twice, and what was done in between', async () => {
  await seeded();
  const { http } = await signIn('user1');
  const state = async () => ({
    rooms: listAt((await http.get('/api/rooms?limit=100')).json, 'items').map(({ id, memberCount }) => [
      id,
      memberCount,
    ]),
    messages: listAt((await http.get('/api/rooms/room1/messages?limit=100')).json, 'items').map(({ id }) => id),
  });
  const before = await state();
  await world.platform.process.restart();
  await eventually('the platform answers', async () => (await http.get('/health/ready')).status === 200);
  expect(await state()).toEqual(before);
}, 120_000);

test('the page is there, with a script that talks parley.v1', async () => {
  const page = await world.http.get('/');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  const script = await world.http.get(`/${/<script type="module" src="([^"]+)"/.exec(page.text)?.[1] ?? ''}`);
  expect(script.headers.get('content-type')).toMatch(/javascript/);
  expect(script.text).toContain('parley.v1');
});
