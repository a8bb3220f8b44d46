import { createPublicKey, verify } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { hs256, listAt, textAt, type Answer } from '../http.js';
import { SECRET } from '../platform.js';
import { expectRefusal, worldOf } from './world.js';

const world = worldOf();

async function register(username: string): Promise<Answer> {
  const answer = await world.http.post('/api/auth/register', {
    username,
    email: `${username}@example.org`,
    password: 'long enough for all',
  });
  expect(answer.status).toBe(201);
  return answer;
}

test('a token is signed with a key that is published, and says who and until when', async () => {
  const { json } = await register('Iris');
  const [header = '', claims = '', signature = ''] = textAt(json, 'token').split('.');
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  const keys = listAt((await world.http.get('/.well-known/jwks.json')).json, 'keys');
  const key = keys.find(({ kid }) => kid === read(header)['kid']);
  expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519' });
  expect(key).not.toHaveProperty('d');
  const published = createPublicKey({ key: key as never, format: 'jwk' });
  expect(verify(null, Buffer.from(`${header}.${claims}`), published, Buffer.from(signature, 'base64url'))).toBe(true);
  expect(read(claims)).toMatchObject({ sub: 'iris', exp: expect.any(Number) });
});

test('signing in works with the name and with the e-mail, in whatever case', async () => {
  await register('Jon');
  for (const who of [{ username: 'jon' }, { username: 'JON' }, { email: 'Jon@example.org' }]) {
    const answer = await world.http.post('/api/auth/login', { ...who, password: 'long enough for all' });
    expect(answer).toMatchObject({ status: 200, json: { user: { id: 'jon', username: 'Jon' } } });
  }
});

test('a refresh token is good once; used twice, its session is over', async () => {
  const { json } = await register('Kim');
  const refresh = (refreshToken: string) => world.http.post('/api/auth/refresh', { refreshToken });
  const first = await refresh(textAt(json, 'refreshToken'));
  expect(first).toMatchObject({ status: 200, json: { user: { id: 'kim' }, token: expect.any(String) } });
  expect((await world.http.as(textAt(first.json, 'token')).get('/api/me')).json).toMatchObject({ id: 'kim' });
  // The answer may have been lost: whoever repeats the question is told the same.
  const repeated = await refresh(textAt(json, 'refreshToken'));
  expect(textAt(repeated.json, 'refreshToken')).toBe(textAt(first.json, 'refreshToken'));
  const second = await refresh(textAt(first.json, 'refreshToken'));
  expectRefusal(await refresh(textAt(json, 'refreshToken')), 401, 'unauthenticated');
  expectRefusal(await refresh(textAt(second.json, 'refreshToken')), 401, 'unauthenticated');
});

test('signing out ends the session and closes its sockets for good; other sessions stay', async () => {
  const { json } = await register('Lea');
  const other = await world.http.post('/api/auth/login', { username: 'lea', password: 'long enough for all' });
  const [here, there] = await Promise.all(
    [textAt(json, 'token'), textAt(other.json, 'token')].map((token) =>
      world.connect({ id: 'lea', token, http: world.http }),
    ),
  );
  expect((await world.http.as(textAt(json, 'token')).post('/api/auth/logout', {})).status).toBe(200);
  expect((await here?.closed())?.code).toBe(4505);
  await there?.pong();
  expectRefusal(
    await world.http.post('/api/auth/refresh', { refreshToken: textAt(json, 'refreshToken') }),
    401,
    'unauthenticated',
  );
});

test('a socket ends with its token', async () => {
  const token = hs256(SECRET, { sub: 'brief', exp: Math.floor(Date.now() / 1_000) + 2 });
  const socket = await world.connect({ id: 'brief', token, http: world.http });
  expect((await socket.closed()).code).toBe(4501);
});

test('a profile is changed, and what others see with it', async () => {
  const { json } = await register('Mia');
  const http = world.http.as(textAt(json, 'token'));
  const changed = await http.call('PATCH', '/api/me', {
    body: { displayName: 'Mia M.', avatarUrl: 'https://example.org/m.png' },
  });
  expect(changed).toMatchObject({ status: 202, json: { id: 'mia', position: expect.any(String) } });
  const seen = await world.person('ann').http.get(`/api/users/mia?position=${textAt(changed.json, 'position')}`);
  expect(seen).toMatchObject({
    status: 200,
    json: { id: 'mia', username: 'Mia', displayName: 'Mia M.', avatarUrl: 'https://example.org/m.png' },
  });
  expect(seen.json).not.toHaveProperty('email');
});
