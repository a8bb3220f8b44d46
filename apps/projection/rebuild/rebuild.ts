/**
 * Builds read models anew from the log, beside the live ones, and swaps them in without a pause that a query could notice.
 *
 *   filling: every partition from 0, as fast as it goes, while the live ones follow the log as ever
 *   closing in: up to where the live ones (or, where all are rebuilt, the log) stand now, until little is left
 *   swapping: leaders held, the last few events, then the tables change places in one transaction
 *
 * A rebuild that ends half-way has changed nothing; the next one throws its tables away.
 */
import type { LoggerService } from '@nestjs/common';
import type { EventLog } from '#event-log';
import { checkpointsOf, type Database, PartitionWriter, projections, type ReadModel, type Writer } from '#read-models';
import { Batches } from '../leading/batches.js';
import { pause } from '../leading/pause.js';
import {
  dropNextTables,
  holdLeaders,
  isLocked,
  makeNextTables,
  NEXT_SCHEMA,
  swapTables,
  tablesOf,
  useNextTables,
} from './next-tables.js';

/** Any number that nobody else uses for an advisory lock in this database. */
const REBUILD_LOCK = 0x72656264;
const BATCH_MAX = 2_000;
/** So few events may be left when the leaders are held: some 50 ms of work. */
const LEFT_MAX = 1_000;
/** Rounds of closing in; a log that outruns us for so long gets its leaders held a little longer. */
const ROUNDS_MAX = 20;
const SWAP_ATTEMPTS_MAX = 200;
const SWAP_RETRY_MS = 100;

export interface RebuildPort {
  readonly database: Database;
  readonly log: EventLog;
  readonly retryAttempts: number;
  readonly logger: LoggerService;
  progress(text: string): void;
}

export interface Rebuilt {
  readonly models: readonly string[];
  readonly events: number;
  readonly ms: number;
  /** How long the leaders were held. */
  readonly heldMs: number;
}

/** One partition of the rebuild: its connection, and the writer of its tables. */
interface Part {
  readonly partition: number;
  readonly writer: Writer;
  readonly target: PartitionWriter;
  readonly batches: Batches;
}

/**
 * @param models with all that they need
 * @throws Error in one line: another rebuild runs, or the live views are of another log
 */
export async function rebuild(port: RebuildPort, models: readonly ReadModel[], signal: AbortSignal): Promise<Rebuilt> {
  const begunAt = performance.now();
  const all = models.length === projections.length;
  const control = await port.database.writer('parley rebuild');
  const parts: Part[] = [];
  let ours = false;
  try {
    await takeLock(control);
    ours = true;
    await makeNextTables(control, models);
    for (let partition = 0; partition < port.log.partitions; partition++)
      parts.push(await openPart(port, partition, models));
    const ending = AbortSignal.any([signal, control.lost, ...parts.map(({ writer }) => writer.lost)]);
    const goal = (partition: number): Promise<number> =>
      all ? port.log.lastSequence(partition) : liveSeq(port, partition);
    await closeIn(port, parts, goal, ending);
    for (const table of tablesOf(models)) await control.execute(`analyze ${NEXT_SCHEMA}.${table}`);
    const heldMs = await swapWhenPossible(port, { control, parts, models, all }, ending);
    const events = parts.reduce((sum, { target }) => sum + target.checkpoint.seq, 0);
    return { models: models.map(({ name }) => name), events, ms: performance.now() - begunAt, heldMs };
  } finally {
    await Promise.all(parts.map(({ writer }) => writer.release()));
    if (ours && !control.lost.aborted) await dropNextTables(control);
    await control.release();
  }
}

async function takeLock(control: Writer): Promise<void> {
  const [lock] = await control.query<{ taken: boolean }>('rebuild-lock', 'select pg_try_advisory_lock($1) as taken', [
    REBUILD_LOCK,
  ]);
  if (lock?.taken !== true) throw new Error('another rebuild is running: wait for its end');
}

async function openPart(port: RebuildPort, partition: number, models: readonly ReadModel[]): Promise<Part> {
  const writer = await port.database.writer(`parley rebuild ${partition}`);
  await useNextTables(writer);
  const target = new PartitionWriter(writer, partition, models);
  await target.load({ epoch: port.log.epoch, last: 0 });
  // Nobody reads these tables yet, so nobody is told.
  const silent = { onApplied: () => undefined, onDeadLetter: () => undefined };
  const { log, retryAttempts, logger } = port;
  return { partition, writer, target, batches: new Batches({ log, retryAttempts, logger, ...silent }, target) };
}

/** Where the live read models stand. */
async function liveSeq({ database }: RebuildPort, partition: number): Promise<number> {
  const live = await checkpointsOf(database, partition);
  return Math.max(0, ...live.map(({ seq }) => seq));
}

async function closeIn(
  port: RebuildPort,
  parts: readonly Part[],
  goal: (partition: number) => Promise<number>,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const goals = await Promise.all(parts.map(({ partition }) => goal(partition)));
    const left = parts.reduce((sum, { target }, i) => sum + Math.max(0, (goals[i] ?? 0) - target.checkpoint.seq), 0);
    if (left === 0 || (round > 1 && left <= LEFT_MAX)) return;
    port.progress(`${left} events to apply`);
    await Promise.all(parts.map((part, i) => applyUpTo(port, part, goals[i] ?? 0, signal)));
  }
}

async function applyUpTo({ log }: RebuildPort, part: Part, goal: number, signal: AbortSignal): Promise<void> {
  const { partition, target, batches } = part;
  if (target.checkpoint.seq >= goal) return;
  const reached = new AbortController();
  const ending = AbortSignal.any([signal, reached.signal]);
  await log.follow(
    { partition, after: target.checkpoint.seq, batchMax: BATCH_MAX, signal: ending },
    async (entries) => {
      await batches.apply(
        entries.filter(({ seq }) => seq <= goal),
        signal,
      );
      if ((entries.at(-1)?.seq ?? 0) >= goal) reached.abort();
    },
  );
  signal.throwIfAborted();
}

interface Swap {
  readonly control: Writer;
  readonly parts: readonly Part[];
  readonly models: readonly ReadModel[];
  readonly all: boolean;
}

/** @returns for how many ms leaders were held */
async function swapWhenPossible(port: RebuildPort, swap: Swap, signal: AbortSignal): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const heldAt = performance.now();
    try {
      await swap.control.transaction(() => swapOnce(port, swap, signal));
      return performance.now() - heldAt;
    } catch (error) {
      if (!isLocked(error) || attempt >= SWAP_ATTEMPTS_MAX) throw error;
      port.progress('waiting for queries on the live tables to end');
      await pause(SWAP_RETRY_MS, signal);
      signal.throwIfAborted();
    }
  }
}

async function swapOnce(port: RebuildPort, { control, parts, models, all }: Swap, signal: AbortSignal): Promise<void> {
  await holdLeaders(control);
  for (const part of parts) {
    const live = await checkpointsOf(control, part.partition);
    if (live.some(({ epoch }) => epoch !== port.log.epoch))
      throw new Error('the live read models are of another epoch of the log: let projection start on this log first');
    const seq = Math.max(0, ...live.map((each) => each.seq));
    await applyUpTo(port, part, seq, signal);
    if (!all && part.target.checkpoint.seq !== seq)
      throw new Error(`partition ${part.partition}: the live read models have gone back while this ran; run it again`);
  }
  await swapTables(control, models, all);
}
