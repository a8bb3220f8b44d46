/** What a connection costs while nothing happens. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitUntil } from '#embedded';
import type { Benchmark, Subject } from '../benchmark.js';
import { residentBytes } from '../cpu.js';
import { bareServer, LOAD, type Server, type Shape, socketIoServer } from '../load/fan-out.js';
import { brokerOf, makeRooms, parley, pidOf, seatsOf } from '../parley.js';
import { Program } from '../program.js';
import type { Stage } from '../stage.js';

const ROOMS = 10;
const SOCKETS_EACH = 1_000;
const SOCKETS_EACH_QUICK = 50;
/** Come first and are not counted: code and caches that the first connections bring. */
const UNCOUNTED = 0.05;
const SETTLED_SHARE = 0.002;
const SETTLED_AFTER_MS = 500;
const SETTLES_WITHIN_MS = 30_000;
const KILOBYTE = 1_024;

const COLLECTOR = pathToFileURL(join(import.meta.dirname, '..', 'collector.mjs')).href;
const collecting = { NODE_OPTIONS: `--import ${COLLECTOR}` };

const shapeOf = (quick: boolean): Shape => ({
  rooms: ROOMS,
  socketsEach: quick ? SOCKETS_EACH_QUICK : SOCKETS_EACH,
  outstanding: 0,
  restMs: 0,
  means: 'live',
});

/** Each round begins with a fresh process of the server: memory that was once taken is not given back. */
const subject = (name: string, fresh: (stage: Stage) => Promise<() => Promise<Server>>): Subject => ({
  name,
  start: async (stage) => {
    const open = await fresh(stage);
    let processes: Record<string, number> = {};
    return {
      processes: () => processes,
      measure: async () => {
        const server = await open();
        const load = await Program.start(LOAD);
        processes = { ...server.processes, load: load.pid };
        try {
          return await weigh(server, load);
        } finally {
          await load.stop();
          await server.stop();
        }
      },
      stop: async () => undefined,
    };
  },
});

async function weigh({ seats, processes, worker }: Server, load: Program): Promise<Record<string, number>> {
  const pid = processes[worker] ?? 0;
  // Every so many-th, so that each room has some of them.
  const first = seats.filter((_, i) => i % (1 / UNCOUNTED) === 0);
  const others = seats.filter((_, i) => i % (1 / UNCOUNTED) !== 0);
  await load.call('enter', first);
  const before = await settled(pid);
  const startMs = performance.now();
  await load.call('enter', others);
  const seconds = (performance.now() - startMs) / 1_000;
  const after = await settled(pid);
  return {
    'KB/connection': (after - before) / others.length / KILOBYTE,
    'connects/s': others.length / seconds,
    'MB in all': after / KILOBYTE / KILOBYTE,
  };
}

/** Resident bytes once the garbage is gone and nothing is given back any more. */
async function settled(pid: number): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  let last = { bytes: residentBytes(pid), atMs: performance.now() };
  return waitUntil<number | undefined>('memory settles', SETTLES_WITHIN_MS, () => {
    const bytes = residentBytes(pid);
    if (Math.abs(bytes - last.bytes) > last.bytes * SETTLED_SHARE) last = { bytes, atMs: performance.now() };
    return performance.now() - last.atMs > SETTLED_AFTER_MS ? bytes : undefined;
  });
}

const parleySubject = subject('parley', async (stage) => {
  const { rooms, socketsEach } = shapeOf(stage.quick);
  const platform = await parley(stage, { sync: 'off', envOf: { 'gateway-1': collecting } });
  stage.say(`  parley: ${rooms * socketsEach} users join ${rooms} rooms`);
  const seats = seatsOf(platform, await makeRooms(platform, 'parley', rooms, socketsEach));
  return async () => {
    await platform.services.get('gateway-1')?.restart();
    const gateway = pidOf(platform, 'gateway-1');
    return { processes: { gateway }, worker: 'gateway', seats, stop: async () => undefined };
  };
});

const natsUrlsOf = async (stage: Stage): Promise<readonly string[]> =>
  brokerOf(await parley(stage, { sync: 'off', envOf: { 'gateway-1': collecting } })).natsUrls;

const bareSubject = subject('bare', async (stage) => {
  const natsUrls = await natsUrlsOf(stage);
  return () => bareServer(natsUrls, shapeOf(stage.quick), ['--import', COLLECTOR]);
});

const socketIoSubject = subject('socket.io', async (stage) => {
  const natsUrls = await natsUrlsOf(stage);
  return () => socketIoServer(natsUrls, shapeOf(stage.quick), undefined, ['--import', COLLECTOR]);
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'idle-memory',
    sentence:
      'Memory of an idle connection: resident bytes of the server after garbage collection, with 10,000 sockets in 10 rooms; Parley’s ' +
      'are of 10,000 users, signed in and caught up. Each round has a fresh process; the first 500 sockets are not counted.',
    figure: 'KB/connection',
    better: 'lower',
    goals: ['<= 9 KB'],
    subjects: [parleySubject, bareSubject, socketIoSubject],
  },
];
