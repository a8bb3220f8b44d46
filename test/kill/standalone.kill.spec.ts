import { afterAll, beforeAll, test } from '@jest/globals';
import { withLog } from '../log.js';
import { embeddedNats, killAndRestart, killEmbedded, startStandalone, type Standalone } from '../platform.js';
import { Crowd } from '../crowd/crowd.js';

const PARTITIONS = 4;
const KILLS = 2;
let platform: Standalone;

beforeAll(async () => {
  platform = await startStandalone({ RATE_LIMITS: 'off' });
}, 120_000);

afterAll(async () => {
  await platform?.stop();
}, 60_000);

test('kill -9 of its servers and of the whole platform in one process, while 20 people talk, breaks no promise', async () => {
  const crowd = await Crowd.gather(platform);
  try {
    crowd.talk();
    await crowd.progress('before anything is killed');
    for (const server of ['nats', 'postgres'] as const) {
      await crowd.whileCopiesAreLost(() => killEmbedded(platform, server));
      await crowd.progress(`after ${server} was killed`);
    }
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await crowd.whileCopiesAreLost(() => killAndRestart(platform.process));
      await crowd.progress(`after kill ${kill}`);
    }
    const summary = await withLog([embeddedNats(platform)], PARTITIONS, (log) => crowd.judge(log));
    process.stdout.write(`kill, standalone: ${summary}\n`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${platform.logs()}`, { cause: error });
  } finally {
    crowd.stop();
  }
}, 240_000);
