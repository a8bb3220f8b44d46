/** A PostgreSQL of its own for one spec file, with an empty, migrated database for each test that asks for one. */
import { afterAll, beforeAll } from '@jest/globals';
import { type Postgres, startPostgres, temporaryFolder } from '#embedded';
import { type Database, openDatabase } from './database.js';
import { PartitionWriter } from './partition-writer.js';
import { projections } from './projections.js';
import type { ReadModel } from './read-model.js';
import type { TestLog } from './test-log.js';

export function useDatabases(): { fresh(): Promise<Database>; readonly postgres: Postgres } {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let postgres: Postgres;
  const opened: Database[] = [];
  let count = 0;
  beforeAll(async () => {
    folder = await temporaryFolder('read-models');
    postgres = await startPostgres({ dataDir: `${folder.path}/postgres`, settings: { fsync: 'off' } });
  });
  afterAll(async () => {
    for (const database of opened) await database.close();
    await postgres.stop();
    await folder.remove();
  });
  return {
    get postgres() {
      return postgres;
    },
    async fresh() {
      const database = await openDatabase(await postgres.createDatabase(`test_${++count}`));
      opened.push(database);
      return database;
    },
  };
}

/** Brings the live models up to the log's end, in batches of the given size. */
export async function project(database: Database, log: TestLog, options: ProjectOptions = {}): Promise<void> {
  const { batch = 100, models = projections, epoch = 'epoch' } = options;
  for (const [partition, entries] of log.entries.entries()) {
    const writer = await database.writer(`test ${partition}`);
    const target = new PartitionWriter(writer, partition, models);
    await target.load({ epoch, last: entries.length });
    for (let i = 0; i < entries.length; i += batch) await target.apply(entries.slice(i, i + batch));
    await writer.release();
  }
}

export interface ProjectOptions {
  readonly batch?: number;
  readonly models?: readonly ReadModel[];
  readonly epoch?: string;
}

/** Every row of every projected table, in the order of all columns. */
export async function allRows(database: Database): Promise<Record<string, unknown[]>> {
  const tables = projections.flatMap((model) => model.tables);
  const rows = await Promise.all(
    tables.map(async (table) => {
      const found: { row: string }[] = await database.source.query(`select t::text as row from ${table} t order by 1`);
      return [table, found.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(rows);
}
