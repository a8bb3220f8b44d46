import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { STREAM_METADATA } from '#contract';
import { startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { ContractRoom } from './contract-room.js';
import { LogMismatchError, type EventLog } from './log.js';
import { openEventLog } from './open.js';
import type { StreamConfig } from './streams.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let connections: NatsConnection[];

beforeAll(async () => {
  folder = await temporaryFolder('event-log-opening');
  server = await startNatsServer({ storeDir: join(folder.path, 'on'), sync: 'off' });
  connections = await Promise.all(Array.from({ length: 6 }, () => connect({ servers: server.url })));
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await server.stop();
  await folder.remove();
});

async function api<T>(subject: string, body: object = {}): Promise<T> {
  return (await connections[0]!.request(`$JS.API.${subject}`, JSON.stringify(body))).json<T>();
}

afterEach(async () => {
  const { streams } = await api<{ streams: string[] | null }>('STREAM.NAMES');
  for (const name of streams ?? []) await api(`STREAM.DELETE.${name}`);
});

const open = (
  options: Partial<Parameters<typeof openEventLog>[1]> = {},
  connection = connections[0]!,
): Promise<EventLog> => openEventLog(connection, { partitions: 3, create: true, ...options });

async function change(name: string, alter: (config: StreamConfig) => Partial<StreamConfig>): Promise<void> {
  const { config } = await api<{ config: StreamConfig }>(`STREAM.INFO.${name}`);
  const answer = await api<{ error?: object }>(`STREAM.UPDATE.${name}`, { ...config, ...alter(config) });
  expect(answer.error).toBeUndefined();
}

/** The one message that opening fails with. */
async function refusal(options: Parameters<typeof open>[0] = {}): Promise<string> {
  const error: unknown = await open(options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LogMismatchError);
  return String(error);
}

describe('an empty broker', () => {
  test('gets one log, of one epoch, from processes that start at once', async () => {
    const logs = await Promise.all(connections.map((connection) => open({}, connection)));
    expect(new Set(logs.map(({ epoch }) => epoch)).size).toBe(1);
    expect(logs[0]!.epoch).toMatch(/^[0-9a-f]{16}$/);
    const { streams } = await api<{ streams: string[] }>('STREAM.NAMES');
    expect(streams.sort()).toEqual(['CHAT_0', 'CHAT_1', 'CHAT_2']);
    expect((await open({ create: false })).epoch).toBe(logs[0]!.epoch);
  });

  test('gets a log from one process while another waits for it', async () => {
    const waiting = open({ create: false }, connections[1]);
    const { epoch } = await open();
    expect((await waiting).epoch).toBe(epoch);
  });

  test('gets the rest of a log whose creation was interrupted, in the epoch that was begun', async () => {
    const { epoch } = await open();
    await change('CHAT_0', ({ metadata }) => ({ metadata: { ...metadata, [STREAM_METADATA.complete]: 'false' } }));
    await api('STREAM.DELETE.CHAT_1');
    await api('STREAM.DELETE.CHAT_2');
    expect((await open()).epoch).toBe(epoch);
    const { streams } = await api<{ streams: string[] }>('STREAM.NAMES');
    expect(streams.sort()).toEqual(['CHAT_0', 'CHAT_1', 'CHAT_2']);
  });

  test('gets another epoch when all of the log was thrown away', async () => {
    const { epoch } = await open();
    for (const partition of [0, 1, 2]) await api(`STREAM.DELETE.CHAT_${partition}`);
    expect((await open()).epoch).not.toBe(epoch);
  });
});

describe('an existing log', () => {
  test('is opened as it is, with its entries', async () => {
    const log = await open();
    const room = new ContractRoom(3);
    const { seq } = await log.append(room.says('ann', 'hello'));
    const again = await open({}, connections[1]);
    expect(again.epoch).toBe(log.epoch);
    expect(await again.last(room.timeline)).toMatchObject({ seq });
  });

  test('with other partitions is refused, and told what to set', async () => {
    await open();
    for (const partitions of [2, 5])
      expect(await refusal({ partitions })).toMatch(
        new RegExp(`created with 3 partitions, configured are ${partitions}.*set PARTITIONS=3`),
      );
  });

  test('with a missing stream is refused; nothing is created in its place', async () => {
    await open();
    await api('STREAM.DELETE.CHAT_1');
    expect(await refusal()).toMatch(/CHAT_1 is missing.*backup/);
    await api('STREAM.DELETE.CHAT_0');
    expect(await refusal()).toMatch(/CHAT_0 is missing; CHAT_1 is missing/);
    expect((await api<{ streams: string[] }>('STREAM.NAMES')).streams).toEqual(['CHAT_2']);
  });

  test('is refused with one message that names every difference', async () => {
    await open();
    await change('CHAT_1', () => ({ duplicate_window: 60_000_000_000 }));
    await change('CHAT_2', ({ metadata }) => ({ metadata: { ...metadata, [STREAM_METADATA.epoch]: 'other' } }));
    const message = await refusal();
    expect(message).toContain('CHAT_1: dedupe window (ms) is 60000, configured is 120000');
    expect(message).toMatch(/CHAT_2: epoch is other, that of CHAT_0 is [0-9a-f]{16}/);
    expect(message).not.toContain('\n');
  });

  test('is refused without republishing, and without batches', async () => {
    await open();
    await change('CHAT_0', ({ republish: _, ...config }) => ({ ...config, republish: undefined as never }));
    await change('CHAT_1', () => ({ allow_atomic: false }));
    const message = await refusal();
    expect(message).toContain('CHAT_0: republish is missing, configured is {"src":"chat.0.>","dest":"live.>"}');
    expect(message).toContain('CHAT_1: allow_atomic is false, configured is true');
  });

  test('with other replicas is refused where replicas are configured, and taken where not', async () => {
    const { epoch } = await open({ replicas: 1 });
    expect(await refusal({ replicas: 3 })).toContain('CHAT_0: replicas is 1, configured is 3');
    expect((await open()).epoch).toBe(epoch);
  });
});

describe('a broker that will not do', () => {
  test('without JetStream is refused with one line', async () => {
    const storeDir = join(folder.path, 'off');
    const without = await startNatsServer({ storeDir, sync: 'off', configExtra: 'jetstream: false' });
    const connection = await connect({ servers: without.url });
    try {
      await expect(open({}, connection)).rejects.toThrow(/runs without JetStream: start it with -js/);
    } finally {
      await connection.close();
      await without.stop();
    }
  });

  test('older than 2.12 is refused with one line', async () => {
    const old = await pretend('2.11.9');
    const connection = await connect({ servers: `127.0.0.1:${(old.address() as AddressInfo).port}`, reconnect: false });
    try {
      await expect(open({}, connection)).rejects.toThrow('nats-server old-one is 2.11.9, Parley needs 2.12 or newer');
    } finally {
      await connection.close();
      old.close();
    }
  });
});

/** As much of a nats-server as a client needs to connect. */
function pretend(version: string): Promise<Server> {
  const info = {
    server_id: 'X',
    server_name: 'old-one',
    version,
    proto: 1,
    max_payload: 1_048_576,
    headers: true,
    jetstream: true,
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => chunk.includes('PING') && socket.write('PONG\r\n'));
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
