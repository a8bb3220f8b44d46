/** What a backup of the log must do, on one node and on three: taken while it is written to, restored, and gone on with. */
import { expect } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { objectStream, BUCKETS, LIVE, restoredSubject, streamName, streamSubjects } from '#contract';
import { waitUntil } from '#embedded';
import { ContractRoom, takeSeat, until } from '../contract-room.js';
import { LogMismatchError, type EventLog, type StoredEntry } from '../log.js';
import { openEventLog } from '../open.js';
import { backupStream, backupStreams, type TakenStream } from './backup-log.js';
import { sequenceAfterRestore } from './ids-ahead.js';
import { LogRestore } from './restore-log.js';

export const PARTITIONS = 2;
export const FILES = objectStream(BUCKETS.attachments);

export interface Kept {
  readonly taken: TakenStream;
  chunks: Uint8Array[];
}

/** Keeps rooms of both partitions busy with single entries and batches until it is told to stop. */
export class Writers {
  /** Per partition, the last sequence that was acknowledged. */
  readonly acknowledged = [0, 0];
  #writing = true;
  readonly #running: Promise<void>[];

  constructor(private readonly log: EventLog) {
    const rooms = Array.from({ length: 8 }, (_, i) => roomOf(i % PARTITIONS));
    this.#running = rooms.flatMap((room) => [this.#talk(room), this.#fill(room)]);
  }

  more(count: number): Promise<void> {
    const goals = this.acknowledged.map((seq) => seq + count);
    return until('more entries', () => this.acknowledged.every((seq, partition) => seq >= goals[partition]!), 60_000);
  }

  async stop(): Promise<void> {
    this.#writing = false;
    await Promise.all(this.#running);
  }

  async #talk(room: ContractRoom): Promise<void> {
    for (let i = 0; this.#writing; i++)
      this.#saw(await this.log.append(room.says('ann', `said ${i} in ${room.roomId}`)));
  }

  async #fill(room: ContractRoom): Promise<void> {
    for (let i = 0; this.#writing; i++) await takeSeat(this.log, room, `user-${i}`, 100_000);
  }

  #saw({ partition, seq }: { partition: number; seq: number }): void {
    this.acknowledged[partition] = Math.max(this.acknowledged[partition]!, seq);
  }
}

export async function takeAll(nc: NatsConnection, signal = new AbortController().signal): Promise<Map<string, Kept>> {
  const kept = new Map<string, Kept>();
  for (const stream of backupStreams(PARTITIONS)) {
    let chunks: Uint8Array[] = [];
    const file = {
      write: async (chunk: Uint8Array) => void chunks.push(chunk.slice()),
      restart: async () => void (chunks = []),
    };
    const taken = await backupStream(nc, stream, file, signal);
    if (taken) kept.set(stream, { taken, chunks });
  }
  return kept;
}

