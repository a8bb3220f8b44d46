/** Sessions and the keys that sign for them. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { waitUntil } from '#embedded';
import { openDatabase } from '#read-models';
import { SigningKeys } from '#service';
import { type Answer, type Call, problem } from '../test-client.js';
import { type Api, foreignToken, usePlatform } from '../test-platform.js';

const platform = usePlatform([]);
const PASSWORD = 'correct horse';

let api: Api;
let quiet: Api;

beforeAll(async () => {
  api = await platform.api();
  quiet = await platform.api({ RATE_LIMITS: 'off' });
});

const register = (body: object): Call => ({ url: '/api/auth/register', body });
const login = (body: object): Call => ({ url: '/api/auth/login', body });
const refresh = (refreshToken: unknown): Call => ({ url: '/api/auth/refresh', body: { refreshToken } });
const person = (name: string) => ({ username: name, email: `${name}@example.org`, password: PASSWORD });
const tokens = (answer: Answer) => answer.json() as { token: string; refreshToken: string };

describe('sessions', () => {
  const signIn = async (name: string): Promise<{ token: string; refreshToken: string }> => {
    await quiet.ask(register(person(name)));
    return tokens(await quiet.ask(login({ username: name, password: PASSWORD })));
  };
  const refused = problem(401, 'unauthenticated', 'invalid token');

  test('a refresh token gives the next pair', async () => {
    const first = await signIn('gita');
    const answer = await quiet.ask(refresh(first.refreshToken));
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ user: { id: 'gita' } });
    const next = tokens(answer);
    expect(next.refreshToken).not.toBe(first.refreshToken);
    expect(decodeJwt(next.token)['sid']).toBe(decodeJwt(first.token)['sid']);
    expect((await quiet.ask({ url: '/api/me', token: next.token })).status).toBe(200);
  });

  /** As if so much time had passed since the user's tokens were used. */
  async function passed(userId: string, seconds: number): Promise<void> {
    const database = await openDatabase(platform.databaseUrl);
    await database.source.query(
      `update refresh_tokens set used_at = used_at - make_interval(secs => $2)
       where session_id in (select id from sessions where user_id = $1)`,
      [userId, seconds],
    );
    await database.close();
  }

  test('a second use ends the whole session and is announced', async () => {
    const { token, refreshToken } = await signIn('hans');
    const other = tokens(await quiet.ask(login({ username: 'hans', password: PASSWORD })));
    const thief = tokens(await quiet.ask(refresh(refreshToken)));
    await passed('hans', 31);
    const announced = await platform.revocationsOf('hans');
    expect(await quiet.ask(refresh(refreshToken))).toMatchObject(refused);
    expect(await announced.next()).toEqual({ userId: 'hans', sessionId: decodeJwt(token)['sid'] });
    expect(await quiet.ask(refresh(thief.refreshToken))).toMatchObject(refused);
    expect((await quiet.ask(refresh(other.refreshToken))).status).toBe(200);
  });

  test('a second use ends it at once when somebody has gone on with what the first one gave', async () => {
    const { refreshToken } = await signIn('hedi');
    const thief = tokens(await quiet.ask(refresh(refreshToken)));
    const next = tokens(await quiet.ask(refresh(thief.refreshToken)));
    expect(await quiet.ask(refresh(refreshToken))).toMatchObject(refused);
    for (const { refreshToken: taken } of [thief, next]) expect(await quiet.ask(refresh(taken))).toMatchObject(refused);
  });

  test('whoever did not get the answer asks again, and gets the same next token', async () => {
    const { refreshToken } = await signIn('ilse');
    const lost = tokens(await quiet.ask(refresh(refreshToken)));
    const again = await quiet.ask(refresh(refreshToken));
    expect({ status: again.status, next: tokens(again).refreshToken }).toEqual({
      status: 200,
      next: lost.refreshToken,
    });
    expect((await quiet.ask({ url: '/api/me', token: tokens(again).token })).status).toBe(200);
    expect((await quiet.ask(refresh(lost.refreshToken))).status).toBe(200);
  });

  test('many that use one token at once, on two replicas, all go on with the same one', async () => {
    const { refreshToken } = await signIn('ivo');
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? quiet : api).ask(refresh(refreshToken))),
    );
    const next = new Set(answers.map((answer) => tokens(answer).refreshToken));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(next.size).toBe(1);
    expect((await quiet.ask(refresh([...next][0]))).status).toBe(200);
  });

  test('no token stands in the database, and old ones are forgotten', async () => {
    const { token, refreshToken } = await signIn('ines');
    const next = tokens(await quiet.ask(refresh(refreshToken)));
    const database = await openDatabase(platform.databaseUrl);
    const rows: { row: string }[] = await database.source.query('select t::text as row from refresh_tokens t');
    for (const secret of [token, refreshToken, next.token, next.refreshToken]) {
      const hex = Buffer.from(secret, 'base64url').toString('hex');
      for (const { row } of rows) expect(row.includes(secret) || row.includes(hex)).toBe(false);
    }
    const count = async (): Promise<unknown> =>
      (await database.source.query('select from refresh_tokens where session_id = $1', [decodeJwt(token)['sid']]))
        .length;
    expect(await count()).toBe(2);
    await database.source.query('update refresh_tokens set expires_at = now() where used_at is not null');
    await quiet.ask(refresh(next.refreshToken));
    expect(await count()).toBe(2);
    await database.close();
  });

  test.each([['by its refresh token'], ['by its access token']])('signing out %s ends it', async (how) => {
    const { token, refreshToken } = await signIn('jana');
    const announced = await platform.revocationsOf('jana');
    const answer = await quiet.ask(
      how === 'by its refresh token'
        ? { url: '/api/auth/logout', body: { refreshToken } }
        : { method: 'POST', url: '/api/auth/logout', token },
    );
    expect({ status: answer.status, body: answer.json() }).toEqual({
      status: 200,
      body: { user: null, token: null, refreshToken: null },
    });
    expect(await announced.next()).toMatchObject({ userId: 'jana' });
    // Every replica hears of it and takes the session's access token no longer.
    for (const replica of [quiet, api])
      await waitUntil('the token is refused', 5_000, async () => {
        const me = await replica.ask({ url: '/api/me', token });
        return me.status === 401 && me.json()['code'] === 'unauthenticated';
      });
    expect(await quiet.ask(refresh(refreshToken))).toMatchObject(refused);
  });

  test('what is no refresh token is refused', async () => {
    expect(await quiet.ask(refresh('nothing'))).toMatchObject(refused);
    expect(await quiet.ask(refresh(undefined))).toMatchObject(problem(400, 'invalid_body', 'refreshToken is required'));
    expect(await quiet.ask({ url: '/api/auth/logout', body: { refreshToken: 'nothing' } })).toMatchObject(refused);
    expect(await quiet.ask({ method: 'POST', url: '/api/auth/logout' })).toMatchObject(
      problem(401, 'unauthenticated', 'missing authorization header'),
    );
  });
});

