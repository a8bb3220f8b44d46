/** The command services as processes run them: Nest's NATS transport, queue groups, health, drain. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ConsoleLogger } from '@nestjs/common';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { COMMAND_NAMES, COMMANDS, commandSubject, type CommandName } from '#contract';
import { setUp, startNatsServer, startPostgres, temporaryFolder, type NatsServer, type Postgres } from '#embedded';
import { CommandBus, loadConfig, type Running } from '#service';
import { freshKey } from './path/handler-fixture.js';
import { startCommands } from './start-commands.js';

const quiet = new ConsoleLogger('spec', { logLevels: ['fatal', 'error'] });
const MINUTE_MS = 60_000;

let folder: { path: string; remove(): Promise<void> };
let server: NatsServer;
let postgres: Postgres;
let nats: NatsConnection;
let databaseUrl: string;

const servers = () => ({ NATS_URL: server.url, DATABASE_URL: databaseUrl, PARTITIONS: '2' });

const start = (env: Record<string, string> = {}): Promise<Running> =>
  startCommands(loadConfig({ ...servers(), HEALTH_PORT: '0', ...env }), quiet);

beforeAll(async () => {
  folder = await temporaryFolder('commands');
  [server, postgres] = await Promise.all([
    startNatsServer({ storeDir: `${folder.path}/nats` }),
    startPostgres({ dataDir: `${folder.path}/postgres` }),
  ]);
  databaseUrl = await postgres.createDatabase('commands');
  nats = await connect({ servers: server.url });
  await setUp(servers());
});

afterAll(async () => {
  await nats.close();
  await Promise.all([server.stop(), postgres.stop()]);
  await folder.remove();
});

/** Asks a command's subject once; undefined when nobody listens there. */
async function once(name: CommandName): Promise<unknown> {
  const subject = commandSubject(COMMANDS[name].service, name);
  const packet = JSON.stringify({ pattern: subject, data: { actor: { userId: 'x' } }, id: '1' });
  try {
    return (await nats.request(subject, packet, { timeout: 5_000 })).json();
  } catch (error) {
    if (String(error).includes('no responders')) return undefined;
    throw error;
  }
}

describe('COMMANDS', () => {
  test('unset: a process answers every command of the contract', async () => {
    const all = await start();
    for (const name of COMMAND_NAMES) expect([name, await once(name)]).toEqual([name, expect.anything()]);
    await all.stop();
  });

  test('names the services that a process serves, and no others', async () => {
    const some = await start({ COMMANDS: 'send,status' });
    for (const name of COMMAND_NAMES) {
      const served = ['send', 'status'].includes(COMMANDS[name].service);
      expect([name, (await once(name)) !== undefined]).toEqual([name, served]);
    }
    await some.stop();
  });
});

describe('services side by side', () => {
  test('share the work of a stampede, and fill the room exactly', async () => {
    const running = await Promise.all([
      start({ COMMANDS: 'join' }),
      start({ COMMANDS: 'join,send' }),
      start({ COMMANDS: 'leave' }),
    ]);
    const bus = new CommandBus(nats);
    await bus.run('CreateRoom', { userId: 'olga' }, { roomId: 'hall', name: 'Hall', maxMembers: 21 });
    const joins = await Promise.allSettled(
      Array.from({ length: 80 }, (_, i) => bus.run('JoinRoom', { userId: `user${i}` }, { roomId: 'hall' })),
    );
    expect(joins.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
    for (const join of joins) if (join.status === 'rejected') expect(join.reason).toMatchObject({ code: 'room_full' });
    expect(await bus.run('LeaveRoom', { userId: 'olga' }, { roomId: 'hall' })).toMatchObject({ changed: true });
    await expect(bus.run('SendMessage', { userId: 'olga' }, { roomId: 'hall', content: 'x' })).rejects.toMatchObject({
      code: 'not_member',
    });
    await Promise.all(running.map(({ stop }) => stop()));
  });

  test('one that drains answers what it has taken, and the others take the rest', async () => {
    const staying = await start();
    const leaving = await start();
    const bus = new CommandBus(nats);
    await bus.run('CreateRoom', { userId: 'olga' }, { roomId: 'den', name: 'Den' });
    const sends = Array.from({ length: 400 }, (_, i) =>
      bus.run('SendMessage', { userId: 'olga' }, { roomId: 'den', content: `${i}` }),
    );
    await sends[20];
    await leaving.stop();
    const results = await Promise.all(sends);
    expect(new Set(results.map(({ id }) => id)).size).toBe(400);
    expect(results.filter(({ duplicate }) => duplicate)).toHaveLength(0);
    await staying.stop();
  });
});

describe('a process', () => {
  test('is ready when the log answers, and says so', async () => {
    const running = await start();
    const ready = await fetch(`${running.address}/health/ready`);
    expect(await ready.json()).toMatchObject({ ready: true, parts: { log: { ok: true }, database: { ok: true } } });
    await running.stop();
    await expect(fetch(`${running.address}/health/ready`)).rejects.toThrow();
  });

  test('answers an old key with `behind` while no projection has caught up', async () => {
    const running = await start();
    const bus = new CommandBus(nats);
    const send = () => bus.run('SetStatus', { userId: 'ann' }, { online: true }, freshKey(5 * MINUTE_MS));
    await bus.run('SetStatus', { userId: 'ann' }, { online: true });
    await expect(send()).rejects.toMatchObject({ code: 'behind', retryMs: 1_000 });
    await running.stop();
  });

  test('refuses to start without a database, in one line', async () => {
    await expect(startCommands(loadConfig({ NATS_URL: server.url }), quiet)).rejects.toThrow(
      /^DATABASE_URL is not set/,
    );
  });
});
