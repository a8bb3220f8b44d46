/** The broker's configuration, on a real nats-server: it is valid, and each user may do its work and nothing else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { type NatsServer, natsServerBinary, startNatsServer, temporaryFolder } from '#embedded';
import { render } from './render.js';
import { containersOf, environmentOf } from './workloads.js';

const folder = join(import.meta.dirname, 'nats');
const USERS = ['setup', 'commands', 'projection', 'gateway', 'api', 'operate', 'backup', 'restore'] as const;
type User = (typeof USERS)[number];
const PASSWORD = 'p1';

interface Client {
  readonly connection: NatsConnection;
  readonly refused: Set<string>;
  readonly watching: Promise<void>;
}

const passwords = Object.fromEntries(
  ['POSTGRES', 'NATS_ROUTE', ...USERS.map((user) => `NATS_${user.toUpperCase()}`)].map((name) => [
    `${name}_PASSWORD`,
    PASSWORD,
  ]),
);

describe('the configuration files', () => {
  const check = async (file: string, env: Record<string, string>): Promise<string> =>
    execFileSync(await natsServerBinary(), ['-t', '-c', join(folder, file)], { env, encoding: 'utf8', stdio: 'pipe' });

  test('single.conf is valid with the environment of compose', async () => {
    await expect(check('single.conf', passwords)).resolves.toBeDefined();
  });

  test('cluster.conf is valid with the environment of the StatefulSet, which is started with it', async () => {
    const objects = render(join(import.meta.dirname, 'k8s', 'base'));
    const nats = objects.find((each) => each.kind === 'StatefulSet' && each.metadata.name === 'nats');
    if (!nats) throw new Error('the base has no StatefulSet nats');
    expect(containersOf(nats)[0]?.args).toContain('/etc/nats/cluster.conf');
    await expect(check('cluster.conf', environmentOf(nats, objects, passwords))).resolves.toBeDefined();
  });

  test('a missing password is refused', async () => {
    await expect(check('single.conf', {})).rejects.toThrow('NATS_SETUP_PASSWORD');
  });
});

describe('the users', () => {
  let server: NatsServer;
  let home: Awaited<ReturnType<typeof temporaryFolder>>;
  const clients = new Map<User, Client>();
  const of = (user: User): Client => clients.get(user) as Client;

  beforeAll(async () => {
    home = await temporaryFolder('deploy');
    const configExtra = readFileSync(join(folder, 'users.conf'), 'utf8');
    server = await startNatsServer({ storeDir: join(home.path, 'nats'), sync: 'off', configExtra, env: passwords });
    for (const user of USERS) {
      const connection = await connect({ servers: server.url, user, pass: PASSWORD, inboxPrefix: `_INBOX_${user}` });
      const refused = new Set<string>();
      clients.set(user, { connection, refused, watching: watchRefusals(connection, refused) });
    }
  });

  afterAll(async () => {
    for (const { connection, watching } of clients.values()) {
      await connection.close();
      await watching;
    }
    await server?.stop();
    await home?.remove();
  });

  /** The broker says what it refuses before it answers the next ping; the client tells us a turn of the loop later. */
  async function wasRefused(user: User, what: string): Promise<boolean> {
    const { connection, refused } = of(user);
    await connection.flush();
    await new Promise((resolve) => setImmediate(resolve));
    return refused.has(what);
  }

  async function mayPublish(user: User, subject: string): Promise<boolean> {
    of(user).connection.publish(subject, '{}');
    return !(await wasRefused(user, `publish ${subject}`));
  }

  async function maySubscribe(user: User, subject: string): Promise<boolean> {
    const subscription = of(user).connection.subscribe(subject, { callback: () => undefined });
    const refused = await wasRefused(user, `subscription ${subject}`);
    if (!refused) subscription.unsubscribe();
    return !refused;
  }

  test('nobody comes in without a password', async () => {
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  test.each([
    ['chat.0.room.a.timeline', ['commands']],
    ['tails.0', ['projection']],
    ['views.0', ['projection']],
    ['deadletter.0', ['projection']],
    ['command.send.SendMessage', ['gateway', 'api']],
    ['marks.read', ['gateway', 'api']],
    ['typing.room1', ['gateway']],
    ['projection.rebuild', ['operate']],
    ['revoked.user1', ['api', 'operate']],
    ['live.room.a.timeline', []],
    ['$JS.API.STREAM.SNAPSHOT.CHAT_0', ['backup']],
    ['$JS.API.STREAM.RESTORE.CHAT_0', ['restore']],
    ['chat.0.restored', ['commands', 'restore']],
    ['$JS.API.STREAM.DELETE.CHAT_0', ['restore']],
    ['$JS.API.STREAM.PURGE.CHAT_0', []],
    ['$JS.API.STREAM.CREATE.CHAT_0', ['setup', 'restore']],
    ['$JS.API.STREAM.UPDATE.CHAT_0', ['setup', 'restore']],
    ['$JS.API.STREAM.UPDATE.CHAT_1', ['restore']],
    ['$JS.API.STREAM.MSG.DELETE.CHAT_0', ['restore']],
    ['$JS.API.STREAM.PURGE.OBJ_attachments', ['gateway']],
    ['$KV.presence_leases.gateway1', ['gateway']],
    ['$JS.API.STREAM.CREATE.KV_presence_leases', ['setup', 'restore']],
    ['$JS.API.STREAM.CREATE.OBJ_attachments', ['setup', 'restore']],
  ])('to %s may publish: %j', async (subject, expected) => {
    const may = [];
    for (const user of USERS) if (await mayPublish(user, subject)) may.push(user);
    expect(may).toEqual(expected);
  });

  test.each([
    ['command.send.>', ['commands']],
    ['marks.read', ['projection']],
    ['live.room.a.>', ['commands', 'projection', 'gateway', 'api', 'operate']],
    ['chat.>', []],
    ['$KV.presence_connections.user1.*', ['gateway']],
    ['_INBOX_setup.>', ['setup']],
    ['_INBOX_commands.>', ['commands']],
    ['_INBOX_api.>', ['api']],
    ['_INBOX_operate.>', ['operate']],
    ['>', []],
  ])('to %s may subscribe: %j', async (subject, expected) => {
    const may = [];
    for (const user of USERS) if (await maySubscribe(user, subject)) may.push(user);
    expect(may).toEqual(expected);
  });

  test('a command is answered, although its handler may not publish to inboxes', async () => {
    const subscription = of('commands').connection.subscribe('command.send.SendMessage', {
      callback: (_, message) => void message.respond('done'),
    });
    await of('commands').connection.flush();
    const answer = await of('api').connection.request('command.send.SendMessage', '{}', { timeout: 5_000 });
    expect(answer.string()).toBe('done');
    subscription.unsubscribe();
  });
});

/** Notes what the broker refuses on a connection, until it closes. */
async function watchRefusals(connection: NatsConnection, refused: Set<string>): Promise<void> {
  for await (const event of connection.status())
    if (event.type === 'error' && event.error instanceof PermissionViolationError)
      refused.add(`${event.error.operation} ${event.error.subject}`);
}
