import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { QUEUE_GROUPS, REQUESTS, Subjects } from '#contract';
import { type NatsServer, type Postgres, startNatsServer, startPostgres, temporaryFolder } from '#embedded';
import { openEventLog } from '#event-log';
import { openDatabase, PartitionWriter, projections } from '#read-models';
import { type Config, connectNats, loadConfig } from '#service';
import { operated } from './test-operate.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nats: NatsServer;
let postgres: Postgres;
let connection: NatsConnection;
let config: Config;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await temporaryFolder('operate');
  [nats, postgres] = await Promise.all([
    startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' }),
    startPostgres({ dataDir: `${folder.path}/postgres` }),
  ]);
  env = { NATS_URL: nats.url, DATABASE_URL: await postgres.createDatabase('operate'), PARTITIONS: '2' };
  config = loadConfig(env);
  connection = await connectNats(config, 'test');
}, 120_000);
afterAll(async () => {
  await connection.close();
  await Promise.all([nats.stop(), postgres.stop()]);
  await folder.remove();
});

async function run(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  const { code, stdout, stderr } = await operated(['projections', ...args], env);
  return { code, lines: stdout.split('\n').slice(0, -1), errors: stderr };
}

test('status shows every read model and partition, how far behind it is, and the dead letters', async () => {
  const log = await openEventLog(connection, { partitions: 2, replicas: 1, create: true });
  const views = await openDatabase(config.databaseUrl ?? '');
  const subject = new Subjects(2).timeline('r');
  const event = { v: 1, type: 'MessageSent', actor: 'ann', data: { content: 'one', type: 'text' } } as const;
  const { partition } = await log.append({ subject, event });
  await log.append({ subject, event });
  const entry = await log.entry(partition, 1);
  const writer = await views.writer('test');
  for (const each of [0, 1]) {
    const target = new PartitionWriter(writer, each, projections);
    await target.load({ epoch: log.epoch, last: await log.lastSequence(each) });
    if (each !== partition || entry === undefined) continue;
    await target.apply([entry], [{ partition, seq: 1, subject, reason: 'no good', at: entry.at }]);
  }
  await writer.release();
  await views.close();

  const { code, lines } = await run('status');
  expect(code).toBe(1);
  expect(lines.filter((line) => /^timeline +\d/.test(line))).toHaveLength(2);
  expect(lines.find((line) => line.startsWith(`rooms        ${partition}`))).toMatch(/^rooms +\d +1 +2 +1 +20\d\d-/);
  expect(lines).toContain('dead letters: 1');
  expect(lines).toContain(`  ${partition}-1 ${subject}: no good`);
  const records = (await run('status', '--json')).lines.map((line) => JSON.parse(line) as object);
  expect(records).toContainEqual(expect.objectContaining({ model: 'timeline', partition, seq: 1, last: 2, behind: 1 }));
  expect(records).toContainEqual({ deadLetter: `${partition}-1`, subject, reason: 'no good' });
});

test('rebuild prints what projection reports, and ends as it ended', async () => {
  const asked: unknown[] = [];
  const responder = connection.subscribe(REQUESTS.rebuild, {
    queue: QUEUE_GROUPS.projection,
    callback: (_error, message) => {
      const { data, id } = message.json<{ data: unknown; id: string }>();
      asked.push(data);
      const kind = asked.length === 1 ? 'done' : 'failed';
      for (const response of [
        { kind: 'progress', text: 'begun' },
        { kind: 'progress', text: 'begun' },
        { kind, text: 'over' },
      ])
        message.respond(JSON.stringify({ response, id }));
    },
  });
  await connection.flush();
  expect(await run('rebuild', 'users')).toEqual({ code: 0, lines: ['begun', 'over'], errors: '' });
  expect(await run('replay', '0-1')).toEqual({ code: 1, lines: ['begun', 'over'], errors: '' });
  expect(asked).toEqual([{ models: ['users'] }, { replay: '0-1' }]);
  responder.unsubscribe();
  await connection.flush();
  expect(await run('rebuild')).toMatchObject({ code: 1, errors: expect.stringContaining('no projection runs') });
});

test('what it does not know, it says', async () => {
  expect((await run('nonsense')).code).toBe(2);
  expect(await run('replay')).toMatchObject({ code: 2, errors: expect.stringContaining('replay <position>') });
});
