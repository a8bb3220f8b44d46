import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { requireDisk } from './disk.js';
import { inheritedEnvironment } from './environment.js';
import { HeldProcess, type Child } from './held-process.js';
import { claimFolder, type OwnerLock } from './owner-lock.js';
import { freePort } from './ports.js';
import { postgresAccount, type Account } from './postgres-account.js';
import { postgresBinaries } from './postgres-binary.js';
import { prepareData, SUPERUSER, templateFolder, type PostgresData } from './postgres-data.js';
import { childrenOf, processesIn, signal } from './process-table.js';
import { waitUntil } from './wait-until.js';

export interface Postgres extends Child {
  /** Of the database `postgres`, with user and password. */
  readonly url: string;
  readonly port: number;
  /** What it has written since its last start, at most 256 KiB. */
  readonly log: string;
  /** Makes the database unless it is there, as a copy of `template` if one is named; gives its URL. */
  createDatabase(name: string, options?: { template?: string }): Promise<string>;
  /** Ends the connections to the database and removes it, if it is there. */
  dropDatabase(name: string): Promise<void>;
}

export interface PostgresOptions {
  /** Made when missing; see postgres-data.ts for what is in it. */
  dataDir: string;
  /** A free one by default. It stays the same over `restart`. */
  port?: number;
  logFile?: string;
  /** Settings of postgresql.conf that win over ours. */
  settings?: Record<string, string>;
}

const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Parallel queries need more shared memory than a container usually has, and two cores have better things to do.
  max_parallel_workers_per_gather: '0',
};

const START_ATTEMPTS_MAX = 5;
/** After kill -9 it first replays its write-ahead log. */
const READY_WITHIN_MS = 120_000;
const GRACE_SECONDS = 15;
const PORT_TAKEN = 'Address already in use';

/** Starts PostgreSQL on 127.0.0.1 alone, also when we are root; resolves when it takes connections. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const dataDir = resolve(options.dataDir);
  const account = postgresAccount();
  const binaries = postgresBinaries(account);
  const lock = await claimFolder(dataDir, 'PostgreSQL');
  try {
    requireDisk(dataDir);
    const prepared = await prepareData(dataDir, binaries, account);
    for (let attempt = 1; ; attempt += 1) {
      const port = options.port ?? (await freePort());
      const server = new PostgresProcess(binaries.postgres, { ...options, port }, prepared, account, lock);
      try {
        await server.start();
        return server;
      } catch (error) {
        const mayRetry = options.port === undefined && attempt < START_ATTEMPTS_MAX;
        if (!mayRetry || !(error instanceof Error) || !error.message.includes(PORT_TAKEN)) throw error;
      }
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Does now what the first start on a machine takes its time for, so that specs that start side by side need not. */
export async function preparePostgres(): Promise<void> {
  const account = postgresAccount();
  await templateFolder(postgresBinaries(account), account);
}

class PostgresProcess extends HeldProcess implements Postgres {
  readonly url: string;
  readonly port: number;

  constructor(
    binary: string,
    options: PostgresOptions & { port: number },
    { data, password }: PostgresData,
    account: Account | undefined,
    lock: OwnerLock,
  ) {
    super('PostgreSQL', {
      launch: async () => {
        await clearRemains(data);
        return {
          title: 'PostgreSQL',
          command: binary,
          args: ['-D', data, '-p', String(options.port), ...settingArguments({ ...SETTINGS, ...options.settings })],
          env: { ...inheritedEnvironment(), LC_ALL: 'C' },
          cwd: '/',
          ...account,
          ...(options.logFile !== undefined && { logFile: options.logFile }),
          // Its fast shutdown: ends connections, writes a checkpoint, and is gone.
          stopSignal: 'SIGINT',
          graceSeconds: GRACE_SECONDS,
          lock,
        };
      },
      ready: (run, over) => untilReady(data, run.child.pid, over),
      explain: reasonInLog,
      companions: childrenOf,
      lock,
    });
    this.port = options.port;
    this.url = `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${options.port}/postgres`;
  }

  async createDatabase(name: string, options: { template?: string } = {}): Promise<string> {
    const from = options.template ? ` TEMPLATE ${pg.escapeIdentifier(options.template)}` : '';
    try {
      await this.#command(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from}`);
    } catch (error) {
      if ((error as { code?: string }).code !== DUPLICATE_DATABASE) throw error;
    }
    const url = new URL(this.url);
    url.pathname = `/${encodeURIComponent(name)}`;
    return url.href;
  }

  async dropDatabase(name: string): Promise<void> {
    await this.#command(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
  }

  async #command(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}

const DUPLICATE_DATABASE = '42P04';

function settingArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The last field that PostgreSQL writes into its pid file, once it takes connections. */
async function untilReady(data: string, pid: number, over: AbortSignal): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const ready = (): boolean => {
    if (!existsSync(file)) return false;
    const lines = readFileSync(file, 'utf8').split('\n');
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
  };
  await waitUntil('PostgreSQL takes connections', READY_WITHIN_MS, ready, over);
}

const REMAINS_END_MS = 10_000;

/**
 * We hold the folder, so whatever runs in it belongs to an owner that is gone: backends that outlived a killed postmaster would
 * keep it from starting, and so would a pid file whose pid now belongs to somebody else.
 */
async function clearRemains(data: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const file = join(data, 'postmaster.pid');
  const former = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
  if (processesIn(data).some((found) => found.pid === former)) {
    throw new Error(`PostgreSQL: ${data} is in use by process ${former}; stop that one first`);
  }
  await waitUntil('PostgreSQL: orphaned backends end', REMAINS_END_MS, () => {
    const orphans = processesIn(data);
    orphans.forEach((orphan) => signal(orphan.pid, 'SIGKILL'));
    return orphans.length === 0;
  });
  rmSync(file, { force: true });
}

function reasonInLog(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => /FATAL|PANIC|could not|HINT/.test(line));
  const plain = lines.map((line) => line.replace(/^.*?(LOG|FATAL|PANIC|HINT|WARNING): +/, ''));
  return plain.length > 0 ? plain.join('; ') : undefined;
}
