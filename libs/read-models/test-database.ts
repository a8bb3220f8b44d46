/** A PostgreSQL of its own for one spec file, with an empty, migrated database for each test that asks for one. */
import { afterAll, beforeAll } from '@jest/globals';
import { type Postgres, startPostgres, temporaryFolder } from '#embedded';
import { type Database, openDatabase } from './database.js';

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
