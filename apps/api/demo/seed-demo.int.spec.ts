import { beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '#read-models';
import { CommandBus, connectNats, loadConfig } from '#service';
import { problem } from '../test-client.js';
import { People } from '../test-people.js';
import { type Api, foreignToken, usePlatform } from '../test-platform.js';
import { seedDemo } from './seed-demo.js';

const platform = usePlatform(['commands', 'projection']);
let api: Api;
const people = new People(() => api);

/** Seeds, and waits until the views show it. */
async function seed(): Promise<void> {
  const nats = await connectNats(loadConfig({ NATS_URL: platform.nats.url }), 'spec');
  const database = await openDatabase(platform.databaseUrl);
  await seedDemo({ bus: new CommandBus(nats), database });
  await database.close();
  await nats.close();
}

async function demoToken(user: string): Promise<string> {
  const answer = await api.ask({ url: '/api/auth/demo', body: { user } });
  expect(answer.status).toBe(200);
  return String(answer.json()['token']);
}

beforeAll(async () => {
  api = await platform.api({ PARLEY_DEMO: '1', JWT_SECRET: 'short' });
  await seed();
  await seed();
  // The seed's last command; a query at its position sees everything of its partition, and the rest is as old.
  const token = await demoToken('alice');
  for (const name of ['room1', 'room2', 'Movies']) {
    const { position } = await people.done(token, { url: `/api/rooms/${name}/join`, body: {} });
    await people.seen(token, `/api/rooms/${name}`, position);
  }
});

describe('the demo', () => {
  test.each([
    ['alice', 'user1', 'Alice Johnson'],
    ['user1', 'user1', 'Alice Johnson'],
    ['BOB', 'user2', 'Bob Smith'],
    ['charlie', 'user3', 'Charlie Brown'],
  ])('%s signs in by name or id and is %s, %s', async (name, id, displayName) => {
    const answer = await api.ask({ url: '/api/auth/demo', body: { user: name } });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ user: { id, displayName }, token: expect.any(String) });
    const me = await api.ask({ url: '/api/me', token: String(answer.json()['token']) });
    expect(me.json()).toMatchObject({ id, displayName });
  });

  test('has its rooms once, with the first two users in the first two', async () => {
    const rooms = await api.ask({ url: '/api/rooms?limit=100', token: await demoToken('charlie') });
    const items = rooms.json()['items'] as { id: string; name: string; maxMembers: number; memberCount: number }[];
    expect(items.map(({ id }) => id).sort()).toEqual(
      ['Crypto', 'General', 'Movies', 'Sports', 'Technology', 'room1', 'room2'].sort(),
    );
    expect(items.find(({ id }) => id === 'room1')).toMatchObject({
      name: 'General Discussion',
      maxMembers: 100,
      memberCount: 2,
    });
    expect(items.find(({ id }) => id === 'room2')).toMatchObject({
      name: 'Tech Support',
      maxMembers: 50,
      memberCount: 2,
    });
    const messages = await api.ask({ url: '/api/rooms/room1/messages?order=asc', token: await demoToken('bob') });
    expect((messages.json()['items'] as { sender: string }[]).map(({ sender }) => sender)).toEqual([
      'user1',
      'user2',
      'user1',
    ]);
  });

  test('nobody registers a demo user’s name, and nobody else signs in without a password', async () => {
    for (const username of ['alice', 'User1']) {
      const body = { username, email: `${username}@example.org`, password: 'correct horse' };
      expect((await api.ask({ url: '/api/auth/register', body })).status).toBe(409);
    }
    await api.ask({
      url: '/api/auth/register',
      body: { username: 'zoe', email: 'zoe@example.org', password: 'correct horse' },
    });
    expect(await api.ask({ url: '/api/auth/demo', body: { user: 'zoe' } })).toMatchObject(
      problem(404, 'user_not_found', 'user not found'),
    );
    expect(await api.ask({ url: '/api/auth/demo', body: {} })).toMatchObject(
      problem(400, 'invalid_body', 'user is required'),
    );
    expect(await api.ask({ url: '/api/auth/login', body: { username: 'alice', password: '' } })).toMatchObject(
      problem(400, 'invalid_body', 'email and password are required'),
    );
  });

  test('a shared secret works beside the accounts', async () => {
    const token = foreignToken({ id: 'stranger' }, { secret: 'short' });
    expect((await api.ask({ url: '/api/me', token })).json()).toMatchObject({ id: 'stranger' });
  });
});

describe('a demo guest', () => {
  test('reads public rooms without a token', async () => {
    expect((await api.ask({ url: '/api/rooms' })).status).toBe(200);
    expect((await api.ask({ url: '/api/rooms/room1' })).json()).toMatchObject({ id: 'room1' });
    expect((await api.ask({ url: '/api/rooms/room1/users' })).json()).toMatchObject({
      users: [
        { userId: 'user1', username: 'alice' },
        { userId: 'user2', username: 'bob' },
      ],
    });
    expect((await api.ask({ url: '/api/rooms/room1/messages' })).status).toBe(200);
  });

  test('sees no private room, writes nothing, and is nobody elsewhere', async () => {
    const token = await demoToken('alice');
    const made = await people.done(token, { url: '/api/rooms', body: { name: 'Secret', isPrivate: true } });
    const url = `/api/rooms/${made.id}`;
    await people.seen(token, url, made.position);
    expect(await api.ask({ url })).toMatchObject(problem(404, 'room_not_found', 'room not found'));
    const missing = problem(401, 'unauthenticated', 'missing authorization header');
    expect(await api.ask({ url: '/api/rooms/room1/messages', body: { content: 'x' } })).toMatchObject(missing);
    expect(await api.ask({ url: '/api/inbox' })).toMatchObject(missing);
    expect(await api.ask({ url: '/api/rooms', headers: { authorization: 'Bearer x' } })).toMatchObject(
      problem(401, 'unauthenticated', 'invalid token'),
    );
  });
});
