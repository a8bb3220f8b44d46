/**
 * One connection that writes. Lock, batch and checkpoint share it, so that a lost connection ends all three together: the
 * server has let go of the lock, and nothing more can be written by it.
 */
import type { PoolClient } from 'pg';
import type { QueryRunner } from 'typeorm';
import type { Db } from './database.js';
import { sqlState } from './failures.js';

export interface Writer extends Db {
  /** Aborts when the connection is lost; from then on every statement fails. */
  readonly lost: AbortSignal;
  /** SQL that runs once, and takes no parameters (`create table`, `lock table`). */
  execute(sql: string): Promise<void>;
  /**
   * Runs `work` in a transaction; what it throws rolls back and is thrown on. Statements go out as they are asked for, without
   * waiting for the answers of those before (the server runs them in order): whoever asks for several at once pays one round trip.
   */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the connection, and with it its locks. */
  release(): Promise<void>;
}

/** The session says something at least this often; the server ends one that was silent for 10 s (`WRITER_SESSION`). */
const PULSE_MS = 2_000;
/** SQLSTATE in_failed_sql_transaction */
const TRANSACTION_ABORTED = '25P02';

/** @param runner of a data source for writers; owned by the writer from here on */
export async function openWriter(runner: QueryRunner, name: string): Promise<Writer> {
  const client = (await runner.connect()) as PoolClient;
  const writer = new PostgresWriter(runner, client);
  await writer.query('writer-name', `select set_config('application_name', $1, false)`, [name]);
  return writer;
}

class PostgresWriter implements Writer {
  private readonly losing = new AbortController();
  private readonly pulse: NodeJS.Timeout;
  private ended = false;
  private inTransaction = false;
  /** Why the transaction under way is aborted. */
  private failure: unknown;

  constructor(
    private readonly runner: QueryRunner,
    private readonly client: PoolClient,
  ) {
    // Both stay attached for good: an error on a connection that nobody listens to would end the process.
    client.on('error', (error) => this.losing.abort(error));
    client.on('end', () => this.losing.abort(new Error('the connection to PostgreSQL has ended')));
    this.pulse = setInterval(() => {
      // Whether it is answered does not matter: a connection that is lost tells by itself, above.
      this.execute('select 1').catch(() => undefined);
    }, PULSE_MS);
    this.lost.addEventListener('abort', () => clearInterval(this.pulse));
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  async query<R extends object>(name: string, sql: string, params: readonly unknown[] = []): Promise<R[]> {
    try {
      const { rows } = await this.client.query<R>({ name, text: sql, values: [...params] });
      return rows;
    } catch (error) {
      throw this.causeOf(error);
    }
  }

  /**
   * Statements behind one that failed were sent already and fail too, because the transaction is aborted. Answers come in the order
   * of the statements, so the failure that tells why is known by then; whoever is heard first, it is the one that is thrown.
   */
  private causeOf(error: unknown): unknown {
    if (!this.inTransaction) return error;
    if (sqlState(error) !== TRANSACTION_ABORTED) this.failure ??= error;
    return this.failure ?? error;
  }

  async execute(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    this.failure = undefined;
    this.inTransaction = true;
    try {
      const [, result] = await Promise.all([this.client.query('begin'), work()]);
      const { command } = await this.client.query('commit');
      // An aborted transaction ends without an error, but not with a commit.
      if (command !== 'COMMIT') throw new Error('the transaction was aborted by a failure that nobody was told of');
      return result;
    } catch (error) {
      await this.rollback();
      throw this.failure ?? error;
    } finally {
      this.inTransaction = false;
    }
  }

  /** A connection that cannot even roll back is given up: the server does it when the session ends. */
  private async rollback(): Promise<void> {
    try {
      await this.client.query('rollback');
    } catch (error) {
      this.losing.abort(error);
      await this.release();
    }
  }

  async release(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.pulse);
    // Handed back with an error, so that the pool closes it: session locks and settings must not go to the next user.
    const released = this.runner as QueryRunner & { releasePostgresConnection?: (error?: Error) => Promise<void> };
    const end = new Error('this writer is done');
    await (released.releasePostgresConnection?.(end) ?? this.runner.release());
  }
}
