/** On a real server: acknowledgements that are lost, and what has happened by the time the append is repeated. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { ContractRoom, contents, timelineOf, until } from './contract-room.js';
import { LossyRelay } from './lossy-relay.js';
import { AppendUnknownError, FenceMovedError, type EventLog, type Fence } from './log.js';
import { openEventLog } from './open.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let relay: LossyRelay;
let connections: NatsConnection[];
/** Through the relay. */
let lossy: EventLog;
let direct: EventLog;
let room: ContractRoom;
let fence: Fence;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-lost');
  server = await startNatsServer({ storeDir: folder.path, sync: 'off' });
  relay = await LossyRelay.start(server.port);
  const endless = { maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0, timeout: 1_000 };
  connections = await Promise.all([relay.url, server.url].map((servers) => connect({ servers, ...endless })));
  const open = (index: number) => openEventLog(connections[index]!, { partitions: 2, create: true });
  [lossy, direct] = await Promise.all([open(0), open(1)]);
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await relay.stop();
  await server.stop();
  await folder.remove();
});

beforeEach(async () => {
  room = new ContractRoom(direct.partitions);
  fence = await room.join(direct, 'ann');
});

/**
 * Starts an append whose answer (or which itself) is lost; `meanwhile` happens before the connection is cut and the
 * append repeated.
 */
async function losing<T>(
  what: 'answers' | 'requests',
  append: () => Promise<T>,
  meanwhile?: () => Promise<unknown>,
): Promise<T> {
  relay.lose(what);
  const appended = append();
  appended.catch(() => undefined);
  await until('something was lost', () => relay.lostBytes > 0);
  await meanwhile?.();
  relay.cut();
  return appended;
}

describe('an acknowledgement that is lost', () => {
  test.each([undefined, 'key'])('is asked for again; the entry stands once (key %s)', async (key) => {
    const options = key === undefined ? {} : { messageId: room.roomId + key };
    const appended = await losing('answers', () => lossy.append(room.says('ann', 'hello', fence, key), options));
    const timeline = await timelineOf(direct, room);
    expect(contents(timeline)).toEqual(['hello']);
    expect(appended.seq).toBe(timeline[0]?.seq);
  });

  test.each([undefined, 'key'])('of a sender who has left since: the first try is found (key %s)', async (key) => {
    const options = key === undefined ? {} : { messageId: room.roomId + key };
    const appended = await losing(
      'answers',
      () => lossy.append(room.says('ann', 'hello', fence, key), options),
      () => room.leave(direct, 'ann'),
    );
    const timeline = await timelineOf(direct, room);
    expect(contents(timeline)).toEqual(['hello']);
    expect(appended.seq).toBe(timeline[0]?.seq);
  });

  test('of a batch: it is found by its mark and not stored again', async () => {
    const appended = await losing('answers', () => lossy.appendBatch(room.joining('bob', 0, 1)));
    const upTo = await direct.lastSequence(room.partition);
    const { entries } = await direct.readSubject(room.partition, room.everything, { after: fence.seq, upTo, max: 10 });
    expect(entries.map(({ seq }) => seq)).toEqual(appended.seqs);
  });

  test('of a batch that fences nothing of its own: it is found as well', async () => {
    const appended = await losing('answers', () =>
      lossy.appendBatch([room.says('ann', 'a', fence), room.says('ann', 'b')]),
    );
    expect((await timelineOf(direct, room)).map(({ seq }) => seq)).toEqual(appended.seqs);
  });
});

describe('an append that is lost', () => {
  test('is made again', async () => {
    await losing('requests', () => lossy.append(room.says('ann', 'hello', fence)));
    expect(contents(await timelineOf(direct, room))).toEqual(['hello']);
  });

  test('of a sender who has left since is refused', async () => {
    const append = () => lossy.append(room.says('ann', 'hello', fence));
    await expect(losing('requests', append, () => room.leave(direct, 'ann'))).rejects.toThrow(FenceMovedError);
    expect(await timelineOf(direct, room)).toEqual([]);
  });

  test('and is a batch that cannot be repeated safely: nobody knows, and it says so', async () => {
    const append = () => lossy.appendBatch([room.says('ann', 'a', fence), room.says('ann', 'b')]);
    await expect(losing('requests', append)).rejects.toThrow(AppendUnknownError);
    expect(await timelineOf(direct, room)).toEqual([]);
  });
});
