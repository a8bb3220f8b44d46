import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { startNatsServer, type NatsServer, type NatsServerOptions } from './nats-server.js';
import { temporaryFolder } from './places.js';
import { isRunning, isStopped, processNamed } from './process-table.js';
import { waitUntil } from './wait-until.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let servers: NatsServer[];

beforeEach(async () => {
  folder = await temporaryFolder('nats');
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await folder.remove();
});

async function start(options: Partial<NatsServerOptions> = {}): Promise<NatsServer> {
  const server = await startNatsServer({ storeDir: join(folder.path, 'store'), ...options });
  servers.push(server);
  return server;
}

async function append(server: NatsServer, count: number): Promise<void> {
  const connection = await connect({ servers: server.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
  for (let n = 0; n < count; n += 1) await jetstream(connection).publish('kept', `${n}`);
  await connection.close();
}

async function stored(server: NatsServer): Promise<number> {
  const connection = await connect({ servers: server.url });
  const { state } = await (await jetstreamManager(connection)).streams.info('KEPT');
  await connection.close();
  return state.messages;
}

describe('startNatsServer', () => {
  test('what was acknowledged survives kill -9 and a restart on the same port', async () => {
    const server = await start();
    const { url, pid } = server;
    await append(server, 20);
    await server.kill();
    expect(processNamed(pid)).toBeUndefined();
    await server.restart();
    expect(server.url).toBe(url);
    expect(server.pid).not.toBe(pid);
    expect(await stored(server)).toBe(20);
  });

  test('a paused server answers nothing and goes on where it was', async () => {
    const server = await start();
    await append(server, 1);
    server.pause();
    await waitUntil('it is stopped', 10_000, () => isStopped(server.pid));
    server.resume();
    expect(await stored(server)).toBe(1);
  });

  test('a paused server can be stopped', async () => {
    const server = await start();
    server.pause();
    const name = processNamed(server.pid);
    await server.stop();
    expect(name && isRunning(name)).toBe(false);
  });

  test('an unasked end is reported, an asked one is not', async () => {
    const server = await start();
    const ends: string[] = [];
    const reported = new Promise<void>((resolve) =>
      server.onExit((how) => {
        ends.push(how);
        resolve();
      }),
    );
    await server.restart();
    expect(ends).toEqual([]);
    process.kill(server.pid, 'SIGKILL');
    await reported;
    expect(ends).toEqual(['SIGKILL']);
  });

  test('acknowledged means on disk, unless PARLEY_SYNC says otherwise', async () => {
    const server = await start();
    const written = (): string => readFileSync(join(server.storeDir, 'nats-server.conf'), 'utf8');
    expect(written()).toContain('sync_interval: always');
    await server.stop();
    await start({ sync: '10ms' });
    expect(written()).toContain('sync_interval: 10ms');
  });

  test('a sync interval that is none is refused', async () => {
    await expect(start({ sync: 'sometimes' })).rejects.toThrow(
      'PARLEY_SYNC is "sometimes": use always, off or an interval such as 10ms',
    );
  });

  test('further configuration wins', async () => {
    const server = await start({
      configExtra: 'max_payload: 2MB\nauthorization { users: [{ user: "a", password: "b" }] }',
    });
    const connection = await connect({ servers: server.url, user: 'a', pass: 'b' });
    expect(connection.info?.max_payload).toBe(2 * 1024 * 1024);
    await connection.close();
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/Authorization/i);
  });

  test('a folder in use is refused with its owner', async () => {
    await start();
    await expect(start()).rejects.toThrow(`is in use by process ${process.pid}`);
  });

  test('a configuration that nats-server refuses is said in one line', async () => {
    await expect(start({ configExtra: 'max_payload: "many"' })).rejects.toThrow(
      /^nats-server ended while starting .*$/,
    );
  });

  test('a fixed port that is taken is said', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = taken.address() as AddressInfo;
      await expect(start({ port })).rejects.toThrow('address already in use');
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  test('an owner file of a process that is gone is no obstacle, and a recycled pid is left alone', async () => {
    const server = await start();
    await server.stop();
    const innocent = { pid: process.pid, started: 'before the last boot' };
    writeFileSync(join(server.storeDir, 'owner.json'), JSON.stringify({ owner: innocent, child: innocent }));
    await start();
    expect(processNamed(process.pid)).toBeDefined();
  });
});
