/** `parley setup` on a real broker, with the rights that production gives it, and a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import {
  freePort,
  natsUsers,
  startNatsServer,
  startPostgres,
  temporaryFolder,
  type NatsServer,
  type Postgres,
} from '#embedded';
import { operated, recordsOf } from './test-operate.js';

const users = natsUsers();
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nats: NatsServer;
let postgres: Postgres;
let port: number;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder('setup');
  port = await freePort();
  postgres = await startPostgres({ dataDir: `${folder.path}/postgres` });
  const { user, pass } = users.credentials('setup');
  env = {
    NATS_URL: `nats://127.0.0.1:${port}`,
    NATS_USER: user,
    NATS_PASSWORD: pass,
    DATABASE_URL: await postgres.createDatabase('parley'),
    PARTITIONS: '2',
  };
});

afterAll(async () => {
  await nats?.stop();
  await postgres?.stop();
  await folder?.remove();
});

const looked = (answer: Awaited<ReturnType<typeof operated>>) =>
  recordsOf(answer).map(({ names, made }) => [names, made]);

test('waits for a broker that is still starting, and makes everything', async () => {
  const early = operated(['setup', '--json'], env);
  nats = await startNatsServer({
    storeDir: `${folder.path}/nats`,
    port,
    sync: 'off',
    configExtra: users.configExtra,
    env: users.env,
  });
  const answer = await early;
  expect({ code: answer.code, looked: looked(answer) }).toEqual({
    code: 0,
    looked: [
      [['CHAT_0', 'CHAT_1'], true],
      [['presence_leases', 'presence_connections', 'attachments'], true],
      [['parley'], true],
    ],
  });
}, 90_000);

test('run again it changes nothing, and says so', async () => {
  const before = await streams();
  const answer = await operated(['setup'], env);
  expect(answer.code).toBe(0);
  expect(answer.stdout).toMatch(/^log of 2 partitions, epoch [0-9a-f]{16}: CHAT_0, CHAT_1 \(there already\)$/m);
  expect(answer.stdout).not.toContain('made now');
  expect(await streams()).toEqual(before);
}, 60_000);

test('makes what has been lost beside the log', async () => {
  const connection = await connect({ servers: nats.url, ...users.credentials() });
  await connection.request('$JS.API.STREAM.DELETE.OBJ_attachments');
  await connection.close();
  expect(looked(await operated(['setup', '--json'], env))).toContainEqual([
    ['presence_leases', 'presence_connections', 'attachments'],
    true,
  ]);
  expect(await streams()).toContain('OBJ_attachments');
}, 60_000);

test.each([
  ['other partitions', { PARTITIONS: '3' }, /2 partitions, configured are 3.*PARTITIONS=2/],
  ['other replicas', { NATS_REPLICAS: '3' }, /CHAT_0: replicas is 1, configured is 3/],
  ['a wrong password', { NATS_PASSWORD: 'wrong' }, /refuses setup: set NATS_USER and NATS_PASSWORD right/],
  ['no broker at all', { NATS_URL: '' }, /NATS_URL is not set/],
  ['no database', { DATABASE_URL: '' }, /DATABASE_URL is not set/],
])(
  '%s: one line, and nothing is changed',
  async (_, changed, line) => {
    const { code, stderr } = await operated(['setup'], { ...env, ...changed });
    expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 1, lines: 1 });
    expect(stderr).toMatch(line);
  },
  60_000,
);

test('a broker that never comes is given up', async () => {
  const nowhere = { ...env, NATS_URL: `nats://127.0.0.1:${await freePort()}` };
  const { code, stderr } = await operated(['setup', '--wait', '1'], nowhere);
  expect(code).toBe(1);
  expect(stderr).toMatch(/no NATS server answers at nats:\/\/127\.0\.0\.1/);
  expect((await operated(['setup', '--wait', 'long'], env)).code).toBe(2);
}, 60_000);

async function streams(): Promise<unknown> {
  const connection = await connect({ servers: nats.url, ...users.credentials() });
  const answer = (await connection.request('$JS.API.STREAM.NAMES')).json<{ streams: string[] }>();
  await connection.close();
  return answer.streams.sort();
}
