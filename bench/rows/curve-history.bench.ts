/** What a long history costs: pages at its newest end and in its middle, and the number of unread messages. */
import { Client } from 'pg';
import { LIMITS, Subjects } from '#contract';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { LeftOutError } from '../left-out.js';
import { appendMessages, withEventLog } from '../load/backlog.js';
import { httpAs } from '../load/as-users.js';
import { seededRooms, untilProjected } from '../load/seeds.js';
import { repeated } from '../load/timing.js';
import { parley, PARTITIONS, pidOf } from '../parley.js';
import type { Stage } from '../stage.js';

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const SIZES_QUICK = [1_000, 5_000, 10_000, 20_000];
const LARGEST = 5_000_000;
const PAGES = 500;
const PAGES_QUICK = 20;

/** One room whose history becomes longer. */
async function growing(stage: Stage) {
  const platform = await parley(stage, { sync: 'off' });
  return stage.once('growing', async () => {
    const rooms = await seededRooms(platform, 'history', 1, 3);
    const [sender = '', reader = ''] = rooms.members[0] ?? [];
    const room = rooms.ids[0] ?? '';
    const database = new Client({ connectionString: platform.databaseUrl });
    await database.connect();
    let messages = 0;
    const grow = async (size: number): Promise<number> => {
      const startMs = performance.now();
      const more = size - messages;
      messages = size;
      await withEventLog(platform.natsUrls(), PARTITIONS, (log) =>
        appendMessages(log, { rooms: [room], members: [[sender]] }, more),
      );
      await untilProjected(platform);
      return (more / (performance.now() - startMs)) * 1_000;
    };
    /** The id of the message in the middle. */
    const middle = async (): Promise<string> => {
      const text =
        'select seq from messages where room_id = $1 and seq >= (select (min(seq) + max(seq)) / 2 from messages where room_id = $1) order by seq limit 1';
      const { rows } = await database.query<{ seq: string }>(text, [room]);
      const partition = new Subjects(PARTITIONS).partitionOfRoom(room);
      return `msg_${Number(rows[0]?.seq) * LIMITS.partitions + partition}`;
    };
    return { platform, room, reader, grow, middle, stop: () => database.end() };
  });
}

const subject = (index: number): Subject => {
  const size = SIZES[index] ?? LARGEST;
  return {
    name: size.toLocaleString('en-US'),
    start: async (stage): Promise<Started> => {
      const { platform, room, reader, grow, middle } = await growing(stage);
      const messages = stage.quick ? (SIZES_QUICK[index] ?? LARGEST) : size;
      let loaded = NaN;
      return {
        label: messages.toLocaleString('en-US'),
        processes: () => ({ api: pidOf(platform, 'api-1'), postgres: platform.postgres.pid }),
        prepare: async () => {
          stage.say(`  ${messages} messages are written and projected`);
          loaded = await grow(messages);
        },
        measure: async ({ quick }): Promise<Figures> => {
          const http = await httpAs(platform, reader);
          const times = quick ? PAGES_QUICK : PAGES;
          const page = `/api/rooms/${room}/messages?limit=50`;
          const before = `${page}&before=${await middle()}`;
          await repeated(times, () => http.timed('GET', page, 200));
          const newest = await repeated(times, () => http.timed('GET', page, 200));
          const inTheMiddle = await repeated(times, () => http.timed('GET', before, 200));
          const unread = await repeated(times, async () => {
            const answer = await http.ask('GET', '/api/inbox?limit=50');
            const { items } = JSON.parse(answer.text()) as { items: readonly { unread: number }[] };
            if (items[0]?.unread !== messages) throw new Error(`${items[0]?.unread} of ${messages} are unread`);
            return answer.tookMs;
          });
          http.stop();
          return {
            'newest page p50 ms': newest.p50,
            'newest p99 ms': newest.p99,
            'middle page p50 ms': inTheMiddle.p50,
            'middle p99 ms': inTheMiddle.p99,
            'unread p50 ms': unread.p50,
            'written and projected/s': loaded,
          };
        },
        stop: async () => undefined,
      };
    },
  };
};

/** Only with `--full`: writing and projecting five million takes minutes. */
const largest: Subject = {
  name: LARGEST.toLocaleString('en-US'),
  start: async (stage) => {
    if (!stage.full) throw new LeftOutError(`only with --full: writing and projecting takes minutes`);
    return subject(SIZES.length).start(stage);
  },
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'curve-history',
    sentence:
      'One room by the length of its history: pages of 50 at the newest end and before the message in the middle, and the inbox of a member with the ' +
      'number of unread messages (checked), over HTTP one after the other.',
    figure: 'newest page p50 ms',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: [...SIZES.map((_, index) => subject(index)), largest],
  },
];
