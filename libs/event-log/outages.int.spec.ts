/** One nats-server that dies and comes back while everybody is at work. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { BusyLog } from './busy-log.js';
import { ContractRoom, contents, timelineOf, until } from './contract-room.js';
import { LogMismatchError, type EventLog } from './log.js';
import { openEventLog } from './open.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let connections: NatsConnection[];
let writer: EventLog;
let reader: EventLog;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-outages');
  server = await startNatsServer({ storeDir: folder.path, sync: 'always' });
  // A server that is killed in the middle of a handshake makes the library wait for all of `timeout`, 20 s by default.
  const endless = { maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 50, timeout: 1_000 };
  connections = await Promise.all([1, 2].map(() => connect({ servers: server.url, ...endless })));
  const open = (index: number) => openEventLog(connections[index]!, { partitions: 2, create: true });
  [writer, reader] = await Promise.all([open(0), open(1)]);
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await server.stop();
  await folder.remove();
});

describe('a broker that is killed and started again', () => {
  test('costs nothing that was acknowledged; followers and tails go on where they were', async () => {
    const busy = new BusyLog(writer, reader);
    await busy.start();
    for (let round = 0; round < 3; round++) {
      await busy.more(200);
      await server.kill();
      await server.restart();
    }
    await busy.more(200);
    await busy.settle();
  });

  test('is waited for by an append that begins while it is away', async () => {
    const room = new ContractRoom(writer.partitions);
    const fence = await room.join(writer, 'ann');
    await server.kill();
    const append = writer.append(room.says('ann', 'hello', fence));
    const last = reader.last(room.timeline);
    await server.restart();
    const { seq } = await append;
    expect(contents(await timelineOf(reader, room))).toEqual(['hello']);
    expect([undefined, seq]).toContain((await last)?.seq);
  });

  test('keeps the ids: what was repeated before is a duplicate afterwards', async () => {
    const room = new ContractRoom(writer.partitions);
    const fence = await room.join(writer, 'ann');
    const send = room.says('ann', 'hello', fence, 'k');
    const first = await writer.append(send, { messageId: `${room.roomId}-k` });
    await server.kill();
    await server.restart();
    expect(await reader.append(send, { messageId: `${room.roomId}-k` })).toEqual({ ...first, duplicate: true });
  });

  test('is waited for by who subscribes while it is away', async () => {
    const room = new ContractRoom(writer.partitions);
    await server.kill();
    const seen: string[] = [];
    const subscribing = reader.live('live.room.>', (entry) => seen.push(...contents([entry])));
    await server.restart();
    const subscription = await subscribing;
    await writer.append(room.says('ann', 'hello'));
    await until('it is heard', () => seen.includes('hello'));
    await subscription.stop();
  });

  test('is waited for by a live subscription as well', async () => {
    const room = new ContractRoom(writer.partitions);
    const seen: string[] = [];
    const subscription = await reader.live('live.room.>', (entry) => seen.push(...contents([entry])));
    await server.kill();
    await server.restart();
    for (const deadline = Date.now() + 20_000; seen.length === 0 && Date.now() < deadline;)
      await writer.append(room.says('ann', 'hello'));
    expect(seen[0]).toBe('hello');
    await subscription.stop();
  });
});

describe('a log that was replaced while the broker was away', () => {
  test('is neither followed nor written to by who had opened the one before', async () => {
    const api = (subject: string) => connections[0]!.request(`$JS.API.${subject}`, '');
    for (const partition of [0, 1]) await api(`STREAM.DELETE.CHAT_${partition}`);
    const fresh = await openEventLog(connections[0]!, { partitions: 2, create: true });
    expect(fresh.epoch).not.toBe(writer.epoch);
    const { signal } = new AbortController();
    const followed = reader.follow({ partition: 0, after: 0, signal }, async () => undefined);
    followed.catch(() => undefined);
    await server.kill();
    await server.restart();
    await expect(followed).rejects.toThrow(LogMismatchError);
    const room = new ContractRoom(2);
    await expect(reader.append(room.says('ann', 'hello'))).rejects.toThrow(/the log was replaced: its epoch is/);
    await fresh.append(room.says('ann', 'hello'));
  });
});
