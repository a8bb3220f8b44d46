/** How synced writes grow with the number of partitions: each stream syncs its own appends one by one. */
import { connect } from '@nats-io/transport-node';
import { natsOptions, startNatsServer } from '#embedded';
import { openEventLog } from '#event-log';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { messageOf } from '../load/backlog.js';
import { Subjects } from '#contract';
import { quantile } from '../statistics.js';

const SECONDS = 4;
const SECONDS_QUICK = 0.5;
const IN_FLIGHT = 64;
/** Enough that each of sixteen partitions has some. */
const ROOMS = 256;

const subject = (partitions: number): Subject => ({
  name: String(partitions),
  start: async (stage): Promise<Started> => {
    const nats = await startNatsServer({ storeDir: `${stage.folder}/partitions-${partitions}`, sync: 'always' });
    const connection = await connect({ ...natsOptions([nats.url]), name: 'load' });
    const log = await openEventLog(connection, { partitions, create: true });
    const subjects = new Subjects(partitions);
    const timelines = Array.from({ length: ROOMS }, (_, i) => subjects.timeline(`room-${i}`));
    const run = async (seconds: number): Promise<Figures> => {
      const tookMs: number[] = [];
      const before = await ends();
      const startMs = performance.now();
      let next = 0;
      const lane = async (): Promise<void> => {
        while (performance.now() - startMs < seconds * 1_000) {
          const sentMs = performance.now();
          await log.append({ subject: timelines[next++ % ROOMS] ?? '', event: messageOf('somebody') });
          tookMs.push(performance.now() - sentMs);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
      const elapsed = (performance.now() - startMs) / 1_000;
      const stored = (await ends()) - before;
      if (stored !== tookMs.length) throw new Error(`${tookMs.length} were acknowledged, and ${stored} are stored`);
      tookMs.sort((a, b) => a - b);
      const rate = tookMs.length / elapsed;
      return {
        'appends/s': rate,
        'us/append': 1_000_000 / rate,
        'p50 ms': quantile(tookMs, 0.5),
        'p99 ms': quantile(tookMs, 0.99),
      };
    };
    const ends = async (): Promise<number> => {
      const all = await Promise.all(Array.from({ length: partitions }, (_, p) => log.lastSequence(p)));
      return all.reduce((sum, each) => sum + each, 0);
    };
    return {
      processes: () => ({ nats: nats.pid, load: process.pid }),
      measure: ({ quick }) => run(quick ? SECONDS_QUICK : SECONDS),
      stop: async () => {
        await connection.close();
        await nats.stop();
      },
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'curve-partitions',
    sentence:
      'Synced appends a second (sync always) by the number of partitions: the thin publisher, 64 appends in flight over 256 rooms, one broker.',
    figure: 'appends/s',
    better: 'higher',
    goals: [],
    rounds: 2,
    subjects: [1, 2, 4, 8, 16].map(subject),
    notes: [
      'One stream syncs every append by itself (no group commit in nats-server 2.14); several streams sync side by side until the disk or the ' +
        'cores are full, so the rate grows less than the partitions do.',
    ],
  },
];
