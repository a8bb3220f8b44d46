import { expect, test } from '@jest/globals';
import { clampMarks } from '../marks/marks.js';
import type { Database } from '../database.js';
import { projections } from '../projections.js';
import { useDatabases } from '../test-database.js';
import {
  countRows,
  dumpTable,
  type KeptTable,
  loadTables,
  TABLES_AFTER_LOG,
  TABLES_BEFORE_LOG,
  TABLES_LEFT_OUT,
} from './kept-tables.js';

const databases = useDatabases();
const KEPT: readonly KeptTable[] = [...TABLES_BEFORE_LOG, ...TABLES_AFTER_LOG];

async function withPeople(count: number): Promise<Database> {
  const database = await databases.fresh();
  await database.source.query(
    `insert into accounts (user_id, username, username_key, email, password_hash, created_at, disabled_at, admin)
     select 'u' || n, 'U "' || n || E'" \\\\ \\n é', 'u' || n, n || '@example.org', case when n % 2 = 0 then 'hash' end,
       now() - n * interval '1.000001 day', case when n % 3 = 0 then now() end, n = 1
     from generate_series(1, $1::int) n`,
    [count],
  );
  await database.source.query(
    `insert into marks select 'u' || n, 'den', n % 4, 9007199254740991 - n, n, n, n from generate_series(1, $1::int) n`,
    [count],
  );
  return database;
}

async function dump({ url }: Database): Promise<Record<KeptTable, string[]>> {
  const lines: Record<KeptTable, string[]> = { marks: [], accounts: [] };
  for (const table of KEPT)
    await dumpTable(url, table, async (text, rows) => {
      const more = text.split('\n').slice(0, -1);
      expect(more.length).toBe(rows);
      lines[table].push(...more);
    });
  return lines;
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

const load = ({ url }: Database, lines: Record<KeptTable, string[]>) =>
  loadTables(
    url,
    KEPT.map((table) => ({ table, lines: () => each(lines[table]) })),
  );

test('what is dumped and loaded is the same, to the last microsecond and character', async () => {
  const [from, to] = [await withPeople(2_345), await databases.fresh()];
  const lines = await dump(from);
  expect(await load(to, lines)).toEqual(
    new Map([
      ['marks', 2_345],
      ['accounts', 2_345],
    ]),
  );
  expect(await dump(to)).toEqual(lines);
});

test('loading again changes nothing: what is there already is of a load that was interrupted', async () => {
  const [from, to] = [await withPeople(10), await databases.fresh()];
  const lines = await dump(from);
  await load(to, { marks: lines.marks.slice(0, 3), accounts: lines.accounts.slice(0, 5) });
  await load(to, lines);
  await load(to, lines);
  expect(await dump(to)).toEqual(lines);
});

test('a row that is not in the backup is refused, and nothing is loaded', async () => {
  const [from, to] = [await withPeople(10), await databases.fresh()];
  const lines = await dump(from);
  await load(to, { marks: [], accounts: lines.accounts.slice(0, 1) });
  await to.source.query(`update accounts set email = 'else@example.org'`);
  await expect(load(to, lines)).rejects.toThrow('the table accounts has 1 rows that are not in the backup');
  expect(await countRows(to.url, KEPT)).toEqual(
    new Map([
      ['marks', 0],
      ['accounts', 1],
    ]),
  );
});

test('a backup of an older version, without a column that has come since, gets its default', async () => {
  const [from, to] = [await withPeople(3), await databases.fresh()];
  const lines = await dump(from);
  const older = lines.accounts.map((line) => {
    const columns = Object.entries(JSON.parse(line) as object).filter(([name]) => name !== 'admin');
    return JSON.stringify(Object.fromEntries(columns));
  });
  await load(to, { ...lines, accounts: older });
  expect((await dump(to)).accounts.map((line) => (JSON.parse(line) as { admin: boolean }).admin)).toEqual([
    false,
    false,
    false,
  ]);
});

test('marks on messages that a restored log does not have go back to the last that it has', async () => {
  const database = await databases.fresh();
  await database.source.query(
    `insert into messages (room_id, seq, partition, ordinal, at, sender, type, content)
     select 'den', n * 10, 1, n, 0, 'ann', 'text', 'x' from generate_series(1, 5) n`,
  );
  await database.source.query(
    `insert into marks values ('bob', 'den', 1, 50, 5, 50, 5), ('cid', 'den', 1, 20, 2, 30, 3)`,
  );
  await clampMarks(database, 1, 35);
  expect((await dump(database)).marks.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({ user_id: 'bob', read_seq: 30, read_ordinal: 3, delivered_ordinal: 3 }),
    expect.objectContaining({ user_id: 'cid', read_seq: 20, read_ordinal: 2, delivered_ordinal: 3 }),
  ]);
});

test('every table is made from the log, kept, or left out for a reason', async () => {
  const { source } = await databases.fresh();
  const rows = await source.query<{ name: string }[]>(
    `select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const made = projections.flatMap(({ tables }) => tables);
  const known = [...made, 'checkpoints', 'dead_letters', 'migrations', ...KEPT, ...Object.keys(TABLES_LEFT_OUT)];
  expect(rows.map(({ name }) => name).sort()).toEqual([...new Set(known)].sort());
});
