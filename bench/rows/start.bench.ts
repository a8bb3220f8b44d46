/** How long the platform takes to be there again. */
import { join } from 'node:path';
import { freePort, projectRoot, type ServiceProcess, startPlatform, startService } from '#embedded';
import type { Benchmark, Started, Subject } from '../benchmark.js';
import type { Stage } from '../stage.js';
import { SECRET } from '../tokens.js';

interface Running {
  readonly processes: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** A start each round. What is there once only (an empty data folder) belongs to the warming up. */
const subject = (name: string, prepare: (stage: Stage) => Promise<() => Promise<Running>>): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const begin = await prepare(stage);
    let last: Running | undefined;
    const end = async (): Promise<void> => {
      await last?.stop();
      last = undefined;
    };
    return {
      processes: () => last?.processes ?? {},
      warm: async () => {
        last = await begin();
        await end();
      },
      measure: async () => {
        await end();
        const startMs = performance.now();
        last = await begin();
        const seconds = (performance.now() - startMs) / 1_000;
        await end();
        return { 's to ready': seconds };
      },
      stop: end,
    };
  },
});

const asRunning = (service: ServiceProcess): Running => ({
  processes: { [service.name]: service.pid },
  stop: () => service.stop(),
});

const parleySubject = subject('parley', async (stage) => {
  const [port, grpcPort] = [await freePort(), await freePort()];
  return async () =>
    asRunning(
      await startService({
        name: 'npm-start',
        app: 'standalone',
        main: join(projectRoot(), 'libs', 'embedded', 'bootstrap.mjs'),
        args: ['start'],
        port,
        env: { PARLEY_HOME: join(stage.folder, 'home'), GRPC_PORT: String(grpcPort) },
        ready: { line: /parley standalone ready/ },
      }),
    );
});

const separateSubject = subject('parley, separate processes', async (stage) => async () => {
  const folder = join(stage.folder, 'separate');
  const platform = await startPlatform({ folder, env: { JWT_SECRET: SECRET, LOG_LEVEL: 'error' } });
  return { processes: {}, stop: () => platform.stop() };
});

const nestSubject = subject('Nest app alone', async () => {
  const port = await freePort();
  return async () =>
    asRunning(
      await startService({
        name: 'nest-app',
        app: 'nest-app',
        main: join(import.meta.dirname, '..', 'peers', 'nest-app.mjs'),
        port,
        env: {},
        ready: { line: /nest app ready/ },
      }),
    );
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'start',
    sentence:
      'Start of the whole platform, everything installed and built, with its data there: `npm start` (nats-server, PostgreSQL and all services in ' +
      'one process) until it says that it is ready; and as separate processes, two of each service. The floor is a Nest application on ' +
      'Fastify with one route. Fully synced.',
    figure: 's to ready',
    better: 'lower',
    goals: ['<= 3 s'],
    subjects: [parleySubject, separateSubject, nestSubject],
  },
];
