/** The operator's tool on a running `npm start`: it finds the servers by itself, and every command answers people and programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { CLOSE, Subjects } from '#contract';
import { projectRoot } from '#embedded';
import { withLog } from '../log.js';
import { embeddedNats } from '../platform.js';
import { connect } from '../socket.js';
import { eventually, joined, roomWith, say, worldOf } from './world.js';

const world = worldOf({ RATE_LIMITS: 'off', JWT_SECRET: '' });
const MAIN = join(projectRoot(), 'dist', 'apps', 'cli', 'main.js');
const PARTITIONS = 4;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const given = { PATH: process.env['PATH'], PARLEY_HOME: world.platform.home, ...env };
  return spawn(process.execPath, [MAIN, ...args], { cwd: projectRoot(), env: given });
}

async function parley(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Promise<Ran> {
  const child = start(args, env);
  const written = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.end(input);
  const [code] = (await once(child, 'exit')) as [number];
  const [out, errors] = await written;
  return { code, out, errors };
}

const records = ({ out }: Ran): Record<string, unknown>[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function signIn(username: string, password: string) {
  const answer = await world.http.post('/api/auth/login', { username, password });
  return { status: answer.status, body: answer.json as { token: string; refreshToken: string; detail?: string } };
}

describe('doctor', () => {
  test('finds nothing wrong', async () => {
    const ran = await parley(['doctor']);
    expect(ran).toMatchObject({ code: 0, errors: '' });
    expect(ran.out).toMatch(/\nall is well\n$/);
    for (const check of [
      'configuration',
      'broker',
      'log',
      'database',
      'migrations',
      'read models',
      'clock of the broker',
    ])
      expect(ran.out).toContain(`ok      ${check}: `);
    expect(records(await parley(['doctor', '--json']))).toContainEqual({
      check: 'migrations',
      state: 'ok',
      what: 'as in this version',
      todo: '',
    });
  });

  test.each([
    ['a wrong configuration', { PORT: 'many' }, 'configuration', 'PORT=many'],
    ['another number of partitions', { PARTITIONS: '8' }, 'log', 'set PARTITIONS=4'],
    [
      'no broker',
      { NATS_URL: 'nats://127.0.0.1:1', DATABASE_URL: 'postgres://x@127.0.0.1:1/x' },
      'broker',
      'start one',
    ],
    [
      'no database',
      { NATS_URL: 'nats://127.0.0.1:1', DATABASE_URL: 'postgres://x@127.0.0.1:1/x' },
      'database',
      'start it',
    ],
    ['nothing that runs here', { PARLEY_HOME: '/nonexistent' }, 'broker', 'nothing runs here'],
  ])('says what is wrong with %s, and what to do', async (_what, env, check, what) => {
    const ran = await parley(['doctor', '--json'], env);
    expect(ran.code).toBe(1);
    const wrong = records(ran).filter(({ state }) => state === 'wrong');
    expect(wrong).toContainEqual(expect.objectContaining({ check, what: expect.stringContaining(what) }));
  });

  test('warns of what an operator may have meant', async () => {
    const ran = await parley(['doctor'], { RATE_LIMITS: 'off', PARLEY_SYNC: '10ms' });
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('warning rate limits: RATE_LIMITS=off');
    expect(ran.out).toContain('warning sync: PARLEY_SYNC=10ms');
    expect(ran.out).toContain('wrong: 0, warnings: 2');
  });
});

describe('user and token', () => {
  test('an account is made, listed, disabled and enabled; disabling ends its sessions at once', async () => {
    const made = await parley(['user', 'create', 'Olga', '--email', 'olga@example.org', '--admin', '--json']);
    expect(made).toMatchObject({ code: 0, errors: '' });
    const [account] = records(made);
    expect(account).toMatchObject({
      userId: 'olga',
      username: 'Olga',
      admin: true,
      disabled: false,
      hasPassword: true,
    });
    const password = String(account?.['password']);
    const { body } = await signIn('olga', password);
    expect(claimsOf(body.token)).toMatchObject({ sub: 'olga', admin: true });
    const socket = await connect(world.socketUrl, body.token);

    const disabled = await parley(['user', 'disable', 'Olga']);
    expect(disabled).toEqual({ code: 0, out: 'olga is disabled; sessions ended: 1\n', errors: '' });
    expect(await socket.closed()).toMatchObject({ code: CLOSE.sessionRevoked });
    expect(await signIn('olga', password)).toMatchObject({ status: 403, body: { detail: 'this account is disabled' } });
    expect(await signIn('olga', 'wrong horse')).toMatchObject({ status: 401 });
    const { refreshToken } = body;
    expect((await world.http.post('/api/auth/refresh', { refreshToken })).status).toBe(401);
    await eventually(
      'its token is refused',
      async () => (await world.http.as(body.token).get('/api/me')).status === 401,
    );
    expect((await parley(['token', 'olga'])).errors).toContain('the account olga is disabled');
    const list = await parley(['user', 'list']);
    expect(list.out).toMatch(/^olga +Olga +olga@example\.org +0 +\d{4}-\d\d-\d\d admin, disabled$/m);

    expect((await parley(['user', 'enable', 'olga'])).code).toBe(0);
    expect((await signIn('olga', password)).status).toBe(200);
    expect((await world.http.post('/api/auth/refresh', { refreshToken })).status).toBe(401);
  });

  test('a demo user that is disabled does not come in, either', async () => {
    expect((await parley(['user', 'disable', 'charlie'])).code).toBe(0);
    expect((await world.http.post('/api/auth/demo', { user: 'charlie' })).status).toBe(403);
    expect((await parley(['user', 'enable', 'user3'])).code).toBe(0);
    expect((await world.http.post('/api/auth/demo', { user: 'charlie' })).status).toBe(200);
  });

  test('a password may come from the input; names and addresses are checked and taken once', async () => {
    const args = ['user', 'create', 'pete', '--email', 'pete@example.org', '--password-stdin'];
    const made = await parley(args, {}, 'battery staple\n');
    expect(made).toEqual({ code: 0, out: 'pete can sign in\n', errors: '' });
    expect((await signIn('pete', 'battery staple')).status).toBe(200);
    expect(await parley(args, {}, 'battery staple\n')).toMatchObject({
      code: 1,
      errors: 'parley: username or email is already taken\n',
    });
    const short = await parley(
      ['user', 'create', 'quin', '--email', 'q@example.org', '--password-stdin'],
      {},
      'short\n',
    );
    expect(short).toMatchObject({ code: 1, errors: expect.stringContaining('password: must be 8 to 256 bytes') });
    expect((await parley(['user', 'create', 'quin'])).code).toBe(2);
    expect(await parley(['user', 'disable', 'nobody'])).toMatchObject({
      code: 1,
      errors: expect.stringContaining('there is no account nobody'),
    });
  });

  test('a token is good, and for as long as was asked', async () => {
    const { code, out } = await parley(['token', 'alice', '--ttl', '10m']);
    expect(code).toBe(0);
    expect((await world.http.as(out.trim()).get('/api/me')).json).toMatchObject({ id: 'user1', username: 'alice' });
    const { iat, exp } = claimsOf(out.trim());
    expect(Number(exp) - Number(iat)).toBe(600);
    const [record] = records(await parley(['token', 'bob', '--json']));
    expect(record).toEqual({ token: expect.any(String), user: 'user2', expiresAt: expect.stringMatching(/Z$/) });
    expect((await parley(['token', 'alice', '--ttl', '2d'])).code).toBe(2);
    expect((await parley(['token', 'nobody'])).code).toBe(1);
  });

  test('with a shared secret it is signed by that; accounts are not ours then', async () => {
    const secret = 'a secret of thirty-two bytes or more';
    const { out } = await parley(['token', 'somebody', '--json'], { JWT_SECRET: secret });
    expect(claimsOf(String((JSON.parse(out) as { token: string }).token))).toMatchObject({ sub: 'somebody' });
    const refused = await parley(['user', 'list'], { JWT_SECRET: secret });
    expect(refused).toMatchObject({ code: 1, errors: expect.stringContaining('accounts are off') });
  });
});

describe('db', () => {
  test('the connection line works, and is only for us', async () => {
    const { out } = await parley(['db']);
    expect(out).toMatch(/^psql 'postgres:\/\/.*\/parley'\n$/);
    const [record] = records(await parley(['db', '--json']));
    expect(out).toContain(String(record?.['url']));
    const file = join(world.platform.home, 'servers.env');
    expect(existsSync(file)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('without psql, --prompt says so', async () => {
    const ran = await parley(['db', '--prompt'], { PATH: '/nonexistent' });
    expect(ran).toMatchObject({ code: 1, errors: expect.stringContaining('there is no psql here') });
  });
});

describe('log', () => {
  test('tail shows what is stored as it is stored, of one room when asked', async () => {
    const ann = world.person('ann');
    const [account] = records(await parley(['user', 'create', ann.id, '--email', 'ann@example.org', '--json']));
    const { body } = await signIn(ann.id, String(account?.['password']));
    const signedIn = { ...ann, http: world.http.as(body.token) };
    const room = await roomWith(signedIn);
    await joined(signedIn, 'General');
    await say(signedIn, room, 'the first');
    const once = await parley(['log', 'tail', '--room', room, '--last', '1', '--once']);
    expect(once.out).toMatch(
      new RegExp(`^\\d-\\d+ .* room\\.${room}\\.timeline MessageSent by ${ann.id} "the first"\\n$`),
    );

    const child = start(['log', 'tail', '--room', room, '--last', '0', '--json']);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = lines.next();
    // Whatever was said before it listened is not told: somebody says it again until it is.
    let heard = false;
    void first.then(() => (heard = true));
    await eventually('it is told', async () => {
      await say(signedIn, 'General', 'elsewhere');
      await say(signedIn, room, 'live');
      return heard;
    });
    expect(JSON.parse(String((await first).value))).toMatchObject({
      event: { type: 'MessageSent', data: { content: 'live' } },
    });
    child.kill('SIGINT');
    expect(await once2(child)).toBe(0);
  });

  const once2 = async (child: ReturnType<typeof start>): Promise<number> =>
    ((await once(child, 'exit')) as [number])[0];

  test('export gives every entry as a line, and verify has nothing to say against them', async () => {
    const ran = await parley(['log', 'export']);
    expect(ran.code).toBe(0);
    const all = records(ran);
    const verified = await parley(['log', 'verify']);
    expect(verified).toEqual({
      code: 0,
      out: `4 partitions, ${all.length} entries, 0 violations\n`,
      errors: expect.any(String),
    });
    const part = records(await parley(['log', 'export', '--partition', '1', '--after', '2']));
    expect(part).toEqual(all.filter(({ partition, seq }) => partition === 1 && Number(seq) > 2));
    expect((await parley(['log', 'export', '--partition', '9'])).code).toBe(2);
  });

  test('projections are up to date', async () => {
    await eventually('they are', async () =>
      records(await parley(['projections', 'status', '--json'])).every(({ behind }) => behind === 0),
    );
    expect((await parley(['projections', 'status'])).code).toBe(0);
  });

  test('verify finds a message of somebody who was never there, which no command would have stored', async () => {
    const planted = await withLog([embeddedNats(world.platform)], PARTITIONS, async (log) => {
      const subject = new Subjects(PARTITIONS).timeline('General');
      const data = { content: 'boo', type: 'text' } as const;
      const { partition, seq } = await log.append({
        subject,
        event: { v: 1, type: 'MessageSent', actor: 'mallory', data },
      });
      return `${partition}-${seq}`;
    });
    const ran = await parley(['log', 'verify']);
    expect(ran.code).toBe(1);
    expect(ran.out).toContain(
      `${planted} without-membership: mallory was never a member in General when this was stored\n`,
    );
    expect(ran.out).toContain(', 1 violations\n');
    const found = records(await parley(['log', 'verify', '--json', '--partition', planted.split('-')[0] ?? '']));
    expect(found[0]).toMatchObject({ position: planted, kind: 'without-membership' });
    expect(found.at(-1)).toMatchObject({ violations: 1 });
  });
});

describe('usage', () => {
  test.each([[['doctor']], [['log']], [['projections']], [['user']], [['token']], [['keys']], [['db']], [[]]])(
    '%j --help says how, and the exit codes or where to find them',
    async (args) => {
      const ran = await parley([...args, '--help']);
      expect(ran).toMatchObject({ code: 0, errors: '' });
      expect(ran.out).toContain('--json');
      expect(ran.out).toContain(args[0] === undefined ? 'parley doctor' : `parley ${args[0]}`);
    },
  );

  test.each([
    [['frobnicate'], 'there is no command frobnicate'],
    [['doctor', 'now'], 'unexpected now'],
    [['doctor', '--now'], "Unknown option '--now'"],
    [['log'], 'takes tail, export or verify'],
    [['log', 'tail', '--last', 'few'], '--last few: takes a whole number'],
    [['log', 'tail', '--room', 'a room'], "takes a room's id"],
    [['user'], 'takes create, list, disable or enable'],
    [['token'], 'takes <user>'],
    [['keys', 'lose'], 'takes list, rotate or revoke'],
    [['projections', 'dance'], 'takes status'],
  ])('%j is one line and exit code 2', async (args, problem) => {
    const ran = await parley(args);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.errors).toMatch(/^parley.*\n$/);
    expect(ran.errors).toContain(problem);
  });
});

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}
