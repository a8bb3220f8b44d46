/** What a database is like, without waiting for it and without changing it. */
import pg from 'pg';
import { sqlState } from './failures.js';
import { MIGRATIONS } from './migrations/index.js';

export interface DatabaseFacts {
  /** `18.4` */
  readonly version: string;
  /** The server's clock, ms since 1970, in the middle of the question. */
  readonly clockMs: number;
  /** Migrations of this version that have not been made there. */
  readonly missing: readonly string[];
  /** Made there, and not known to this version: the tables are a newer one's. */
  readonly foreign: readonly string[];
}

const CONNECT_TIMEOUT_MS = 5_000;
const UNDEFINED_TABLE = '42P01';

/** @throws what the driver throws when the database does not answer or refuses us */
export async function inspectDatabase(url: string): Promise<DatabaseFacts> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string; now: Date }>(
      `select current_setting('server_version') as version, clock_timestamp() as now`,
    );
    const made = await migrationsOf(client);
    const known: string[] = MIGRATIONS.map((migration) => new migration().name);
    return {
      version: rows[0]?.version ?? '',
      clockMs: rows[0]?.now.getTime() ?? Number.NaN,
      missing: known.filter((name) => !made.includes(name)),
      foreign: made.filter((name) => !known.includes(name)),
    };
  } finally {
    await client.end();
  }
}

async function migrationsOf(client: pg.Client): Promise<string[]> {
  try {
    return (await client.query<{ name: string }>('select name from migrations')).rows.map(({ name }) => name);
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return [];
    throw error;
  }
}
