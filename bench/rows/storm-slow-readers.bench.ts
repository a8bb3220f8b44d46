/** Many in a busy room stop reading: what that does to the gateway's memory, and to those who read. */
import { join } from 'node:path';
import { CLOSE } from '#contract';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { residentBytes } from '../cpu.js';
import { LOAD } from '../load/fan-out.js';
import type { LoopOptions, LoopResult } from '../load/fan-out-load.js';
import { seededRooms } from '../load/seeds.js';
import type { Outcomes } from '../load/slow-readers.js';
import { COLLECTING, MEGABYTE, settledBytes } from '../memory.js';
import { parley, PARTITIONS, processesOf, pidOf, seatsOf } from '../parley.js';
import { Program } from '../program.js';
import type { Stage } from '../stage.js';

const READERS = 100;
const READERS_QUICK = 10;
const SLOW = 1_000;
const SLOW_QUICK = 30;
/** Long messages: the kernel takes some megabytes for each socket before anything waits in the gateway. */
const CONTENT_BYTES = 12_000;
const SECONDS = 15;
const SECONDS_QUICK = 4;
const REST_MS = 10;
const SAMPLE_MS = 50;
/** So often some of the slow ones read on, so that there are some within the 2 s in which a close code can be read. */
const LOOK_MS = 250;
const LOOKS_OF_ALL = 0.01;

/** The room, and those who read it in all rounds. */
async function busyRoom(stage: Stage) {
  const platform = await parley(stage, { sync: 'off', envOf: { 'gateway-1': COLLECTING } });
  return stage.once('busy room', async () => {
    const [readers, slow] = stage.quick ? [READERS_QUICK, SLOW_QUICK] : [READERS, SLOW];
    const seats = seatsOf(platform, await seededRooms(platform, 'busy', 1, readers + slow));
    const load = await Program.start(LOAD);
    const source = { natsUrls: platform.natsUrls(), partitions: PARTITIONS, contentBytes: CONTENT_BYTES };
    await load.call('source', { ...source, means: 'log', actor: 'somebody' });
    await load.call('enter', seats.slice(0, readers));
    const slowLoad = await Program.start(join(import.meta.dirname, '..', 'load', 'slow-readers.ts'));
    let messages = 0;
    const run = async ({ quick }: { quick: boolean }): Promise<LoopResult> => {
      const seconds = quick ? SECONDS_QUICK : SECONDS;
      const options: LoopOptions = { outstanding: 1, restMs: quick ? 0 : REST_MS, seconds };
      const result = await load.call<LoopResult>('run', options);
      messages += result.deliveries / readers;
      return result;
    };
    return {
      platform,
      load,
      slowLoad,
      slowSeats: seats.slice(readers),
      run,
      /** Of the newest message. */
      newest: () => messages - 1,
      stop: async () => {
        await slowLoad.stop();
        await load.stop();
      },
    };
  });
}

/** Calls it again and again while the work goes on. */
async function meanwhile<T>(everyMs: number, look: () => void, work: Promise<T>): Promise<T> {
  const timer = setInterval(look, everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

const subject = (name: string, withSlow: boolean): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const { platform, load, slowLoad, slowSeats, run, newest } = await busyRoom(stage);
    const gateway = pidOf(platform, 'gateway-1');
    const processes = () => ({ ...processesOf(platform), load: load.pid, 'slow readers': slowLoad.pid });
    const watched = async (quick: boolean) => {
      const beforeBytes = await settledBytes(gateway);
      let mostBytes = beforeBytes;
      const sample = (): void => void (mostBytes = Math.max(mostBytes, residentBytes(gateway)));
      const result = await meanwhile(SAMPLE_MS, sample, run({ quick }));
      return { beforeBytes, mostBytes, result };
    };
    const looks = async <T>(work: Promise<T>): Promise<T> => {
      const some = Math.ceil(slowSeats.length * LOOKS_OF_ALL);
      const looked: Promise<void>[] = [];
      const found = await meanwhile(LOOK_MS, () => void looked.push(slowLoad.call('someReadOn', some)), work);
      await Promise.all(looked);
      return found;
    };
    return {
      processes,
      prepare: async () => {
        if (!withSlow) return;
        await slowLoad.call('enter', slowSeats);
        await slowLoad.call('stopReading');
      },
      measure: async ({ quick }): Promise<Figures> => {
        const { beforeBytes, mostBytes, result } = await (withSlow ? looks(watched(quick)) : watched(quick));
        const outcomes = withSlow ? await slowLoad.call<Outcomes>('outcomes', newest()) : undefined;
        const afterBytes = await settledBytes(gateway);
        return {
          'p50 ms': result.p50Ms,
          'p99 ms': result.p99Ms,
          'messages/s': result.deliveries / result.seconds / (stage.quick ? READERS_QUICK : READERS),
          'gateway MB before': beforeBytes / MEGABYTE,
          'at most': mostBytes / MEGABYTE,
          after: afterBytes / MEGABYTE,
          ...(outcomes !== undefined && figuresOf(outcomes)),
        };
      },
      stop: async () => undefined,
    };
  },
});

function figuresOf({ caughtUp, told, cut }: Outcomes): Figures {
  const { [CLOSE.slowReader]: slowReader = 0, ...others } = told;
  if (Object.keys(others).length > 0) throw new Error(`closed with other codes: ${JSON.stringify(others)}`);
  return { [`told ${CLOSE.slowReader}`]: slowReader, 'cut, close code not read': cut, 'caught up': caughtUp };
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'storm-slow-readers',
    sentence:
      `A busy room (messages of ${CONTENT_BYTES.toLocaleString('en-US')} bytes, one outstanding) with ${READERS} sockets that read, and the same with ${SLOW.toLocaleString('en-US')} more that stop ` +
      'reading: from appending a message to the last of those who read, every delivery counted and in order; the gateway’s resident memory (garbage collected ' +
      'before and after); and what became of the slow ones. Sync off.',
    figure: 'p50 ms',
    better: 'lower',
    goals: [],
    rounds: 2,
    subjects: [subject('readers alone', false), subject('with slow readers', true)],
    notes: [
      'A socket that takes nothing for a second (`SEND_STALL_MS`), or has more than 1 MB waiting, is closed with 4001 and cut 2 s later. Before that the kernel takes ' +
        'what its buffers hold, some 2.6 MB a socket over loopback, which is not in the gateway’s memory. Once in 250 ms one in a hundred reads on: what it finds is in the table.',
    ],
  },
];
