/** One tiny benchmark from end to end, on a real broker, with the real load and a real peer: so that the benchmarks do not rot. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer, temporaryFolder } from '#embedded';
import { openEventLog } from '#event-log';
import type { Benchmark, Subject } from './benchmark.js';
import { bareServer, type Server, type Shape, socketIoServer, underLoad } from './load/fan-out.js';
import { LeftOutError } from './left-out.js';
import { PARTITIONS } from './parley.js';
import { PER_CORE, runBenchmark } from './rounds.js';

const shape: Shape = { rooms: 2, socketsEach: 5, outstanding: 4, restMs: 0, means: 'log' };

let nats: NatsServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder('bench-smoke');
  nats = await startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' });
  const connection = await connect({ servers: nats.url });
  await openEventLog(connection, { partitions: PARTITIONS, create: true });
  await connection.close();
});
afterAll(async () => {
  await nats.stop();
  await folder.remove();
});

const subject = (name: string, serve: (natsUrls: readonly string[]) => Promise<Server>): Subject => ({
  name,
  start: async () => underLoad(await serve([nats.url]), { natsUrls: [nats.url], pid: nats.pid }, shape),
});

const run = (subjects: readonly Subject[]) => {
  const benchmark: Benchmark = {
    name: 'smoke',
    sentence: 'Two peers.',
    figure: 'deliveries/s',
    better: 'higher',
    goals: [],
    subjects,
  };
  return runBenchmark(benchmark, { rounds: 2, quick: true, patienceMs: 0, say: () => undefined });
};

describe('a benchmark', () => {
  test('measures its subjects in turn, with every delivery counted', async () => {
    const measured = await run([
      subject('bare', (urls) => bareServer(urls, shape)),
      subject('socket.io', (urls) => socketIoServer(urls, shape)),
    ]);
    expect(measured.subjects.map(({ name }) => name)).toEqual(['bare', 'socket.io']);
    for (const { rounds } of measured.subjects) {
      expect(rounds).toHaveLength(2);
      for (const { figures } of rounds) expect(figures['deliveries/s']).toBeGreaterThan(0);
    }
  });

  test('goes on without a subject that this machine cannot run, and says so', async () => {
    const absent: Subject = { name: 'absent', start: () => Promise.reject(new LeftOutError('not on this machine')) };
    const measured = await run([subject('bare', (urls) => bareServer(urls, shape)), absent]);
    expect(measured.leftOut).toEqual(['absent: not on this machine']);
    expect(measured.subjects[0]?.rounds[0]?.figures).not.toHaveProperty('absent');
    if (process.platform === 'linux') expect(measured.subjects[0]?.rounds[0]?.figures).toHaveProperty([PER_CORE]);
  });
});
