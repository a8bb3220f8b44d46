/**
 * The connection to PostgreSQL. Queries run as prepared statements on TypeORM's pool; whoever writes from the log takes a
 * connection of its own (`writer.ts`), so that a slow query never waits for a batch, nor a batch for a query.
 */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { DomainError } from '#contract';
import { ENTITIES } from './entities.js';
import { isAway, sqlState } from './failures.js';
import { MIGRATIONS } from './migrations/index.js';
import { openWriter, type Writer } from './writer.js';

/** Whatever runs a prepared statement: the pool, or one connection. */
export interface Db {
  /** @param name the statement's name: one SQL text each, at most 63 characters */
  query<R extends object>(name: string, sql: string, params?: readonly unknown[]): Promise<R[]>;
}

export interface Database extends Db {
  readonly url: string;
  /** Queries that `work` asks for at once go out in one write, on one connection, and are answered in their order. */
  together<T>(work: (db: Db) => Promise<T>): Promise<T>;
  /**
   * Counts up whenever a connection for queries is made or lost. A server that crashed may have forgotten its last commits, and it
   * takes a new connection to talk to it: what was known of it before is to be asked again.
   */
  readonly sessions: number;
  /** For entities (accounts) and for SQL that runs once: `database.source.query(sql, params)`. */
  readonly source: DataSource;
  /** A connection for one writer, outside of the pool of queries. @param name shown in `pg_stat_activity` */
  writer(name: string): Promise<Writer>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Connections for queries. */
  readonly poolMax?: number;
  /** Bring the tables up to date first; every service does, one of them works and the others wait for it. */
  readonly migrate?: boolean;
}

const OLDEST_SERVER = 14;
const POOL_MAX = 10;
/** Kept open, so that the first query after a pause does not wait for a connection. */
const POOL_MIN = 2;
/** Leaders of all partitions, a rebuild beside each, and the marks; connections are made as they are needed. */
const WRITERS_MAX = 256;
/** A database that is starting, or recovering from a crash, is waited for so long. */
const START_WAIT_MS = 30_000;
const START_POLL_MS = 250;
const CONNECT_TIMEOUT_MS = 5_000;
/** No query of ours takes longer unless something is wrong; then its connection is better used by another. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** The same by our own clock, for a server that has stopped and cannot end anything; its connection is given up then. */
const QUERY_TIMEOUT_MS = 12_000;
/** Queries that wait for a connection; above it they are refused for now. They wait `CONNECT_TIMEOUT_MS` at most. */
export const QUERIES_WAITING_MAX = 2_000;
/** Any number that nobody else uses for an advisory lock in this database. */
const MIGRATION_LOCK = 0x7061726c;

/**
 * - A session that says nothing for 10 s is ended by the server, and its locks with it: the writer's pulse keeps it.
 * - Everything that a writer touches is found by key. So one plan serves for ever, and must not be one that reads a table whole
 *   because it was small when the plan was made.
 * - A commit does not wait for the disk: rows and checkpoint are lost together or not at all, the log has the events, and they are
 *   applied again. The disk is left to the log, whose acknowledgements do wait for it. (What a query was told of a checkpoint may
 *   be wrong after such a crash: see `Database.sessions`.)
 */
const WRITER_SESSION = [
  '-c synchronous_commit=off',
  '-c plan_cache_mode=force_generic_plan',
  '-c enable_seqscan=off',
  '-c enable_hashjoin=off',
  '-c enable_mergejoin=off',
  '-c idle_session_timeout=10000',
  '-c idle_in_transaction_session_timeout=10000',
  '-c tcp_keepalives_idle=5',
  '-c tcp_keepalives_interval=2',
  '-c tcp_keepalives_count=3',
].join(' ');

