import { beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type Answer, type Call, problem } from '../test-client.js';
import { type Api, foreignToken, SECRET, usePlatform } from '../test-platform.js';

const platform = usePlatform([]);
const PASSWORD = 'correct horse';

let quiet: Api;

beforeAll(async () => {
  quiet = await platform.api({ RATE_LIMITS: 'off' });
});

const register = (body: object): Call => ({ url: '/api/auth/register', body });
const login = (body: object): Call => ({ url: '/api/auth/login', body });
const person = (name: string) => ({ username: name, email: `${name}@example.org`, password: PASSWORD });
const tokens = (answer: Answer) => answer.json() as { token: string; refreshToken: string };

describe('registering', () => {
  test('answers 201 with the user and tokens; the id is the name in lower case', async () => {
    const answer = await quiet.ask(register({ ...person('dora'), email: ' Dora@Example.ORG ' }));
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({
      user: {
        id: 'dora',
        username: 'dora',
        displayName: 'dora',
        avatarUrl: '',
        online: false,
        lastSeen: null,
        status: {},
        email: 'dora@example.org',
      },
      token: expect.any(String),
      refreshToken: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    const me = await quiet.ask({ url: '/api/me', token: tokens(answer).token });
    expect(me.json()).toEqual(answer.json()['user']);
  });

  test.each([
    [{}],
    [{ username: 'x', email: 'x@y' }],
    [{ username: 'x', password: PASSWORD }],
    [{ email: 'x@y', password: PASSWORD }],
    [{ username: ' ', email: 'x@y', password: PASSWORD }],
    [{ username: 1, email: 'x@y', password: PASSWORD }],
  ])('%j is refused: all three are required', async (body) => {
    expect(await quiet.ask(register(body))).toMatchObject(
      problem(400, 'invalid_body', 'username, email, and password are required'),
    );
  });

  test.each([
    [{ username: 'no spaces' }, 'username: must be 1 to 64 of A-Z a-z 0-9 _ -'],
    [{ username: 'x'.repeat(65) }, 'username: must be 1 to 64 of A-Z a-z 0-9 _ -'],
    [{ email: 'nobody' }, 'email: must be an e-mail address'],
    [{ email: 'a b@example.org' }, 'email: must be an e-mail address'],
    [{ password: 'short' }, 'password: must be 8 to 256 bytes'],
    [{ password: 'x'.repeat(257) }, 'password: must be 8 to 256 bytes'],
  ])('%j is refused', async (fault, detail) => {
    expect(await quiet.ask(register({ ...person('eve'), ...fault }))).toMatchObject(
      problem(400, 'invalid_body', detail),
    );
  });

  test.each([
    ['name', { username: 'TAKEN', email: 'other@example.org' }],
    ['e-mail', { username: 'other', email: 'Taken@example.org' }],
  ])('a taken %s is 409, however it is written', async (_what, second) => {
    await quiet.ask(register(person('taken')));
    expect(await quiet.ask(register({ ...person('x'), ...second }))).toMatchObject(
      problem(409, 'already_exists', 'username or email is already taken'),
    );
  });

  test('one of many that want the same name at once gets it', async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => quiet.ask(register({ ...person('wanted'), email: `w${i}@example.org` }))),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  });

  test('30 a minute and address', async () => {
    const own = await platform.api();
    const taken = { ...person('dora') };
    // Twice as many: a token comes back every two seconds, and a busy machine takes as long.
    const answers = await Promise.all(Array.from({ length: 60 }, () => own.ask(register(taken))));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(30);
    expect(refused[0]).toMatchObject(problem(429, 'rate_limited', 'rate limit exceeded'));
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('signing in', () => {
  beforeAll(async () => {
    await quiet.ask(register(person('frida')));
  });

  test.each([
    { email: 'frida@example.org' },
    { email: 'FRIDA@example.org' },
    { username: 'frida' },
    { username: 'Frida' },
    { email: 'frida' },
  ])('with %j', async (name) => {
    const answer = await quiet.ask(login({ ...name, password: PASSWORD }));
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ user: { id: 'frida', email: 'frida@example.org' } });
    expect(decodeJwt(tokens(answer).token)).toMatchObject({ iss: 'parley', sub: 'frida', username: 'frida' });
  });

  test('a token lives 15 minutes and names its session and its key', async () => {
    const { token } = tokens(await quiet.ask(login({ username: 'frida', password: PASSWORD })));
    const { iat = 0, exp = 0, ['sid']: sessionId } = decodeJwt(token);
    expect(exp - iat).toBe(15 * 60);
    expect(sessionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', kid: expect.any(String) });
  });

  test.each([{}, { email: 'frida@example.org' }, { password: PASSWORD }, { email: '', password: PASSWORD }])(
    '%j is refused: both are required',
    async (body) => {
      expect(await quiet.ask(login(body))).toMatchObject(
        problem(400, 'invalid_body', 'email and password are required'),
      );
    },
  );

  test.each([
    { email: 'frida@example.org', password: 'wrong horse' },
    { email: 'nobody@example.org', password: PASSWORD },
    { username: 'nobody', password: PASSWORD },
    { username: 'a\0b', password: PASSWORD },
  ])('%j is refused in the same words', async (body) => {
    const answer = await quiet.ask(login(body));
    expect(answer).toMatchObject(problem(401, 'unauthenticated', 'invalid email or password'));
  });

  test('five failures a minute and address, tried together or one by one; a good password does not count', async () => {
    const own = await platform.api();
    const wrong = login({ username: 'frida', password: 'wrong horse' });
    const right = login({ username: 'frida', password: PASSWORD });
    for (let i = 0; i < 10; i++) expect((await own.ask(right)).status).toBe(200);
    const startMs = performance.now();
    const failures = await Promise.all(Array.from({ length: 20 }, () => own.ask(wrong)));
    const tried = failures.filter(({ status }) => status === 401);
    // Two are computed at once, so one more than the limit may have been on its way; one comes back every 12 s.
    const cameBack = Math.floor((performance.now() - startMs) / 12_000);
    expect(tried.length).toBeGreaterThanOrEqual(5);
    expect(tried.length).toBeLessThanOrEqual(6 + cameBack);
    expect(await own.ask(right)).toMatchObject(problem(429, 'rate_limited', 'rate limit exceeded'));
  });
});

describe('with a shared secret', () => {
  let foreign: Api;
  beforeAll(async () => {
    foreign = await platform.api({ JWT_SECRET: SECRET });
  });

  test.each(['/api/auth/register', '/api/auth/login', '/api/auth/refresh', '/api/auth/logout', '/api/auth/demo'])(
    '%s is not there',
    async (url) => {
      expect(await foreign.ask({ url, body: person('mona') })).toMatchObject(
        problem(404, 'not_found', 'no such route'),
      );
    },
  );

  test.each([
    [{ id: 'mona', sub: 'other' }, 'mona'],
    [{ sub: 'mona' }, 'mona'],
    [{ id: 42 }, '42'],
    [{ sub: 'https://issuer.example/Mona' }, 'https://issuer.example/Mona'],
  ])('%j is whoever it names, without registration', async (claims, id) => {
    const me = await foreign.ask({ url: '/api/me', token: foreignToken({ username: 'Mona', ...claims }) });
    expect(me.status).toBe(200);
    expect(me.json()).toMatchObject({ id, username: 'Mona' });
    expect(me.json()).not.toHaveProperty('email');
  });

  test.each([
    ['without an end', foreignToken({ sub: 'mona', exp: undefined }), 'unauthenticated', 'invalid token'],
    ['that has ended', foreignToken({ sub: 'mona', exp: 1_000_000_000 }), 'token_expired', 'token expired'],
    ['that names nobody', foreignToken({}), 'unauthenticated', 'invalid token'],
    ['that names nothing', foreignToken({ sub: ' ' }), 'unauthenticated', 'invalid token'],
    [
      'of another secret',
      foreignToken({ sub: 'mona' }, { secret: 'x'.repeat(40) }),
      'unauthenticated',
      'invalid token',
    ],
    ['of another algorithm', foreignToken({ sub: 'mona' }, { alg: 'HS512' }), 'unauthenticated', 'invalid token'],
  ])('a token %s is refused', async (_name, token, code, detail) => {
    expect(await foreign.ask({ url: '/api/me', token })).toMatchObject(problem(401, code, detail));
  });

  test.each([
    ['', 'missing authorization header'],
    ['Basic abc', 'invalid authorization header format'],
    ['Bearer', 'invalid authorization header format'],
    ['Bearer a b', 'invalid authorization header format'],
  ])('the header %j is refused', async (authorization, detail) => {
    expect(await foreign.ask({ url: '/api/me', headers: { authorization } })).toMatchObject(
      problem(401, 'unauthenticated', detail),
    );
  });
});
