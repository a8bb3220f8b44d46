import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { Subjects } from '#contract';
import { type NatsServer, type Postgres, startNatsServer, startPostgres, temporaryFolder } from '#embedded';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { connectNats, loadConfig } from '#service';
import { operated } from './test-operate.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let servers: readonly [NatsServer, NatsServer, Postgres];
let connections: NatsConnection[];
let full: Record<string, string>;
let empty: Record<string, string>;
let backup: string;

beforeAll(async () => {
  folder = await temporaryFolder('operate-backup');
  servers = await Promise.all([
    startNatsServer({ storeDir: `${folder.path}/full`, sync: 'off' }),
    startNatsServer({ storeDir: `${folder.path}/empty`, sync: 'off' }),
    startPostgres({ dataDir: `${folder.path}/postgres` }),
  ]);
  const [first, second, postgres] = servers;
  full = { NATS_URL: first.url, DATABASE_URL: await postgres.createDatabase('full'), PARTITIONS: '2' };
  empty = { NATS_URL: second.url, DATABASE_URL: await postgres.createDatabase('empty'), PARTITIONS: '2' };
  connections = await Promise.all([full, empty].map((env) => connectNats(loadConfig(env), 'test')));
  const log = await openEventLog(connections[0]!, { partitions: 2, create: true });
  const subject = new Subjects(2).timeline('den');
  for (let i = 0; i < 5; i++)
    await log.append({
      subject,
      event: { v: 1, type: 'MessageSent', actor: 'ann', data: { content: `${i}`, type: 'text' } },
    });
  const views = await openDatabase(full['DATABASE_URL'] ?? '');
  await views.close();
  await operated(['user', 'create', 'Olga', '--email', 'olga@example.org'], full);
  backup = join(folder.path, 'backups', 'monday');
}, 120_000);
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all(servers.map((server) => server.stop()));
  await folder.remove();
});

describe('parley backup', () => {
  test('makes a folder that is whole and for its owner only', async () => {
    const taken = await operated(['backup', '--to', backup], full);
    expect(taken).toMatchObject({ code: 0, stderr: '' });
    expect(taken.stdout).toMatch(
      /^marks: 0 rows\nCHAT_0: .*\nCHAT_1: .*\naccounts: 1 rows\n.*monday: 2 streams, 2 tables, epoch /,
    );
    expect(statSync(backup).mode & 0o777).toBe(0o700);
    expect(statSync(join(backup, 'tables', 'accounts.jsonl')).mode & 0o777).toBe(0o600);
    expect(existsSync(`${backup}.partial`)).toBe(false);
    expect(await operated(['backup', 'verify', backup], {})).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('whole and unchanged'),
    });
  });

  test.each([
    [['backup'], 2, 'takes --to <folder>'],
    [['backup', 'verify'], 2, 'takes <folder>'],
    [['backup', 'verify', '/nonexistent'], 1, 'is no backup'],
    [['restore'], 2, 'takes --from <folder>'],
    [['restore', '--from', '/nonexistent'], 1, 'is no backup'],
  ])('%j is refused with %i', async (args, code, words) => {
    expect(await operated(args, full)).toMatchObject({ code, stderr: expect.stringContaining(words) });
  });

  test('touches nothing that is there already', async () => {
    expect(await operated(['backup', '--to', backup], full)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is there already'),
    });
    mkdirSync(`${backup}-2.partial`);
    expect(await operated(['backup', '--to', `${backup}-2`], full)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another backup runs, or one was interrupted'),
    });
  });

  test('leaves nothing behind where there is no log to take', async () => {
    const to = join(folder.path, 'nothing');
    expect(await operated(['backup', '--to', to], empty)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no log to take'),
    });
    expect([existsSync(to), existsSync(`${to}.partial`)]).toEqual([false, false]);
  });
});

describe('parley restore', () => {
  test('refuses what does not fit, and changes nothing', async () => {
    expect(await operated(['restore', '--from', backup], { ...empty, PARTITIONS: '8' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('set PARTITIONS=2'),
    });
    expect(await operated(['restore', '--from', backup], full)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('into an empty broker'),
    });
    const mixed = { ...empty, DATABASE_URL: full['DATABASE_URL'] ?? '' };
    await operated(['user', 'create', 'Pete', '--email', 'pete@example.org'], full);
    expect(await operated(['restore', '--from', backup], mixed)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--keep-database'),
    });
  });

  test('refuses a damaged backup, and names the file', async () => {
    const file = join(backup, 'tables', 'accounts.jsonl');
    const was = readFileSync(file);
    writeFileSync(file, String(was).replace('olga@', 'evil@'));
    const damaged = await operated(['restore', '--from', backup], empty);
    expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining('tables/accounts.jsonl: has changed') });
    expect(await operated(['backup', 'verify', backup], {})).toMatchObject({ code: 1 });
    writeFileSync(file, was);
  });

  test('with --keep-database the accounts stay as they are', async () => {
    const kept = { ...empty, DATABASE_URL: full['DATABASE_URL'] ?? '' };
    const restored = await operated(['restore', '--from', backup, '--keep-database'], kept);
    expect(restored).toMatchObject({ code: 0 });
    expect(restored.stdout).toContain('the database keeps its accounts');
    expect((await operated(['user', 'list'], kept)).stdout).toContain('pete');
    const log = await openEventLog(connections[1]!, { partitions: 2 });
    const subject = new Subjects(2).timeline('den');
    expect(await log.last(subject)).toMatchObject({ seq: 5, decoded: { event: { data: { content: '4' } } } });
  });
});
