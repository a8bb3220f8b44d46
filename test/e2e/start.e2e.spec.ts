/** What an operator reads when something is wrong at the start: one line that says what, and what to do. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  freePort,
  projectRoot,
  setUp,
  startNatsServer,
  startPostgres,
  temporaryFolder,
  type NatsServer,
  type Postgres,
} from '#embedded';

const PARTITIONS = '3';
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nats: NatsServer;
/** One that nobody has set up. */
let empty: NatsServer;
let postgres: Postgres;
let databaseUrl: string;

beforeAll(async () => {
  folder = await temporaryFolder('start');
  [nats, empty, postgres] = await Promise.all([
    startNatsServer({ storeDir: join(folder.path, 'nats'), sync: 'off' }),
    startNatsServer({ storeDir: join(folder.path, 'empty'), sync: 'off' }),
    startPostgres({ dataDir: join(folder.path, 'postgres') }),
  ]);
  databaseUrl = await postgres.createDatabase('parley');
  await setUp({ NATS_URL: nats.url, DATABASE_URL: databaseUrl, PARTITIONS });
}, 120_000);

afterAll(async () => {
  await nats?.stop();
  await empty?.stop();
  await postgres?.stop();
  await folder?.remove();
}, 60_000);

type Environment = Readonly<Record<string, string>>;

/** Starts an app that is expected to give up; resolves with how it ended and what it said. */
function run(app: string, env: Environment): Promise<{ code: number | null; said: string }> {
  const { PATH = '', HOME = '' } = process.env;
  const main = join(projectRoot(), 'dist', 'apps', app, 'main.js');
  const given = {
    PATH,
    HOME,
    PARLEY_HOME: join(folder.path, 'home'),
    PORT: '0',
    HEALTH_PORT: '0',
    GRPC_PORT: '0',
    ...env,
  };
  const child = spawn(process.execPath, [main], { env: given, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, said: said.trim() }));
  });
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('a wrong value is one line that names the variable:', () => {
  const cases: [string, Environment, RegExp][] = [
    ['a port that is none', { PORT: 'http' }, /PORT=http/],
    ['a port that is too high', { PORT: '70000' }, /PORT=70000/],
    ['a sync that there is not', { PARLEY_SYNC: 'often' }, /PARLEY_SYNC=often: .*always/],
    ['no partitions', { PARTITIONS: '0' }, /PARTITIONS=0/],
    ['a database that is none', { DATABASE_URL: 'mysql://localhost/x' }, /DATABASE_URL: takes postgres:\/\//],
    ['a service that there is not', { COMMANDS: 'send,fetch' }, /COMMANDS=send,fetch/],
    ['the demo on every address', { PARLEY_DEMO: '1', HOST: '0.0.0.0' }, /PARLEY_DEMO=1.*HOST=127\.0\.0\.1/],
    [
      'two sources of identity',
      { JWT_SECRET: 'x'.repeat(32), JWKS_URL: 'http://localhost/jwks', PARLEY_DEMO: '0' },
      /JWT_SECRET and JWKS_URL/,
    ],
    ['a secret that is too short', { JWT_SECRET: 'short', PARLEY_DEMO: '0' }, /JWT_SECRET.*32 bytes/],
    ['replicas that do not vote', { NATS_REPLICAS: '2' }, /NATS_REPLICAS=2/],
  ];

  test.each(cases)('%s', async (_, env, line) => {
    const { code, said } = await run('api', env);
    expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
    expect(said).toMatch(line);
  });
});

describe('what a service stands on is missing: one line that says so:', () => {
  const nowhere = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

  test.each(['api', 'commands', 'gateway', 'projection'])('no broker for %s', async (app) => {
    const address = await nowhere();
    const { code, said } = await run(app, { NATS_URL: `nats://${address}`, DATABASE_URL: databaseUrl });
    expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
    expect(said).toContain(address);
    expect(said).toMatch(/NATS_URL/);
  });

  // A database that starts beside the services is waited for, half a minute.
  test('no database', async () => {
    const address = await nowhere();
    const env = { NATS_URL: nats.url, DATABASE_URL: `postgres://parley:secret@${address}/parley`, PARTITIONS };
    const ends = await Promise.all(['api', 'gateway', 'projection'].map((app) => run(app, env)));
    for (const { code, said } of ends) {
      expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
      expect(said).toContain(address);
      expect(said).toMatch(/DATABASE_URL/);
      expect(said).not.toContain('secret');
    }
  }, 120_000);

  test('a wrong password for the database', async () => {
    const wrong = new URL(databaseUrl);
    wrong.password = 'wrong';
    const { code, said } = await run('projection', { NATS_URL: nats.url, DATABASE_URL: wrong.href, PARTITIONS });
    expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
    expect(said).toMatch(/password/);
  }, 90_000);

  // A set-up job that was started beside the services is waited for, half a minute.
  test.each([
    ['commands', /there is no log \(stream CHAT_0\): run parley setup/],
    ['projection', /there is no log \(stream CHAT_0\): run parley setup/],
    ['gateway', /there is no (log \(stream CHAT_0\)|bucket presence_leases): run parley setup/],
    ['api', /there is no bucket presence_leases: run parley setup/],
  ])(
    'no set-up for %s',
    async (app, line) => {
      const { code, said } = await run(app, { NATS_URL: empty.url, DATABASE_URL: databaseUrl });
      expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
      expect(said).toMatch(line);
    },
    90_000,
  );

  test('a user that the broker refuses, by NATS_USER or in NATS_URL, and no password is shown', async () => {
    const authorization = 'authorization { users = [ { user: ann, password: right } ] }';
    const closed = await startNatsServer({ storeDir: join(folder.path, 'closed'), configExtra: authorization });
    try {
      const inUrl = closed.url.replace('://', '://ann:wrong@');
      const byVariables = { NATS_URL: closed.url, NATS_USER: 'ann', NATS_PASSWORD: 'wrong' };
      for (const env of [byVariables, { NATS_URL: inUrl }]) {
        const { code, said } = await run('api', { ...env, DATABASE_URL: databaseUrl });
        expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
        expect(said).toMatch(/refuses ann: set NATS_USER and NATS_PASSWORD/);
        expect(said).not.toContain('wrong');
      }
      await setUp({ NATS_URL: closed.url.replace('://', '://ann:right@'), DATABASE_URL: databaseUrl });
    } finally {
      await closed.stop();
    }
  }, 90_000);

  test('a broker without JetStream', async () => {
    const plain = await startNatsServer({ storeDir: join(folder.path, 'plain'), configExtra: 'jetstream: disabled' });
    try {
      const { code, said } = await run('commands', { NATS_URL: plain.url, DATABASE_URL: databaseUrl });
      expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
      expect(said).toMatch(/without JetStream: start it with -js/);
    } finally {
      await plain.stop();
    }
  });

  test('a log that was made with another number of partitions', async () => {
    const { code, said } = await run('commands', { NATS_URL: nats.url, DATABASE_URL: databaseUrl, PARTITIONS: '5' });
    expect({ code, lines: lines(said).length }).toEqual({ code: 1, lines: 1 });
    expect(said).toMatch(/3 partitions, configured are 5.*PARTITIONS=3/);
  }, 90_000);
});
