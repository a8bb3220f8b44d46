/**
 * The tables that are not made from the log, as lines of JSON: one object a row, by the names of its columns. PostgreSQL writes and
 * reads them (`row_to_json`, `json_populate_recordset`), so every type comes back as it was.
 *
 * Which tables a backup holds, and in which order they are taken, has reasons (docs/BACKUP.md):
 * - `marks` before the log: a mark then always names a message that the backup has.
 * - `accounts` after the log: whoever has written there has an account, and nobody else can register that name.
 */
import pg from 'pg';
import { MIGRATIONS } from '../migrations/index.js';

export const TABLES_BEFORE_LOG = ['marks'] as const;
export const TABLES_AFTER_LOG = ['accounts'] as const;
export type KeptTable = (typeof TABLES_BEFORE_LOG)[number] | (typeof TABLES_AFTER_LOG)[number];

/** Not in a backup, and why. The other tables are made from the log. */
export const TABLES_LEFT_OUT = {
  signing_keys: 'a backup that holds no key cannot be used to make tokens; a new key is made at the first start',
  sessions: 'a session that has ended since would be alive again',
  refresh_tokens: 'a token that has been used since would be good once more',
} as const;

const KEYS: Readonly<Record<KeptTable, string>> = { marks: 'user_id, room_id', accounts: 'user_id' };
const ROWS_AT_ONCE = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** The migrations that this version knows, the newest last. */
export const migrationNames = (): readonly string[] => MIGRATIONS.map((migration) => new migration().name);

/**
 * Hands over all rows of one moment, in the order of their keys.
 * @param write gets lines of JSON, each with its line feed
 */
export async function dumpTable(
  url: string,
  table: KeptTable,
  write: (lines: string, rows: number) => Promise<void>,
): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('begin isolation level repeatable read read only');
    await client.query(
      `declare dump no scroll cursor for select row_to_json(${table})::text as line from ${table} order by ${KEYS[table]}`,
    );
    for (;;) {
      const { rows } = await client.query<{ line: string }>(`fetch ${ROWS_AT_ONCE} from dump`);
      if (rows.length === 0) break;
      await write(rows.map(({ line }) => `${line}\n`).join(''), rows.length);
    }
    await client.query('commit');
  });
}

/** What stands in the way of a restore. */
export class TableNotEmptyError extends Error {
  override readonly name = 'TableNotEmptyError';
}

export interface TableLines {
  readonly table: KeptTable;
  readonly lines: () => AsyncIterable<string>;
}

/**
 * Puts the rows of a backup into tables that have none: all tables in one transaction. Rows that are there already, every column
 * alike, are of a restore that was interrupted, and in order.
 * @returns rows per table, as the backup has them
 * @throws TableNotEmptyError when a table has a row that the backup does not have; nothing has changed then
 */
export function loadTables(url: string, tables: readonly TableLines[]): Promise<ReadonlyMap<KeptTable, number>> {
  return withClient(url, async (client) => {
    await client.query('begin');
    const counts = new Map<KeptTable, number>();
    for (const each of tables) counts.set(each.table, await loadTable(client, each));
    await client.query('commit');
    return counts;
  });
}

/** Whether a restore may write there: throws as `loadTables` would for tables that have any row. */
export function countRows(url: string, tables: readonly KeptTable[]): Promise<ReadonlyMap<KeptTable, number>> {
  return withClient(url, async (client) => {
    const counts = new Map<KeptTable, number>();
    for (const table of tables) counts.set(table, await count(client, `select count(*)::int as n from ${table}`));
    return counts;
  });
}

async function loadTable(client: pg.Client, { table, lines }: TableLines): Promise<number> {
  await client.query(`lock table ${table} in share row exclusive mode`);
  await client.query(`create temporary table restored (like ${table} including defaults) on commit drop`);
  let waiting: string[] = [];
  const insert = async (): Promise<void> => {
    if (waiting.length > 0) await insertLines(client, table, waiting);
    waiting = [];
  };
  for await (const line of lines()) {
    waiting.push(line);
    if (waiting.length >= ROWS_AT_ONCE) await insert();
  }
  await insert();
  const foreign = await count(
    client,
    `select count(*)::int as n from (select * from ${table} except select * from restored) x`,
  );
  if (foreign > 0) throw new TableNotEmptyError(`the table ${table} has ${foreign} rows that are not in the backup`);
  await client.query(`insert into ${table} select * from restored on conflict do nothing`);
  const rows = await count(client, 'select count(*)::int as n from restored');
  await client.query('drop table restored');
  return rows;
}

/** An older backup lacks the columns that have come since: they get their defaults. */
async function insertLines(client: pg.Client, table: KeptTable, lines: readonly string[]): Promise<void> {
  const columns = Object.keys(JSON.parse(lines[0] ?? '{}') as object).map((name) => pg.escapeIdentifier(name));
  const list = columns.join(', ');
  await client.query(
    `insert into restored (${list}) select ${list} from json_populate_recordset(null::${table}, $1::json)`,
    [`[${lines.join(',')}]`],
  );
}

async function count(client: pg.Client, sql: string): Promise<number> {
  return (await client.query<{ n: number }>(sql)).rows[0]?.n ?? 0;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
