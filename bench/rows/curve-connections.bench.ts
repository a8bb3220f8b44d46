/** What one more connection costs a gateway, and what many silent ones cost a room among them. */
import { join } from 'node:path';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import type { Person } from '../load/crowd.js';
import { LOAD } from '../load/fan-out.js';
import type { LoopOptions, LoopResult } from '../load/fan-out-load.js';
import { doorOf } from '../load/as-users.js';
import { seededRooms } from '../load/seeds.js';
import { COLLECTING, MEGABYTE, settledBytes } from '../memory.js';
import { brokerOf, parley, PARTITIONS, pidOf, seatsOf } from '../parley.js';
import { Program } from '../program.js';
import type { Stage } from '../stage.js';

/** The first hundred are the room that is measured. */
const SIZES = [100, 1_000, 5_000, 15_000];
const SIZES_QUICK = [100, 200, 400, 600];
const ROOM = 100;
const SECONDS = 3;
const SECONDS_QUICK = 0.5;
const REST_MS = 50;
/** One address has 28,000 ports, and those of the last minute are not free again yet. */
const SOCKETS_PER_ADDRESS = 5_000;
const KILOBYTE = 1_024;

/** One platform whose connections become more. */
async function growing(stage: Stage) {
  const envOf = { 'gateway-1': COLLECTING };
  const platform = await parley(stage, { sync: 'off', envOf });
  return stage.once('growing', async () => {
    const sizes = stage.quick ? SIZES_QUICK : SIZES;
    const rooms = await seededRooms(platform, 'crowd', Math.max(...sizes) / ROOM, ROOM);
    const people = rooms.ids.flatMap((room, i): Person[] =>
      (rooms.members[i] ?? []).map((user, j) => {
        const address = 2 + Math.floor((i * ROOM + j) / SOCKETS_PER_ADDRESS);
        return { room, door: { ...doorOf(platform, user), localAddress: `127.0.0.${address}` } };
      }),
    );
    const gateway = pidOf(platform, 'gateway-1');
    const crowd = await Program.start(join(import.meta.dirname, '..', 'load', 'crowd.ts'));
    const room = await Program.start(LOAD);
    const source = {
      natsUrls: brokerOf(platform).natsUrls,
      partitions: PARTITIONS,
      contentBytes: 110,
      actor: 'somebody',
    };
    await room.call('source', { ...source, means: 'log' });
    const emptyBytes = await settledBytes(gateway);
    await room.call('enter', seatsOf(platform, { ids: rooms.ids.slice(0, 1), members: rooms.members.slice(0, 1) }));
    let entered = ROOM;
    const grow = async (size: number): Promise<number> => {
      const startMs = performance.now();
      const more = size - entered;
      await crowd.call('enter', people.slice(entered, size));
      entered = size;
      return more === 0 ? NaN : (more / (performance.now() - startMs)) * 1_000;
    };
    const stop = async (): Promise<void> => {
      await room.stop();
      await crowd.stop();
    };
    return { platform, gateway, crowd, room, sizes, emptyBytes, grow, stop };
  });
}

const subject = (size: number, index: number): Subject => ({
  name: size.toLocaleString('en-US'),
  start: async (stage): Promise<Started> => {
    const { platform, gateway, crowd, room, sizes, emptyBytes, grow } = await growing(stage);
    const connections = sizes[index] ?? size;
    let connects = NaN;
    return {
      label: connections.toLocaleString('en-US'),
      processes: () => ({ gateway, nats: brokerOf(platform).pid, room: room.pid, crowd: crowd.pid }),
      prepare: async () => {
        stage.say(`  ${connections} connections`);
        connects = await grow(connections);
      },
      measure: async ({ quick }): Promise<Figures> => {
        const bytes = await settledBytes(gateway);
        const options: LoopOptions = { outstanding: 1, restMs: REST_MS, seconds: quick ? SECONDS_QUICK : SECONDS };
        const { p50Ms, p99Ms } = await room.call<LoopResult>('run', options);
        return {
          connections,
          'KB/connection': (bytes - emptyBytes) / connections / KILOBYTE,
          'gateway MB': bytes / MEGABYTE,
          'last of 100 p50 ms': p50Ms,
          'last of 100 p99 ms': p99Ms,
          ...(Number.isFinite(connects) && { 'connects/s': connects }),
        };
      },
      stop: async () => undefined,
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'curve-connections',
    sentence:
      'One gateway by its number of connections, each of another user, in rooms of 100: resident memory above the empty gateway’s after garbage ' +
      'collection, and the time from appending a message (one every 50 ms) to the last socket of one room of 100 among them. Sync off.',
    figure: 'KB/connection',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: SIZES.map(subject),
    notes: [
      'The first hundred carry what the first connections bring: code, caches, pools. The gateway runs with `--expose-gc`, as for idle-memory.',
    ],
  },
];
