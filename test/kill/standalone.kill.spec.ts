import { afterAll, beforeAll, test } from '@jest/globals';
import { withLog } from '../log.js';
import { killAndRestart, startStandalone, type Standalone } from '../platform.js';
import { Crowd } from './crowd.js';

const PARTITIONS = 4;
const KILLS = 3;
let platform: Standalone;

beforeAll(async () => {
  platform = await startStandalone({ RATE_LIMITS: 'off' });
}, 120_000);

afterAll(async () => {
  await platform?.stop();
}, 60_000);

test('kill -9 of the whole platform in one process, while 20 people talk, breaks no promise', async () => {
  const crowd = await Crowd.gather(platform);
  try {
    crowd.talk();
    await crowd.progress('before anything is killed');
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await killAndRestart(platform.process);
      await crowd.progress(`after kill ${kill}`);
    }
    const summary = await withLog([natsUrl(platform)], PARTITIONS, (log) => crowd.judge(log));
    process.stdout.write(`kill, standalone: ${summary}\n`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${platform.logs()}`, { cause: error });
  } finally {
    crowd.stop();
  }
}, 240_000);

/** Where the embedded broker listens since the last start, which says so. */
function natsUrl({ process: { output } }: Standalone): string {
  const url = output.map((line) => /nats-server ready at (nats:\/\/\S+)/.exec(line)?.[1]).findLast((found) => found);
  if (url === undefined) throw new Error(`no nats-server in the output:\n${output.join('\n')}`);
  return url;
}
