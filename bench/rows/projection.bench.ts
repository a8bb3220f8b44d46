/** The read side's writing: events into every read model, as fast as they can be read from the log. */
import { Client } from 'pg';
import { waitUntil, type Platform } from '#embedded';
import type { Benchmark, Round, Started, Subject } from '../benchmark.js';
import { appendMessages, logEnds, withEventLog } from '../load/backlog.js';
import { rebuildAll } from '../load/rebuild.js';
import { brokerOf, makeRooms, parley, PARTITIONS, pidOf, type Rooms } from '../parley.js';
import { unnestFloor } from '../peers/unnest.js';
import type { Stage } from '../stage.js';

const ROOMS = 100;
const MEMBERS_EACH = 20;
const EVENTS = 200_000;
const EVENTS_QUICK = 5_000;
const CAUGHT_UP_WITHIN_MS = 300_000;

const eventsIn = ({ quick }: Round): number => (quick ? EVENTS_QUICK : EVENTS);

/** How far all read models are, partition by partition summed: a look costs the database next to nothing. */
async function applied(database: Client): Promise<number> {
  const { rows } = await database.query<{ applied: string }>({
    name: 'applied',
    text: 'select coalesce(sum(seq), 0) as applied from (select min(seq) as seq from checkpoints group by partition) each',
  });
  return Number(rows[0]?.applied);
}

interface Catching {
  readonly platform: Platform;
  readonly rooms: Rooms;
  readonly database: Client;
}

const processes = ({ platform }: Catching): Record<string, number> => ({
  projection: pidOf(platform, 'projection-1'),
  postgres: platform.postgres.pid,
  nats: brokerOf(platform).pid,
  load: process.pid,
});

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

async function catching(stage: Stage): Promise<Catching> {
  const platform = await parley(stage, { sync: 'off' });
  const rooms = await stage.once('rooms', async () => ({
    ...(await makeRooms(platform, 'read', ROOMS, MEMBERS_EACH)),
    stop: async () => undefined,
  }));
  const database = new Client({ connectionString: platform.databaseUrl });
  await database.connect();
  return { platform, rooms, database };
}

/** The projection is killed, the log grows, and the projection begins again: from its first commit to its last. */
const caughtUp: Subject = {
  name: 'parley',
  start: async (stage): Promise<Started> => {
    const ready = await catching(stage);
    const { platform, rooms, database } = ready;
    const projection = platform.services.get('projection-1');
    if (projection === undefined) throw new Error('there is no projection-1');
    return {
      processes: () => processes(ready),
      measure: async (round) => {
        await projection.kill();
        const end = await withEventLog(platform.natsUrls(), PARTITIONS, async (log) => {
          await appendMessages(log, { rooms: rooms.ids, members: rooms.members }, eventsIn(round));
          return sum(await logEnds(log));
        });
        const restarted = projection.restart();
        const rate = await rateUntil(database, end);
        await restarted;
        return { 'events/s': rate };
      },
      stop: () => database.end(),
    };
  },
};

async function rateUntil(database: Client, end: number): Promise<number> {
  const before = await applied(database);
  let [firstMs, first] = [0, 0];
  let lastMs = 0;
  await waitUntil('the projection has caught up', CAUGHT_UP_WITHIN_MS, async () => {
    const now = await applied(database);
    lastMs = performance.now();
    if (firstMs === 0 && now > before) [firstMs, first] = [lastMs, now];
    return now >= end;
  });
  return ((end - first) / Math.max(1, lastMs - firstMs)) * 1_000;
}

/** All read models built beside the live ones and swapped in, as an operator asks for it. */
const rebuilt: Subject = {
  name: 'parley rebuild',
  start: async (stage): Promise<Started> => {
    const ready = await catching(stage);
    return {
      processes: () => processes(ready),
      worker: 'projection',
      measure: async () => {
        const events = await applied(ready.database);
        return { 'events/s': (events / (await rebuildAll(ready.platform)).ms) * 1_000 };
      },
      stop: () => ready.database.end(),
    };
  },
};

const floor: Subject = {
  name: 'unnest',
  start: async (stage): Promise<Started> => {
    const { postgres } = await parley(stage, { sync: 'off' });
    const { run, stop } = await unnestFloor(await postgres.createDatabase('floor'));
    return {
      processes: () => ({ postgres: postgres.pid, load: process.pid }),
      measure: async (round) => ({ 'events/s': await run(eventsIn(round)) }),
      stop,
    };
  },
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'projection',
    sentence:
      `Events into every read model: ${EVENTS.toLocaleString('en-US')} keyed messages of ${ROOMS} rooms are in the log, the projection ` +
      'starts, and its commits are timed from the first to the last; and all read models built anew beside the live ones. The floor ' +
      'writes 500 rows a transaction by unnest into one table, with a checkpoint, on the same PostgreSQL. Sync off.',
    figure: 'events/s',
    better: 'higher',
    goals: ['>= 0.35 of unnest'],
    subjects: [caughtUp, floor, rebuilt],
    notes: [
      'An event of Parley is a row in three tables at least: messages, message_keys and its room; the floor has one.',
    ],
  },
];