/**
 * Opens the database and brings its tables up to date.
 * @throws Error with one line for the operator when it does not answer within 30 s, or refuses us
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Database> {
  const source = dataSource(url, {
    max: options.poolMax ?? POOL_MAX,
    min: POOL_MIN,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    pipeline: true,
  });
  await connectWithin(source, url);
  await checkVersion(source, url);
  const writers = dataSource(url, {
    max: WRITERS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: WRITER_SESSION,
    pipeline: true,
  });
  try {
    if (options.migrate ?? true) await migrate(url);
    return new PostgresDatabase(url, source, writers);
  } catch (error) {
    await source.destroy();
    throw error;
  }
}

class PostgresDatabase implements Database {
  private readonly pool: pg.Pool;
  private sessionsMadeOrLost = 0;
  private opening: Promise<DataSource> | undefined;

  constructor(
    readonly url: string,
    readonly source: DataSource,
    private readonly writers: DataSource,
  ) {
    this.pool = (source.driver as PostgresDriver).master as pg.Pool;
    for (const event of ['connect', 'remove'] as const) this.pool.on(event, () => void this.sessionsMadeOrLost++);
  }

  get sessions(): number {
    return this.sessionsMadeOrLost;
  }

  query<R extends object>(name: string, sql: string, params: readonly unknown[] = []): Promise<R[]> {
    return this.asked(async () => (await this.pool.query<R>({ name, text: sql, values: [...params] })).rows);
  }

  together<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.asked(async () => {
      const client = await this.pool.connect();
      const underWay: Promise<unknown>[] = [];
      const query = <R extends object>(name: string, sql: string, params: readonly unknown[] = []): Promise<R[]> => {
        const answer = client.query<R>({ name, text: sql, values: [...params] });
        underWay.push(answer);
        return answer.then(({ rows }) => rows);
      };
      try {
        return await work({ query });
      } finally {
        // The next one must not wait for what this one has given up, nor be given a connection that is broken.
        const ends = await Promise.allSettled(underWay);
        client.release(ends.some(({ status }) => status === 'rejected'));
      }
    });
  }

  private async asked<T>(work: () => Promise<T>): Promise<T> {
    if (this.pool.waitingCount >= QUERIES_WAITING_MAX)
      throw new DomainError('unavailable', 'too many queries wait for the database');
    try {
      return await work();
    } catch (error) {
      if (isAway(error)) throw new DomainError('unavailable', undefined, { cause: error });
      throw error;
    }
  }

  async writer(name: string): Promise<Writer> {
    this.opening ??= this.writers.initialize();
    try {
      await this.opening;
    } catch (error) {
      this.opening = undefined;
      throw error;
    }
    return openWriter(this.writers.createQueryRunner(), name);
  }

  async close(): Promise<void> {
    await this.source.destroy();
    if (this.opening !== undefined) await this.writers.destroy();
  }
}

function dataSource(url: string, extra: Readonly<Record<string, unknown>>): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    entities: [...ENTITIES],
    migrations: [...MIGRATIONS],
    migrationsTableName: 'migrations',
    synchronize: false,
    logging: false,
    applicationName: 'parley',
    // An idle connection that breaks is no news: the next query opens another, or says that the database is away.
    poolErrorHandler: () => undefined,
    extra: { types: { getTypeParser }, ...extra },
  });
}

/** Counts and sequences are bigint; none of ours passes 2^53 (a position's sequence has at most 13 digits). */
function getTypeParser(oid: number, format?: 'text' | 'binary'): unknown {
  if (oid === pg.types.builtins.INT8 && format !== 'binary') return Number;
  return pg.types.getTypeParser(oid, format);
}

async function connectWithin(source: DataSource, url: string): Promise<void> {
  const giveUpAt = performance.now() + START_WAIT_MS;
  for (;;) {
    try {
      await source.initialize();
      return;
    } catch (cause) {
      if (isAway(cause) && performance.now() < giveUpAt) {
        await delay(START_POLL_MS);
        continue;
      }
      throw new Error(`PostgreSQL at ${address(url)} (DATABASE_URL): ${reason(cause)}`, { cause });
    }
  }
}

/** `idle_session_timeout`, on which a leader's lock depends, came with 14. */
async function checkVersion(source: DataSource, url: string): Promise<void> {
  const [row]: { server_version: string }[] = await source.query('show server_version');
  if (Number.parseInt(row?.server_version ?? '', 10) >= OLDEST_SERVER) return;
  await source.destroy();
  throw new Error(
    `PostgreSQL at ${address(url)} (DATABASE_URL) is ${row?.server_version}, Parley needs ${OLDEST_SERVER} or newer: upgrade it`,
  );
}

function address(url: string): string {
  const { hostname, port, pathname, username } = new URL(url);
  return `${username}@${hostname}:${port || '5432'}${pathname}`;
}

function reason(error: unknown): string {
  const code = sqlState(error);
  const message = error instanceof Error ? error.message || code : String(error);
  if (code === '28P01' || code === '28000') return `the user or password is refused (${message})`;
  if (code === '3D000') return `${message}: create it, or name another one`;
  return isAway(error) ? `does not answer: start it or set DATABASE_URL (${message})` : String(message);
}

/** On connections of its own, which may take as long as a large table needs; ending them ends the lock. */
async function migrate(url: string): Promise<void> {
  const source = dataSource(url, { max: 2, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await source.initialize();
  const runner = source.createQueryRunner();
  try {
    await runner.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await runner.release();
    await source.destroy();
  }
}