export async function* inPieces(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

export async function everything(log: EventLog, partition: number): Promise<StoredEntry[]> {
  const upTo = await log.lastSequence(partition);
  const found: StoredEntry[] = [];
  for (let after = 0; ;) {
    const { entries, complete } = await log.readSubject(partition, streamSubjects(partition), {
      after,
      upTo,
      max: 1_000,
    });
    found.push(...entries);
    if (complete) return found;
    after = entries.at(-1)!.seq;
  }
}

/** Any node of a cluster lists streams, also one that has not heard yet that they are gone. */
export async function removeStreams(nc: NatsConnection): Promise<void> {
  const ask = async <T>(subject: string) => (await nc.request(`$JS.API.${subject}`, '', { timeout: 10_000 })).json<T>();
  const names = async () => (await ask<{ streams: string[] | null }>('STREAM.NAMES')).streams ?? [];
  for (const name of await names()) await ask(`STREAM.DELETE.${name}`);
  await waitUntil('the streams are gone', 10_000, async () => (await names()).length === 0);
}

export interface World {
  readonly nc: NatsConnection;
  readonly replicas: number;
}

export const restoreOf = ({ nc, replicas }: World): LogRestore =>
  new LogRestore(nc, { partitions: PARTITIONS, replicas, backupId: 'the-backup' });

export const openIn = ({ nc, replicas }: World, create = false): Promise<EventLog> =>
  openEventLog(nc, { partitions: PARTITIONS, replicas, create });

export const ENTRY = JSON.stringify({ v: 1, type: 'LogRestored', actor: 'parley', data: {} });

export async function restorePartition(restore: LogRestore, partition: number, kept: ReadonlyMap<string, Kept>) {
  const { taken, chunks } = kept.get(streamName(partition))!;
  const markSeq = sequenceAfterRestore(taken.state.last_seq, taken.begunAt, Date.now());
  return restore.partition(partition, taken, inPieces(chunks), { markSeq, entry: ENTRY });
}

/** The whole of it; `world` has an empty broker, and has none of it any more at the end. */
export async function takenWhileWriting(world: World): Promise<void> {
  const before = await openIn(world, true);
  const writers = new Writers(before);
  await writers.more(300);
  const acknowledged = [...writers.acknowledged];
  const kept = await takeAll(world.nc);
  await writers.more(100);
  await writers.stop();
  const originals = [await everything(before, 0), await everything(before, 1)];
  await removeStreams(world.nc);

  const restore = restoreOf(world);
  expect(await restore.begin()).toEqual([]);
  const ends = [1, 0].map((partition) => ({ partition, done: () => restorePartition(restore, partition, kept) }));
  const restored: { endSeq: number; markSeq: number }[] = [];
  for (const { partition, done } of ends) {
    restored[partition] = await done();
    await expect(openIn(world)).rejects.toThrow(LogMismatchError);
  }
  await restore.finish('epoch-2', Date.now());

  const after = await openIn(world);
  expect(after.epoch).toBe('epoch-2');
  expect(after.restoredAt).toBeGreaterThan(Date.now() - 60_000);
  for (const partition of [0, 1]) {
    const { endSeq, markSeq } = restored[partition]!;
    expect(endSeq).toBeGreaterThanOrEqual(acknowledged[partition]!);
    const entries = await everything(after, partition);
    const mark = entries.pop();
    expect(mark).toMatchObject({ seq: markSeq, subject: restoredSubject(partition), decoded: { kind: 'unknown' } });
    expect(entries).toEqual(originals[partition]!.slice(0, entries.length));
    expect(entries.at(-1)!.seq).toBe(endSeq);
    await batchesAreWhole(after, entries);
    await goesOn(after, partition, entries, markSeq);
  }
}

/** Whoever is counted by the roster is a member, and the broker's last values are the last ones that stand there. */
async function batchesAreWhole(log: EventLog, entries: readonly StoredEntry[]): Promise<void> {
  const lastOf = new Map(entries.map(({ subject, seq }) => [subject, seq]));
  const rosters = entries.filter(({ subject }) => subject.endsWith('.roster'));
  const members = entries.filter(({ subject }) => subject.includes('.member.'));
  expect(rosters.length).toBeGreaterThan(0);
  expect(members.map(({ seq }) => seq - 1)).toEqual(rosters.map(({ seq }) => seq));
  for (const [subject, seq] of [...lastOf].filter(([subject]) => !subject.includes('.member.')))
    expect((await log.last(subject))?.seq).toBe(seq);
}

async function goesOn(
  log: EventLog,
  partition: number,
  entries: readonly StoredEntry[],
  markSeq: number,
): Promise<void> {
  const live: number[] = [];
  const listening = await log.live(LIVE.everything, ({ partition: of, seq }) => of === partition && live.push(seq));
  const room = roomOf(partition);
  const fence = await room.join(log, 'bob');
  expect(fence.seq).toBe(markSeq + 1);
  expect((await log.append(room.says('bob', 'still here', fence))).seq).toBe(markSeq + 2);
  const timeline = entries.findLast(({ subject }) => subject.endsWith('.timeline'))!;
  const reread = await log.entry(partition, timeline.seq);
  expect(reread).toMatchObject({ at: timeline.at, decoded: timeline.decoded });
  await until('the live copies', () => live.includes(markSeq + 2));
  await listening.stop();
}

function roomOf(partition: number): ContractRoom {
  for (;;) {
    const room = new ContractRoom(PARTITIONS);
    if (room.partition === partition) return room;
  }
}
