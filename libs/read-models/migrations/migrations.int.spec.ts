import { expect, test } from '@jest/globals';
import { openDatabase } from '../database.js';
import { useDatabases } from '../test-database.js';
import { MIGRATIONS } from './index.js';

const databases = useDatabases();

test('the entities and the migrations describe the same tables', async () => {
  const { source } = await databases.fresh();
  const { upQueries } = await source.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query)).toEqual([]);
});

test('several services that start at once migrate once', async () => {
  const url = await databases.postgres.createDatabase('started_by_many');
  const opened = await Promise.all(Array.from({ length: 4 }, () => openDatabase(url, { poolMax: 2 })));
  const [row] = await opened[0]!.query<{ count: number }>('migrations', 'select count(*) as count from migrations');
  expect(row?.count).toBe(MIGRATIONS.length);
  await Promise.all(opened.map((database) => database.close()));
});

test('a migration can be undone and done again', async () => {
  const { source } = await databases.fresh();
  while ((await source.query<unknown[]>('select 1 from migrations')).length > 0) await source.undoLastMigration();
  await source.runMigrations();
  expect((await source.driver.createSchemaBuilder().log()).upQueries).toEqual([]);
});

test('a database that is not there is one line that names it, and no password', async () => {
  const url = new URL(databases.postgres.url);
  url.pathname = '/nowhere';
  await expect(openDatabase(url.href)).rejects.toThrow(/^PostgreSQL at .*\/nowhere \(DATABASE_URL\): .*does not exist/);
  url.password = 'wrong';
  const refused = await openDatabase(url.href).catch((error: Error) => error.message);
  expect(refused).toContain('the user or password is refused');
  expect(refused).not.toContain(databases.postgres.url);
});
