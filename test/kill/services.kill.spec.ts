import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Child } from '#embedded';
import { withLog } from '../log.js';
import { killAndRestart, refusedByBroker, startSplit, type Split } from '../platform.js';
import { Crowd } from '../crowd/crowd.js';

const PARTITIONS = 4;
let platform: Split;

beforeAll(async () => {
  platform = await startSplit();
}, 120_000);

afterAll(async () => {
  await platform?.stop();
}, 60_000);

test('kill -9 of nats-server, PostgreSQL and each service in turn, while 20 people talk, breaks no promise', async () => {
  const crowd = await Crowd.gather(platform);
  try {
    crowd.talk();
    await crowd.progress('before anything is killed');
    const targets: [string, Child][] = [
      ['nats-server', platform.nats as Child],
      ['PostgreSQL', platform.postgres],
      ...platform.services,
    ];
    for (const [name, child] of targets) {
      const kill = (): Promise<void> => killAndRestart(child);
      await (child === platform.nats ? crowd.whileCopiesAreLost(kill) : kill());
      await crowd.progress(`after ${name} was killed`);
    }
    const summary = await withLog(platform.natsUrls(), PARTITIONS, (log) => crowd.judge(log));
    expect(platform.unexpected).toEqual([]);
    expect(refusedByBroker(platform)).toEqual([]);
    process.stdout.write(`kill, one node: ${summary}\n`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${platform.logs()}`, { cause: error });
  } finally {
    crowd.stop();
  }
}, 240_000);
