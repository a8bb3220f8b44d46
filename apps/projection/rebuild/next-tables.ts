/**
 * The tables of a rebuild stand in a schema of their own, under the same names: the same statements write them, on connections
 * whose search path leads there first. The swap puts the live ones aside and these in their place, in one transaction; what was put
 * aside is dropped afterwards, when nobody waits for it.
 */
import { type ReadModel, sqlState, type Writer } from '#read-models';

export const NEXT_SCHEMA = 'parley_next';
const LIVE_SCHEMA = 'public';
const PAST_SCHEMA = 'parley_past';
/** Written by the rebuild itself, and taken over row by row. */
const OWN_TABLES = ['checkpoints', 'dead_letters'];
/** Shorter than PostgreSQL's own look for deadlocks (1 s), so that it is we who step back, never a query. */
const TABLE_LOCK_MS = 50;
const CHECKPOINT_LOCK_MS = 5_000;

/** Makes empty tables like the live ones; what an interrupted rebuild has left goes. */
export async function makeNextTables(control: Writer, models: readonly ReadModel[]): Promise<void> {
  await dropNextTables(control);
  for (const schema of [NEXT_SCHEMA, PAST_SCHEMA]) await control.execute(`create schema ${schema}`);
  for (const table of [...tablesOf(models), ...OWN_TABLES]) {
    await control.execute(`create table ${NEXT_SCHEMA}.${table} (like ${LIVE_SCHEMA}.${table} including all)`);
    await copyStorageOptions(control, table);
  }
}

export async function dropNextTables(control: Writer): Promise<void> {
  await control.execute(`drop schema if exists ${NEXT_SCHEMA}, ${PAST_SCHEMA} cascade`);
}

export const useNextTables = (writer: Writer): Promise<void> =>
  writer.execute(`set search_path to ${NEXT_SCHEMA}, ${LIVE_SCHEMA}`);

export const tablesOf = (models: readonly ReadModel[]): string[] => models.flatMap(({ tables }) => tables);

/** The one thing that `like` leaves out. */
async function copyStorageOptions(control: Writer, table: string): Promise<void> {
  const [row] = await control.query<{ options: string[] | null }>(
    'storage-options',
    'select reloptions as options from pg_class where oid = $1::regclass',
    [`${LIVE_SCHEMA}.${table}`],
  );
  const options = row?.options ?? [];
  if (options.length === 0) return;
  await control.execute(`alter table ${NEXT_SCHEMA}.${table} set (${options.join(', ')})`);
}

/** Stops every leader at the end of its batch, until the transaction ends; queries go on. */
export async function holdLeaders(control: Writer): Promise<void> {
  await control.execute(`set local lock_timeout = ${CHECKPOINT_LOCK_MS}`);
  await control.execute(`lock table ${LIVE_SCHEMA}.checkpoints in share row exclusive mode`);
}

/**
 * Puts the new tables where the live ones are. Part of a transaction that holds the leaders and has seen both at the same place.
 * @param all every read model is among them: then the dead letters, too, are those of the rebuild
 * @throws an error for which `isLocked` is true when queries are under way that use the live tables: to be tried again
 */
export async function swapTables(control: Writer, models: readonly ReadModel[], all: boolean): Promise<void> {
  const tables = tablesOf(models);
  await control.execute(`set local lock_timeout = ${TABLE_LOCK_MS}`);
  await control.execute(
    `lock table ${tables.map((table) => `${LIVE_SCHEMA}.${table}`).join(', ')} in access exclusive mode`,
  );
  for (const table of tables) {
    await control.execute(`alter table ${LIVE_SCHEMA}.${table} set schema ${PAST_SCHEMA}`);
    await control.execute(`alter table ${NEXT_SCHEMA}.${table} set schema ${LIVE_SCHEMA}`);
  }
  await control.execute(
    `insert into ${LIVE_SCHEMA}.checkpoints (model, partition, epoch, seq, at)
     select model, partition, epoch, seq, at from ${NEXT_SCHEMA}.checkpoints
     on conflict (model, partition) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at`,
  );
  // Leaders see it at their next batch and load their state again.
  await control.execute(`update ${LIVE_SCHEMA}.checkpoints set generation = generation + 1`);
  if (!all) return;
  await control.execute(`delete from ${LIVE_SCHEMA}.dead_letters`);
  await control.execute(`insert into ${LIVE_SCHEMA}.dead_letters select * from ${NEXT_SCHEMA}.dead_letters`);
}

const LOCK_NOT_AVAILABLE = '55P03';
export const isLocked = (error: unknown): boolean => sqlState(error) === LOCK_NOT_AVAILABLE;
