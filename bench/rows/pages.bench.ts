/** The read side's reading: a page of history, as a client asks for it. */
import { Client } from 'pg';
import { waitUntil } from '#embedded';
import type { Benchmark, Figures, Round, Started, Subject } from '../benchmark.js';
import { appendMessages, logEnds, withEventLog } from '../load/backlog.js';
import { rawHttp } from '../load/raw-http.js';
import { makeRooms, parley, PARTITIONS, pidOf } from '../parley.js';
import type { Stage } from '../stage.js';
import { quantile } from '../statistics.js';
import { tokenFor } from '../tokens.js';

const ROOMS = 100;
const MEMBERS_EACH = 10;
const MESSAGES = 500_000;
const MESSAGES_QUICK = 10_000;
/** Of the rooms, those that are read. */
const READ_ROOMS = 10;
const PAGES = 3_000;
const PAGES_QUICK = 200;
const PROJECTED_WITHIN_MS = 300_000;

const pagesIn = ({ quick }: Round): number => (quick ? PAGES_QUICK : PAGES);

/** Rooms with a long history in the views, on a platform that is at rest. */
async function history(stage: Stage) {
  const platform = await parley(stage, { sync: 'off' });
  const { ids, members } = await stage.once('history', async () => {
    const rooms = await makeRooms(platform, 'pages', ROOMS, MEMBERS_EACH);
    const count = stage.quick ? MESSAGES_QUICK : MESSAGES;
    stage.say(`  ${count} messages are written and projected`);
    const ends = await withEventLog(platform.natsUrls(), PARTITIONS, async (log) => {
      await appendMessages(log, { rooms: rooms.ids, members: rooms.members }, count);
      return logEnds(log);
    });
    const database = new Client({ connectionString: platform.databaseUrl });
    await database.connect();
    for (const [partition, end] of ends.entries())
      await waitUntil(`the views have partition ${partition}`, PROJECTED_WITHIN_MS, async () => {
        const { rows } = await database.query<{ seq: string }>(
          'select coalesce(min(seq), 0) as seq from checkpoints where partition = $1',
          [partition],
        );
        return Number(rows[0]?.seq) >= end;
      });
    // As autovacuum would have done by and by.
    await database.query('vacuum analyze');
    await database.end();
    return { ...rooms, stop: async () => undefined };
  });
  return { platform, ids, reader: members.map(([user]) => user ?? '') };
}

function figures(tookMs: readonly number[]): Figures {
  const sorted = [...tookMs].sort((a, b) => a - b);
  return { 'p50 us': quantile(sorted, 0.5) * 1_000, 'p99 us': quantile(sorted, 0.99) * 1_000 };
}

const overHttp: Subject = {
  name: 'parley',
  start: async (stage): Promise<Started> => {
    const { platform, ids, reader } = await history(stage);
    const api = platform.services.get('api-1')?.url ?? '';
    const clients = await Promise.all(
      ids.slice(0, READ_ROOMS).map(async (room, i) => ({ room, http: await rawHttp(api, tokenFor(reader[i] ?? '')) })),
    );
    const read = async (times: number): Promise<number[]> => {
      const tookMs: number[] = [];
      while (tookMs.length < times)
        for (const { room, http } of clients)
          tookMs.push(await http.timed('GET', `/api/rooms/${room}/messages?limit=50`, 200));
      return tookMs;
    };
    return {
      processes: () => ({ api: pidOf(platform, 'api-1'), postgres: platform.postgres.pid, load: process.pid }),
      worker: 'api',
      warm: async (round) => void (await read(pagesIn(round))),
      measure: async (round) => figures(await read(pagesIn(round))),
      stop: async () => clients.forEach(({ http }) => http.stop()),
    };
  },
};

/** The same rows of the same table by the driver that Parley has, in a process that does nothing else. */
const prepared: Subject = {
  name: 'pg prepared',
  start: async (stage): Promise<Started> => {
    const { platform, ids } = await history(stage);
    const database = new Client({ connectionString: platform.databaseUrl });
    await database.connect();
    const page = async (room: string): Promise<number> => {
      const startMs = performance.now();
      const text = 'select * from messages where room_id = $1 order by seq desc limit 50';
      const { rowCount } = await database.query({ name: 'page', text, values: [room] });
      if (rowCount !== 50) throw new Error(`${room} has ${rowCount} rows`);
      return performance.now() - startMs;
    };
    return {
      processes: () => ({ postgres: platform.postgres.pid, load: process.pid }),
      measure: async (round) => {
        const tookMs: number[] = [];
        while (tookMs.length < pagesIn(round)) tookMs.push(await page(ids[tookMs.length % READ_ROOMS] ?? ''));
        return figures(tookMs);
      },
      stop: () => database.end(),
    };
  },
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'page-of-50',
    sentence:
      `The newest 50 messages of a room over HTTP, one request at a time, from ${MESSAGES.toLocaleString('en-US')} messages in ${ROOMS} rooms. ` +
      'The floor is the query alone: the same rows of the same table, prepared, by the same driver.',
    figure: 'p50 us',
    better: 'lower',
    goals: ['<= 2 x pg prepared'],
    subjects: [overHttp, prepared],
  },
];
