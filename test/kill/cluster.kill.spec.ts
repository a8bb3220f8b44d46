import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NatsCluster } from '#embedded';
import { withLog } from '../log.js';
import { killAndRestart, refusedByBroker, startSplit, type Split } from '../platform.js';
import { Crowd } from '../crowd/crowd.js';

const PARTITIONS = 4;
let platform: Split;

beforeAll(async () => {
  platform = await startSplit({ nodes: 3 });
}, 120_000);

afterAll(async () => {
  await platform?.stop();
}, 60_000);

test('kill -9 of each of three nodes in turn, while 20 people talk, breaks no promise', async () => {
  const cluster = platform.nats as NatsCluster;
  const crowd = await Crowd.gather(platform);
  try {
    crowd.talk();
    await crowd.progress('before anything is killed');
    for (const [index, node] of cluster.nodes.entries()) {
      await crowd.whileCopiesAreLost(async () => {
        await killAndRestart(node, () => crowd.progress(`while node ${index} is away`));
        await cluster.healthy();
      });
      await crowd.progress(`after node ${index} is back`);
    }
    const summary = await withLog(platform.natsUrls(), PARTITIONS, (log) => crowd.judge(log));
    expect(platform.unexpected).toEqual([]);
    expect(refusedByBroker(platform)).toEqual([]);
    process.stdout.write(`kill, three nodes: ${summary}\n`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${platform.logs()}`, { cause: error });
  } finally {
    crowd.stop();
  }
}, 240_000);
