/** How long a message takes under half of what the platform can do, and at rest. */
import { join } from 'node:path';
import type { Benchmark, Figures, Round, Started, Subject } from '../benchmark.js';
import { doorOf, postingTo } from '../load/as-users.js';
import { seededRooms } from '../load/seeds.js';
import type { SendersOptions, SendersResult } from '../load/senders.js';
import { brokerOf, parley, pidOf } from '../parley.js';
import { Program } from '../program.js';

const SENDERS = 64;
const SECONDS = 20;
const SECONDS_FULL = 60;
const SECONDS_QUICK = 2;
/** To learn what the platform can do. */
const FLAT_OUT_SECONDS = 3;
const CONTENT_BYTES = 100;
const HALF = 0.5;
const AT_REST_PER_SECOND = 5;

interface Shape {
  readonly sync: 'off' | 'always';
  readonly senders: number;
  /** Undefined: as fast as answers come. */
  readonly pace: 'half' | 'rest' | undefined;
}

const secondsOf = ({ quick, full }: Round): number => (quick ? SECONDS_QUICK : full ? SECONDS_FULL : SECONDS);

const subject = (name: string, { sync, senders, pace }: Shape): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const platform = await parley(stage, { sync }, `parley-${sync}`);
    const { ids, members } = await seededRooms(platform, `steady-${pace ?? 'flat'}`, senders, 2);
    const load = await Program.start(join(import.meta.dirname, '..', 'load', 'senders.ts'));
    const ways = ids.map((room, i) => postingTo(platform, room, members[i]?.[0] ?? ''));
    // Each room has a reader of its own: the arrival is at another user's socket.
    const doors = ids.map((room, i) => ({
      kind: 'parley' as const,
      room,
      door: doorOf(platform, members[i]?.[1] ?? ''),
    }));
    await load.call('enter', { ways, listener: doors });
    const run = (options: Omit<SendersOptions, 'contentBytes'>): Promise<SendersResult> =>
      load.call('run', { ...options, contentBytes: CONTENT_BYTES } satisfies SendersOptions);
    let capacity = NaN;
    return {
      processes: () => ({
        ...Object.fromEntries(
          ['commands', 'projection', 'gateway', 'api'].map((app) => [app, pidOf(platform, `${app}-1`)]),
        ),
        nats: brokerOf(platform).pid,
        postgres: platform.postgres.pid,
        load: load.pid,
      }),
      prepare: async () => {
        const { accepted, seconds } = await run({ seconds: FLAT_OUT_SECONDS });
        capacity = accepted / seconds;
      },
      measure: async (round): Promise<Figures> => {
        const perSecond = pace === 'half' ? capacity * HALF : AT_REST_PER_SECOND;
        const seconds = secondsOf(round);
        const { accepted, answerMs, arrivalMs } = await run(pace === undefined ? { seconds } : { seconds, perSecond });
        return {
          'arrival p50 ms': arrivalMs.p50,
          'arrival p99 ms': arrivalMs.p99,
          'arrival p99.9 ms': arrivalMs.p999,
          'answer p50 ms': answerMs.p50,
          'answer p99 ms': answerMs.p99,
          'answer p99.9 ms': answerMs.p999,
          'sends/s': accepted / seconds,
        };
      },
      stop: () => load.stop(),
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'steady-latency',
    sentence:
      `From a send over HTTP to its arrival at another user’s socket, under a steady half of what ${SENDERS} senders reach flat out on the same platform just before: ` +
      `each message at its time, for ${SECONDS} s (60 with --full), counted from the time that was meant, so that garbage collection and syncs are in it.`,
    figure: 'arrival p50 ms',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: [
      subject('sync always', { sync: 'always', senders: SENDERS, pace: 'half' }),
      subject('sync off', { sync: 'off', senders: SENDERS, pace: 'half' }),
    ],
  },
  {
    name: 'at-rest',
    sentence:
      'One sender over HTTP and another user’s socket: a message every 200 ms, beside one as soon as the last was answered. No timer may add delay at rest. Sync off, and always.',
    figure: 'arrival p50 ms',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: [
      subject('every 200 ms, sync off', { sync: 'off', senders: 1, pace: 'rest' }),
      subject('one after the other, sync off', { sync: 'off', senders: 1, pace: undefined }),
      subject('every 200 ms, sync always', { sync: 'always', senders: 1, pace: 'rest' }),
    ],
  },
];
