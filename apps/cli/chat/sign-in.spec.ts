import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { signIn, SignInError } from './sign-in.js';

interface Asked {
  readonly path: string;
  readonly body: unknown;
}

const HOUR_S = 3_600;
const asked: Asked[] = [];
/** By path: what the next requests are answered with; the last answer stays. */
let answers: Record<string, { status: number; body: object }[]>;
let server: Server;
let url: string;

beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    const path = request.url ?? '';
    void json(request).then((body) => {
      asked.push({ path, body });
      const left = answers[path] ?? [];
      const answer = (left.length > 1 ? left.shift() : left[0]) ?? { status: 404, body: { detail: 'not found' } };
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A token as far as a client reads it. */
const token = (name: string, lastsS: number): string => {
  const claims = { sub: name, exp: Math.floor(Date.now() / 1_000) + lastsS };
  return `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${name}`;
};
const tokens = (name: string, lastsS = HOUR_S) => ({
  status: 200,
  body: { token: token(name, lastsS), refreshToken: `refresh ${name}` },
});
const nameIn = (given: string): string => given.split('.')[2] ?? '';
const who = (more: object = {}) => ({ url, user: 'alice', password: undefined, token: undefined, ...more });

test('a demo user, an account by name or e-mail address, a token: each signs in its own way', async () => {
  answers = { '/api/auth/demo': [tokens('demo')], '/api/auth/login': [tokens('account')] };
  expect(nameIn(await (await signIn(who()))(false))).toBe('demo');
  expect(nameIn(await (await signIn(who({ password: 'pw' })))(false))).toBe('account');
  await signIn(who({ user: 'a@example.org', password: 'pw' }));
  expect(await (await signIn(who({ token: 'given' })))(true)).toBe('given');
  expect(asked).toEqual([
    { path: '/api/auth/demo', body: { user: 'alice' } },
    { path: '/api/auth/login', body: { username: 'alice', password: 'pw' } },
    { path: '/api/auth/login', body: { email: 'a@example.org', password: 'pw' } },
  ]);
});

test('a token is renewed before it ends, and when it was refused; once, however many ask', async () => {
  answers = { '/api/auth/demo': [tokens('first', 30)], '/api/auth/refresh': [tokens('second'), tokens('third')] };
  const source = await signIn(who());
  expect((await Promise.all([source(false), source(false), source(false)])).map(nameIn)).toEqual(
    Array(3).fill('second'),
  );
  expect(nameIn(await source(false))).toBe('second');
  expect(nameIn(await source(true))).toBe('third');
  expect(asked.slice(1)).toEqual([
    { path: '/api/auth/refresh', body: { refreshToken: 'refresh first' } },
    { path: '/api/auth/refresh', body: { refreshToken: 'refresh second' } },
  ]);
});

test('a session that has ended is followed by another one', async () => {
  const ended = { status: 401, body: { code: 'unauthenticated', detail: 'invalid token' } };
  answers = { '/api/auth/login': [tokens('first', 30), tokens('second')], '/api/auth/refresh': [ended] };
  const source = await signIn(who({ password: 'pw' }));
  expect(nameIn(await source(false))).toBe('second');
});

test('a renewal that fails is tried again by the next request', async () => {
  answers = {
    '/api/auth/demo': [tokens('first', 30)],
    '/api/auth/refresh': [{ status: 200, body: {} }, tokens('second')],
  };
  const source = await signIn(who());
  await expect(source(false)).rejects.toThrow('holds no tokens');
  expect(nameIn(await source(false))).toBe('second');
});

test.each([
  ['a name that nobody has', 404, { code: 'user_not_found' }, {}, 'there is no demo user alice'],
  ['no demo', 404, {}, {}, 'is not in demo mode: give --password, or --token'],
  ['a disabled account', 403, { detail: 'this account is disabled' }, { password: 'pw' }, 'this account is disabled'],
  ['no JSON at all', 502, 'bad gateway', { password: 'pw' }, 'HTTP 502'],
])('%s is said in one line', async (_what, status, body, more, problem) => {
  const answer = [{ status, body: body as object }];
  answers = { '/api/auth/demo': answer, '/api/auth/login': answer };
  const failure = await signIn(who(more)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SignInError);
  expect(String(failure)).toContain(problem);
});
