/** All read models are built anew while users send and read: what they notice of it. */
import { join } from 'node:path';
import type { Benchmark, Figures, Round, Started, Subject } from '../benchmark.js';
import { apiOf, doorOf, postingTo } from '../load/as-users.js';
import { appendMessages, withEventLog } from '../load/backlog.js';
import type { Pace } from '../load/paced.js';
import type { PagesRead, PageWay } from '../load/page-readers.js';
import { rebuildAll } from '../load/rebuild.js';
import { seededRooms, untilProjected } from '../load/seeds.js';
import type { SendersOptions, SendersResult } from '../load/senders.js';
import { parley, PARTITIONS, processesOf } from '../parley.js';
import { Program } from '../program.js';
import type { Stage } from '../stage.js';
import { tokenFor } from '../tokens.js';

const EVENTS = 150_000;
const EVENTS_QUICK = 5_000;
const ROOMS = 100;
const MEMBERS_EACH = 20;
const SENDERS = 64;
const CONTENT_BYTES = 100;
const PAGE_READERS = 8;
const PAGES_PER_SECOND = 50;
const HALF = 0.5;
/** Without a rebuild, and to learn what the platform can do. */
const SECONDS = 8;
const SECONDS_QUICK = 1;
/** A rebuild that takes longer ends its load before it ends. */
const SECONDS_MAX = 600;

const secondsOf = ({ quick }: { quick: boolean }): number => (quick ? SECONDS_QUICK : SECONDS);

/** Who sends, and who reads pages, each a process. */
interface Users {
  readonly sends: SendersResult;
  readonly pages: PagesRead;
}

async function users(stage: Stage) {
  const platform = await parley(stage, { sync: 'always' });
  return stage.once('users', async () => {
    stage.say('  a history is written and projected');
    const history = await seededRooms(platform, 'history', ROOMS, MEMBERS_EACH);
    const backlog = { rooms: history.ids, members: history.members };
    const events = stage.quick ? EVENTS_QUICK : EVENTS;
    await withEventLog(platform.natsUrls(), PARTITIONS, (log) => appendMessages(log, backlog, events));
    const { ids, members } = await seededRooms(platform, 'talk', SENDERS, 2);
    await untilProjected(platform);
    const folder = join(import.meta.dirname, '..', 'load');
    const [senders, readers] = [
      await Program.start(join(folder, 'senders.ts')),
      await Program.start(join(folder, 'page-readers.ts')),
    ];
    const ways = ids.map((room, i) => postingTo(platform, room, members[i]?.[0] ?? ''));
    const listener = ids.map((room, i) => ({
      kind: 'parley' as const,
      room,
      door: doorOf(platform, members[i]?.[1] ?? ''),
    }));
    await senders.call('enter', { ways, listener });
    const pages = history.ids.slice(0, PAGE_READERS).map((room, i): PageWay => {
      const token = tokenFor(history.members[i]?.[0] ?? '');
      return { url: apiOf(platform), token, path: `/api/rooms/${room}/messages?limit=50` };
    });
    await readers.call('enter', pages);
    const run = async (pace: Pace): Promise<Users> => {
      const sending = senders.call<SendersResult>('run', {
        ...pace,
        contentBytes: CONTENT_BYTES,
      } satisfies SendersOptions);
      const reading = readers.call<PagesRead>('run', {
        seconds: pace.seconds,
        perSecond: PAGES_PER_SECOND,
      } satisfies Pace);
      const [sends, pagesRead] = await Promise.all([sending, reading]);
      return { sends, pages: pagesRead };
    };
    const end = async (): Promise<void> => {
      await senders.call('end');
      await readers.call('end');
    };
    const { sends } = await run({ seconds: secondsOf(stage) });
    const capacity = sends.accepted / sends.seconds;
    return {
      platform,
      capacity,
      run,
      end,
      pids: { senders: senders.pid, 'page readers': readers.pid },
      stop: async () => {
        await senders.stop();
        await readers.stop();
      },
    };
  });
}

const subject = (name: string, share: number | undefined, rebuilding: boolean): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const { platform, capacity, run, end, pids } = await users(stage);
    const pace = (seconds: number): Pace =>
      share === undefined ? { seconds } : { seconds, perSecond: capacity * share };
    const measure = async (round: Round): Promise<Figures> => {
      if (!rebuilding) return figuresOf(await run(pace(secondsOf(round))));
      const [there, rebuilt] = await Promise.all([run(pace(SECONDS_MAX)), rebuildAll(platform).finally(end)]);
      return {
        ...figuresOf(there),
        'rebuild s': rebuilt.ms / 1_000,
        'rebuilt events/s': (rebuilt.events / rebuilt.ms) * 1_000,
        'views held ms': rebuilt.heldMs,
      };
    };
    return {
      processes: () => ({ ...processesOf(platform), ...pids }),
      measure,
      stop: async () => undefined,
    };
  },
});

const figuresOf = ({ sends, pages }: Users): Figures => ({
  'arrival p99 ms': sends.arrivalMs.p99,
  'arrival p50 ms': sends.arrivalMs.p50,
  'answer p50 ms': sends.answerMs.p50,
  'answer p99 ms': sends.answerMs.p99,
  'page p50 ms': pages.tookMs.p50,
  'page p99 ms': pages.tookMs.p99,
  'sends/s': sends.accepted / sends.seconds,
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'storm-rebuild',
    sentence:
      `All read models are built anew from ${EVENTS.toLocaleString('en-US')} messages and what comes meanwhile, as \`parley projections rebuild\` does it, while ${SENDERS} users send over HTTP ` +
      `and ${PAGE_READERS} read ${PAGES_PER_SECOND} pages a second: at half of what they reach flat out, and flat out. Every answer and every arrival is counted. Sync always.`,
    figure: 'arrival p99 ms',
    better: 'lower',
    goals: [],
    rounds: 2,
    subjects: [
      subject('half load', HALF, false),
      subject('half load, rebuilt', HALF, true),
      subject('flat out', undefined, false),
      subject('flat out, rebuilt', undefined, true),
    ],
    notes: [
      'A message is counted from the time that was meant, at half load; flat out from when it was sent. The load runs until the rebuild ends.',
    ],
  },
];
