import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TRANSIENT } from '#contract';
import { type NatsServer, startNatsServer, temporaryFolder } from '#embedded';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Database } from '../database.js';
import { project, useDatabases } from '../test-database.js';
import { TestLog } from '../test-log.js';
import { PositionWaiter } from './position-waiter.js';

const databases = useDatabases();
/** Nobody waits so long unless something is wrong. */
const LONG_MS = 20_000;

describe('waiting for a position', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: NatsServer;
  let nats: NatsConnection;
  let database: Database;
  let log: TestLog;
  let waiter: PositionWaiter;
  beforeAll(async () => {
    folder = await temporaryFolder('positions');
    server = await startNatsServer({ storeDir: folder.path, sync: 'off' });
    nats = await connect({ servers: server.url });
  });
  afterAll(async () => {
    await nats.close();
    await server.stop();
    await folder.remove();
  });
  beforeEach(async () => {
    database = await databases.fresh();
    log = new TestLog(1);
    log.room('r', 'ann');
    await project(database, log);
    waiter = new PositionWaiter(database, nats);
  });
  afterEach(() => waiter.close());
  const notice = async (seq: number, epoch = 'epoch'): Promise<void> => {
    nats.publish(TRANSIENT.views(0), JSON.stringify({ partition: 0, epoch, seq }));
    await nats.flush();
  };

  test('what is there already is not waited for', async () => {
    await waiter.waitFor({ partition: 0, seq: 2 }, LONG_MS);
    await waiter.waitFor({ partition: 0, seq: 0 }, LONG_MS);
    expect(waiter.includes({ partition: 0, seq: 2 })).toBe(true);
    expect(waiter.reached(0)).toBe(2);
  });

  test('a notice wakes it', async () => {
    await waiter.waitFor({ partition: 0, seq: 1 }, LONG_MS);
    const waiting = waiter.waitFor({ partition: 0, seq: 5 }, LONG_MS);
    await notice(5);
    await waiting;
  });

  test('without notices the checkpoint is looked up', async () => {
    const waiting = waiter.waitFor({ partition: 0, seq: 3 }, LONG_MS);
    log.say('r', 'ann', 'one');
    await project(database, log);
    await waiting;
  });

  test('only another epoch takes a checkpoint back', async () => {
    await notice(9);
    await notice(5);
    await waiter.waitFor({ partition: 0, seq: 9 }, LONG_MS);
    await notice(1, 'another');
    expect(waiter.includes({ partition: 0, seq: 9 })).toBe(false);
    await expect(waiter.waitFor({ epoch: 'epoch', seqs: [1] })).rejects.toMatchObject({ code: 'invalid_cursor' });
    await waiter.waitFor({ epoch: 'another', seqs: [1] }, LONG_MS);
  });

  test('what a server said before it was lost is asked again', async () => {
    await waiter.waitFor({ partition: 0, seq: 2 }, LONG_MS);
    await notice(7);
    expect(waiter.includes({ partition: 0, seq: 7 })).toBe(true);
    await databases.postgres.kill();
    await databases.postgres.restart();
    await expect(
      (async () => {
        for (;;) {
          try {
            return await waiter.waitFor({ partition: 0, seq: 7 }, 300);
          } catch (error) {
            if ((error as { code?: string }).code !== 'unavailable') throw error;
          }
        }
      })(),
    ).rejects.toMatchObject({ code: 'behind' });
    // The crash may have taken the last commits with it; the log gives them back.
    await project(database, log);
    await waiter.waitFor({ partition: 0, seq: 2 }, LONG_MS);
  });

  test('a waiter that is closed keeps nobody waiting', async () => {
    const waiting = waiter.waitFor({ partition: 0, seq: 99 }, LONG_MS);
    waiter.close();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  });
});