describe('keys', () => {
  test('the tokens of every replica verify against the one published key', async () => {
    const replicas = await Promise.all([platform.api({ RATE_LIMITS: 'off' }), platform.api({ RATE_LIMITS: 'off' })]);
    await quiet.ask(register(person('kira')));
    for (const replica of [quiet, ...replicas]) {
      const { token } = tokens(await replica.ask(login({ username: 'kira', password: PASSWORD })));
      const keys = createRemoteJWKSet(new URL(`${quiet.url}/.well-known/jwks.json`));
      expect((await jwtVerify(token, keys)).payload.sub).toBe('kira');
    }
    const published = (await quiet.ask({ url: '/.well-known/jwks.json' })).json() as { keys: object[] };
    expect(published.keys).toHaveLength(1);
    expect(published.keys[0]).toEqual({
      kty: 'OKP',
      crv: 'Ed25519',
      x: expect.any(String),
      kid: expect.any(String),
      alg: 'EdDSA',
      use: 'sig',
    });
  });

  test('many replicas that start on an empty database make one key', async () => {
    const database = await openDatabase(await platform.postgres.createDatabase('keys'));
    const kids = await Promise.all(
      Array.from({ length: 6 }, async () => (await new SigningKeys(database).active()).kid),
    );
    expect(new Set(kids).size).toBe(1);
    await database.close();
  });

  test('after a rotation old tokens stay good and new ones have the new key', async () => {
    const old = tokens(await quiet.ask(register(person('lara')))).token;
    const database = await openDatabase(platform.databaseUrl);
    const kid = await new SigningKeys(database).rotate();
    await database.close();
    const fresh = await platform.api({ RATE_LIMITS: 'off' });
    const { token } = tokens(await fresh.ask(login({ username: 'lara', password: PASSWORD })));
    expect(decodeProtectedHeader(token).kid).toBe(kid);
    for (const good of [old, token]) {
      expect((await quiet.ask({ url: '/api/me', token: good })).status).toBe(200);
      expect((await fresh.ask({ url: '/api/me', token: good })).status).toBe(200);
    }
  });

  test('a key that is too old is replaced by whoever signs next, once, and its tokens stay good', async () => {
    const { token } = tokens(await quiet.ask(register(person('lena'))));
    const database = await openDatabase(platform.databaseUrl);
    await database.source.query(`update signing_keys set created_at = now() - interval '91 days'`);
    const kids = await Promise.all(
      Array.from({ length: 6 }, async () => (await new SigningKeys(database).active()).kid),
    );
    expect(new Set(kids).size).toBe(1);
    expect(kids[0]).not.toBe(decodeProtectedHeader(token).kid);
    expect((await quiet.ask({ url: '/api/me', token })).status).toBe(200);
    await database.close();
  });

  test('a retired key is accepted for longer than any token lives, then it is forgotten, private half and all', async () => {
    const database = await openDatabase(await platform.postgres.createDatabase('retired'));
    const keys = new SigningKeys(database);
    const { kid: first } = await keys.active();
    const second = await keys.rotate();
    const states = async () => (await keys.list()).map(({ kid, state }) => ({ kid, state }));
    const retired = (hours: number) =>
      database.source.query(`update signing_keys set retired_at = now() - make_interval(hours => $2) where kid = $1`, [
        first,
        hours,
      ]);
    await retired(24);
    expect(await states()).toEqual([
      { kid: first, state: 'retired' },
      { kid: second, state: 'active' },
    ]);
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toEqual([first, second]);
    await retired(25);
    expect((await states())[0]).toEqual({ kid: first, state: 'ended' });
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toEqual([second]);
    await keys.rotate();
    expect((await states()).map(({ kid }) => kid)).not.toContain(first);
    await database.close();
  });

  test('a revoked key is gone at once, and where it was the active one there is another', async () => {
    const database = await openDatabase(await platform.postgres.createDatabase('revoked'));
    const keys = new SigningKeys(database);
    const { kid } = await keys.active();
    expect(await keys.revoke('unknown')).toBe(false);
    expect(await keys.revoke(kid)).toBe(true);
    expect((await keys.list()).map(({ kid: left, state }) => [left === kid, state])).toEqual([[false, 'active']]);
    await database.close();
  });

  test.each([
    ['nonsense', 'a.b.c'],
    ['a shared secret', foreignToken({ sub: 'kira' })],
    ['no algorithm', foreignToken({ sub: 'kira' }, { alg: 'none' })],
  ])('a token of %s is refused', async (_name, token) => {
    expect(await api.ask({ url: '/api/me', token })).toMatchObject(problem(401, 'unauthenticated', 'invalid token'));
  });
});
