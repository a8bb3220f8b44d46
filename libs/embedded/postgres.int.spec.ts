import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import pg from 'pg';
import { temporaryFolder } from './places.js';
import { startPostgres, type Postgres } from './postgres.js';
import { childrenOf, isRunning, isStopped, processNamed } from './process-table.js';
import { waitUntil } from './wait-until.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;
let postgres: Postgres;

beforeAll(async () => {
  folder = await temporaryFolder('postgres');
  dataDir = join(folder.path, 'postgres');
  postgres = await startPostgres({ dataDir });
}, 120_000);

afterAll(async () => {
  await postgres.stop();
  await folder.remove();
});

async function query<T>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

describe('startPostgres', () => {
  test('it is PostgreSQL 18 in UTF-8, syncs to disk, and asks for its password', async () => {
    const settings = `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('fsync') AS fsync,
      current_setting('synchronous_commit') AS commit, pg_encoding_to_char(encoding) AS encoding, datlocale AS locale
      FROM pg_database WHERE datname = current_database()`;
    const expected = { major: 18, fsync: 'on', commit: 'on', encoding: 'UTF8', locale: 'C.UTF-8' };
    expect(await query(postgres.url, settings)).toEqual([expected]);
    const stranger = new URL(postgres.url);
    stranger.password = 'guessed';
    await expect(query(stranger.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  });

  test('committed rows survive kill -9, with a client in the middle of a statement', async () => {
    const url = await postgres.createDatabase('kept');
    await query(url, 'CREATE TABLE kept (n int)');
    await query(url, 'INSERT INTO kept SELECT generate_series(1, 1000)');
    const busy = query(url, 'SELECT count(*) FROM generate_series(1, 1000000000)').then(
      () => 'answered',
      () => 'cut',
    );
    const { pid } = postgres;
    const backends = childrenOf(pid);
    await postgres.kill();
    expect(await busy).toBe('cut');
    expect(processNamed(pid)).toBeUndefined();
    expect(backends.filter(isRunning)).toEqual([]);
    await postgres.restart();
    expect(await query(url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 1000 }]);
  });

  test('backends that were paused when it was killed are no obstacle', async () => {
    postgres.pause();
    await postgres.kill();
    await postgres.restart();
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a paused server answers once it is resumed', async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    postgres.pause();
    let answered = false;
    const answer = client.query('SELECT 1').then(() => (answered = true));
    await waitUntil('every process is stopped', 10_000, () =>
      [postgres.pid, ...childrenOf(postgres.pid).map(({ pid }) => pid)].every(isStopped),
    );
    expect(answered).toBe(false);
    postgres.resume();
    await answer;
    await client.end();
  });

  test('a database is made once, copied from a template, and dropped under its clients', async () => {
    const template = await postgres.createDatabase('template_of_mine');
    await query(template, 'CREATE TABLE mine (n int)');
    expect(await postgres.createDatabase('template_of_mine')).toBe(template);
    const copy = await postgres.createDatabase('copy "of" mine', { template: 'template_of_mine' });
    expect(await query(copy, 'SELECT count(*)::int AS n FROM mine')).toEqual([{ n: 0 }]);
    const client = new pg.Client({ connectionString: copy });
    const ended = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await postgres.dropDatabase('copy "of" mine');
    await ended;
    await expect(query(copy, 'SELECT 1')).rejects.toThrow(/does not exist/);
  });

  test('a folder in use is refused with its owner', async () => {
    await expect(startPostgres({ dataDir })).rejects.toThrow(`is in use by process ${process.pid}`);
  });

  test('a setting that PostgreSQL refuses is said in one line', async () => {
    const failing = startPostgres({ dataDir: join(folder.path, 'other'), settings: { shared_buffers: 'much' } });
    await expect(failing).rejects.toThrow(/^PostgreSQL ended while starting .*shared_buffers.*$/);
  });

  test('a stopped server starts again with its data', async () => {
    const url = await postgres.createDatabase('again');
    await query(url, 'CREATE TABLE again (n int)');
    await postgres.stop();
    postgres = await startPostgres({ dataDir, port: postgres.port });
    expect(await query(url, 'SELECT count(*)::int AS n FROM again')).toEqual([{ n: 0 }]);
  });
});
