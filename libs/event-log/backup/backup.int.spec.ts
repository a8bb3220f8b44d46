import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Objm } from '@nats-io/obj';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, STREAM_METADATA, streamName } from '#contract';
import { startNatsServer, temporaryFolder, waitUntil, type NatsServer } from '#embedded';
import { ContractRoom } from '../contract-room.js';
import { LogMismatchError } from '../log.js';
import {
  everything,
  FILES,
  inPieces,
  openIn,
  PARTITIONS,
  removeStreams,
  restoreOf,
  restorePartition,
  takeAll,
  takenWhileWriting,
  Writers,
  type Kept,
  type World,
} from './backup-contract.js';
import { sequenceAfterRestore, SEQUENCE_MAX } from './ids-ahead.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let nc: NatsConnection;
let world: World;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-backup');
  server = await startNatsServer({ storeDir: join(folder.path, 'nats'), sync: 'off' });
  nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  world = { nc, replicas: 1 };
});

afterAll(async () => {
  await nc.close();
  await server.stop();
  await folder.remove();
});

afterEach(() => removeStreams(nc));

const api = async <T>(subject: string, body: object = {}): Promise<T> =>
  (await nc.request(`$JS.API.${subject}`, JSON.stringify(body))).json<T>();

async function smallBackup(): Promise<Map<string, Kept>> {
  const log = await openIn(world, true);
  const writers = new Writers(log);
  await writers.more(20);
  await writers.stop();
  const kept = await takeAll(nc);
  await removeStreams(nc);
  return kept;
}

async function restoreAll(kept: ReadonlyMap<string, Kept>): Promise<void> {
  const restore = restoreOf(world);
  await restore.begin();
  for (let partition = PARTITIONS - 1; partition >= 0; partition--) await restorePartition(restore, partition, kept);
  await restore.finish('restored', Date.now());
}

describe('a backup on one node', () => {
  test(
    'is taken while the log is written to, and is restored with its sequences under a new epoch',
    () => takenWhileWriting(world),
    120_000,
  );

  test('holds the files, as they were', async () => {
    await openIn(world, true);
    const store = await new Objm(nc).create(BUCKETS.attachments);
    const bytes = Buffer.alloc(300_000, 'parley');
    await store.putBlob({ name: 'file_1', metadata: { roomId: 'den' } }, bytes);
    const kept = await takeAll(nc);
    await removeStreams(nc);
    const restore = restoreOf(world);
    await restore.begin();
    for (const partition of [1, 0]) await restorePartition(restore, partition, kept);
    await restore.files(kept.get(FILES)!.taken, inPieces(kept.get(FILES)!.chunks));
    await restore.finish('with-files', Date.now());
    const again = await new Objm(nc).create(BUCKETS.attachments);
    expect(Buffer.from((await again.getBlob('file_1'))!).equals(bytes)).toBe(true);
    expect((await again.info('file_1'))?.metadata).toEqual({ roomId: 'den' });
    const { config } = await api<{ config: { metadata?: object } }>(`STREAM.INFO.${FILES}`);
    expect(config.metadata).not.toHaveProperty(STREAM_METADATA.restoring);
  });

  test('is not restored over a log, nor over files', async () => {
    const kept = await smallBackup();
    await openIn(world, true);
    await expect(restoreOf(world).begin()).rejects.toThrow(
      /has a stream CHAT_1 .* into an empty broker. Nothing was changed/,
    );
    await removeStreams(nc);
    const store = await new Objm(nc).create(BUCKETS.attachments);
    await restoreAll(kept);
    await removeStreams(nc);
    await new Objm(nc).create(BUCKETS.attachments);
    await store.putBlob({ name: 'file_1' }, Buffer.from('something'));
    await expect(restoreOf(world).begin()).rejects.toThrow(new RegExp(`has a stream ${FILES}`));
  });

  test.each([
    ['after one of its partitions', 1],
    ['when only the last step is missing', 2],
  ])('a restore that was interrupted %s is seen, and can be made again', async (_when, restored) => {
    const kept = await smallBackup();
    const interrupted = restoreOf(world);
    await interrupted.begin();
    for (const partition of [1, 0].slice(0, restored)) await restorePartition(interrupted, partition, kept);
    for (const create of [false, true])
      await expect(openIn(world, create)).rejects.toThrow(
        /a backup \(the-backup\) is being restored, or .* parley restore again/,
      );
    expect((await restoreOf(world).begin()).length).toBe(restored);
    await restoreAll(kept);
    expect((await openIn(world)).epoch).toBe('restored');
    await expect(restoreOf(world).begin()).rejects.toThrow('has a stream');
  });

  test('the beginning of a batch whose end it does not have is left out', async () => {
    const log = await openIn(world, true);
    const room = new ContractRoom(PARTITIONS);
    await log.append(room.says('ann', 'stays'));
    const { seqs } = await log.appendBatch([...room.joining('bob', 0, 1), room.says('ann', 'x')]);
    const commit = seqs.at(-1)!;
    await api(`STREAM.MSG.DELETE.${streamName(room.partition)}`, { seq: commit });
    const kept = await takeAll(nc);
    await removeStreams(nc);
    await restoreAll(kept);
    const entries = await everything(await openIn(world), room.partition);
    expect(entries.map(({ seq }) => seq).slice(0, -1)).toEqual([1]);
    expect(await (await openIn(world)).last(room.roster)).toBeUndefined();
  });

  test('a broken chunk makes no stream', async () => {
    const kept = await smallBackup();
    const { taken, chunks } = kept.get(streamName(1))!;
    kept.set(streamName(1), { taken, chunks: chunks.map((chunk) => chunk.slice(0, chunk.length / 2)) });
    const restore = restoreOf(world);
    await restore.begin();
    await expect(restorePartition(restore, 1, kept)).rejects.toThrow(streamName(1));
  });

  test('a restored log lives through a restart of its broker', async () => {
    const kept = await smallBackup();
    await restoreAll(kept);
    const before = await Promise.all([0, 1].map(async (partition) => everything(await openIn(world), partition)));
    await server.kill();
    await server.restart();
    const after = await Promise.all([0, 1].map(async (partition) => everything(await openIn(world), partition)));
    expect(after).toEqual(before);
  }, 60_000);

  test('a process that was connected all the while works no more on a log that was replaced under it', async () => {
    const kept = await smallBackup();
    const log = await openIn(world, true);
    await removeStreams(nc);
    await server.restart();
    await restoreAll(kept);
    await waitUntil('it has noticed', 20_000, () => log.replaced.aborted);
    expect(String(log.replaced.reason)).toMatch(/the log was replaced: its epoch is .*start this process anew/);
    await expect(log.append(new ContractRoom(PARTITIONS).says('ann', 'x'))).rejects.toThrow(LogMismatchError);
  }, 60_000);
});

describe('where a restored partition goes on', () => {
  const now = Date.parse('2026-01-10T00:00:00Z');
  const day = 86_400_000;

  test('is beyond whatever can have been given out since the backup', () => {
    expect(sequenceAfterRestore(500, now, now)).toBe(1_000_500);
    expect(sequenceAfterRestore(500, now - day, now) - 500).toBeGreaterThan(86_400 * 36_000);
    // A clock that is a little behind.
    expect(sequenceAfterRestore(0, now + 4_000, now)).toBe(1_000_000);
  });

  test('is refused when a clock is wrong, and when there is nowhere to go on', () => {
    expect(() => sequenceAfterRestore(0, now + day, now)).toThrow(/set the clock/);
    expect(() => sequenceAfterRestore(SEQUENCE_MAX - day, now - day, now)).toThrow(/no sequences are left/);
  });
});
