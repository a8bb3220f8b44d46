/**
 * What one of each costs: the figures that the capacity model multiplies (scale/unit-costs.ts says which is which). CPU is a process's
 * own, from /proc; nothing is counted twice.
 */
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { TRANSIENT } from '#contract';
import { natsOptions, type Platform } from '#embedded';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { cpuFor } from '../cpu.js';
import { apiOf, doorOf } from '../load/as-users.js';
import { appendMessages, withEventLog } from '../load/backlog.js';
import type { Person, Resumed, ResumeOptions } from '../load/crowd.js';
import { LOAD } from '../load/fan-out.js';
import type { LoopOptions, LoopResult } from '../load/fan-out-load.js';
import { type Pace, until } from '../load/paced.js';
import type { PagesRead, PageWay } from '../load/page-readers.js';
import { type SeededRooms, seededRooms, untilProjected, withDatabase } from '../load/seeds.js';
import type { SendersOptions, SendersResult, Way } from '../load/senders.js';
import { parley, PARTITIONS, pidOf, processesOf, seatsOf } from '../parley.js';
import { Program } from '../program.js';
import { tokenFor } from '../tokens.js';

const MICRO = 1e6;
const SECONDS = 4;
const SECONDS_QUICK = 0.5;
const WIDE = 500;
const WIDE_QUICK = 20;
const PEOPLE = 1_000;
const PEOPLE_QUICK = 20;
const NOTICED = 200_000;
const NOTICED_QUICK = 2_000;
const NOTICED_ROOMS = 2_000;
const NOTICED_ROOMS_QUICK = 50;
const SENDERS = 64;
const HALF = 0.5;
const MESSAGES = 100_000;
const MESSAGES_QUICK = 2_000;
const PAGE_READERS = 4;
const CONTENT_BYTES = 100;

const program = (name: string): Promise<Program> => Program.start(join(import.meta.dirname, '..', 'load', name));

/** Gateway seconds of one message, in rooms of `membersEach`, each delivery a write of its own. */
async function perMessage(platform: Platform, rooms: SeededRooms, seconds: number) {
  const load = await Program.start(LOAD);
  try {
    const source = { natsUrls: platform.natsUrls(), partitions: PARTITIONS, contentBytes: CONTENT_BYTES };
    await load.call('source', { ...source, means: 'log', actor: 'somebody' });
    await load.call('enter', seatsOf(platform, rooms));
    const run = (): Promise<LoopResult> =>
      load.call('run', { outstanding: 1, restMs: 0, seconds } satisfies LoopOptions);
    await run();
    const used = await cpuFor({ gateway: pidOf(platform, 'gateway-1') }, run);
    const { deliveries, bytesPerDelivery } = used.result;
    const messages = deliveries / (rooms.members[0]?.length ?? NaN);
    return { seconds: used.seconds.gateway / messages, bytesPerDelivery };
  } finally {
    await load.stop();
  }
}

/** The second gateway has no sockets: all that it does while others write is to read the tails' notices. */
async function perNoticeEntry(platform: Platform, rooms: SeededRooms, events: number) {
  const gateway = pidOf(platform, 'gateway-2');
  const nats = await connect({ ...natsOptions(platform.natsUrls()), name: 'load' });
  let [entries, bytes] = [0, 0];
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    nats.subscribe(TRANSIENT.tails(partition), {
      callback: (_, message) => {
        entries += message.json<{ last: readonly unknown[] }>().last.length;
        bytes += message.data.length;
      },
    });
  await nats.flush();
  const restMs = 2_000;
  const idle = await cpuFor({ gateway }, () => until(performance.now() + restMs));
  const startMs = performance.now();
  const busy = await cpuFor({ gateway }, () =>
    withEventLog(platform.natsUrls(), PARTITIONS, (log) =>
      appendMessages(log, { rooms: rooms.ids, members: rooms.members }, events),
    ),
  );
  const idleShare = (idle.seconds.gateway / restMs) * (performance.now() - startMs);
  await nats.close();
  return { seconds: Math.max(0, busy.seconds.gateway - idleShare) / entries, bytes: bytes / entries };
}

async function perOpening(platform: Platform, rooms: SeededRooms): Promise<number> {
  const crowd = await program('crowd.ts');
  try {
    const people = rooms.ids.flatMap((room, i): Person[] =>
      (rooms.members[i] ?? []).map((user) => ({ room, door: doorOf(platform, user) })),
    );
    await crowd.call('enter', people);
    await crowd.call('cut');
    const port = Number(new URL(platform.sockets[0] ?? '').port);
    const { result, seconds } = await cpuFor({ gateway: pidOf(platform, 'gateway-1') }, () =>
      crowd.call<Resumed>('resume', { port, since: true } satisfies ResumeOptions),
    );
    if (result.recovered < result.count) throw new Error(`${result.recovered} of ${result.count} recovered`);
    return seconds.gateway / result.count;
  } finally {
    await crowd.stop();
  }
}

const gatewaySubject: Subject = {
  name: 'gateway',
  start: async (stage): Promise<Started> => {
    const { quick } = stage;
    const platform = await parley(stage, { sync: 'off', replicas: { commands: 1, projection: 1, gateway: 2, api: 1 } });
    const size = quick ? WIDE_QUICK : WIDE;
    const wide = await seededRooms(platform, 'wide', 1, size);
    const narrow = await seededRooms(platform, 'narrow', size, 1);
    const crowded = await seededRooms(platform, 'crowded', 10, (quick ? PEOPLE_QUICK : PEOPLE) / 10);
    const noticed = await seededRooms(platform, 'noticed', quick ? NOTICED_ROOMS_QUICK : NOTICED_ROOMS, 1);
    return {
      processes: () => processesOf(platform),
      measure: async (): Promise<Figures> => {
        const seconds = quick ? SECONDS_QUICK : SECONDS;
        const one = await perMessage(platform, narrow, seconds);
        const many = await perMessage(platform, wide, seconds);
        // The one has an event and a delivery, the other the same event and many of them.
        const delivery = (many.seconds - one.seconds) / (size - 1);
        const opening = await perOpening(platform, crowded);
        const notice = await perNoticeEntry(platform, noticed, quick ? NOTICED_QUICK : NOTICED);
        return {
          'us/delivery': delivery * MICRO,
          'us/live event': (one.seconds - delivery) * MICRO,
          'us/resume': opening * MICRO,
          'us/notice entry': notice.seconds * MICRO,
          'bytes/delivery': many.bytesPerDelivery,
          'bytes/notice entry': notice.bytes,
        };
      },
      stop: async () => undefined,
    };
  },
};

/** Senders on the first gateway, those who read on the second one. */
const sendSubject: Subject = {
  name: 'sends',
  start: async (stage): Promise<Started> => {
    const platform = await parley(stage, { replicas: { commands: 1, projection: 1, gateway: 2, api: 1 }, sync: 'off' });
    const { ids, members } = await seededRooms(platform, 'unit', SENDERS, 2);
    const load = await program('senders.ts');
    const ways = ids.map((room, i): Way => ({ by: 'socket', room, door: doorOf(platform, members[i]?.[0] ?? '') }));
    const listener = ids.map((room, i) => ({
      kind: 'parley' as const,
      room,
      door: doorOf(platform, members[i]?.[1] ?? '', 1),
    }));
    await load.call('enter', { ways, listener });
    const seconds = stage.quick ? SECONDS_QUICK : SECONDS;
    const run = (perSecond?: number): Promise<SendersResult> =>
      load.call('run', {
        seconds,
        contentBytes: CONTENT_BYTES,
        ...(perSecond !== undefined && { perSecond }),
      } satisfies SendersOptions);
    return {
      processes: () => ({ ...processesOf(platform), load: load.pid }),
      measure: async (): Promise<Figures> => {
        const { accepted, seconds: took } = await run();
        const pids = {
          gateway: pidOf(platform, 'gateway-1'),
          commands: pidOf(platform, 'commands-1'),
          projection: pidOf(platform, 'projection-1'),
          postgres: platform.postgres.pid,
        };
        const half = await cpuFor(pids, () => run((accepted / took) * HALF));
        const us = (used: number): number => (used / half.result.accepted) * MICRO;
        const { gateway, commands, projection, postgres } = half.seconds;
        return {
          'us/send, commands': us(commands),
          'us/send and its event, gateway': us(gateway),
          'us/event, projection': us(projection),
          'us/event, PostgreSQL': us(postgres),
          'us/event, projected': us(projection + postgres),
          'sends/s': half.result.accepted / half.result.seconds,
        };
      },
      stop: () => load.stop(),
    };
  },
};

const databaseBytes = (platform: Platform): Promise<number> =>
  withDatabase(platform, async (database) => {
    await database.query('vacuum full');
    const { rows } = await database.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes');
    return Number(rows[0]?.bytes);
  });

const pageSubject: Subject = {
  name: 'pages',
  start: async (stage): Promise<Started> => {
    const platform = await parley(stage, { sync: 'off' });
    const { ids, members } = await seededRooms(platform, 'pages', 100, 20);
    const messages = stage.quick ? MESSAGES_QUICK : MESSAGES;
    const emptyBytes = await databaseBytes(platform);
    await withEventLog(platform.natsUrls(), PARTITIONS, (log) =>
      appendMessages(log, { rooms: ids, members }, messages),
    );
    await untilProjected(platform);
    const fullBytes = await databaseBytes(platform);
    const load = await program('page-readers.ts');
    const ways = ids.slice(0, PAGE_READERS).map((room, i): PageWay => {
      const token = tokenFor(members[i]?.[0] ?? '');
      return { url: apiOf(platform), token, path: `/api/rooms/${room}/messages?limit=50` };
    });
    await load.call('enter', ways);
    const pids = { api: pidOf(platform, 'api-1'), postgres: platform.postgres.pid };
    const run = (seconds: number): Promise<PagesRead> => load.call('run', { seconds } satisfies Pace);
    return {
      processes: () => ({ ...pids, load: load.pid }),
      warm: async () => void (await run(SECONDS_QUICK)),
      measure: async ({ quick }): Promise<Figures> => {
        const { result, seconds } = await cpuFor(pids, () => run(quick ? SECONDS_QUICK : SECONDS));
        return {
          'us/page': ((seconds.api + seconds.postgres) / result.pages) * MICRO,
          'us/page, api': (seconds.api / result.pages) * MICRO,
          'us/page, PostgreSQL': (seconds.postgres / result.pages) * MICRO,
          'bytes/message in the views': (fullBytes - emptyBytes) / messages,
        };
      },
      stop: () => load.stop(),
    };
  },
};

const costs = (name: string, subject: Subject, figure: string, rounds: number, sentence: string): Benchmark => ({
  name: `unit-costs-${name}`,
  sentence,
  figure,
  better: 'lower',
  goals: [],
  rounds,
  subjects: [subject],
});

export const benchmarks: readonly Benchmark[] = [
  costs(
    'gateway',
    gatewaySubject,
    'us/delivery',
    2,
    'CPU of a gateway: for a live event and for one delivery that shares its write with no other (rooms of one socket beside a room of many), for a sign-in with a ' +
      'resume, and for each subject in the tails’ notices that is none of its own. And bytes on the wire. Sync off.',
  ),
  costs(
    'sends',
    sendSubject,
    'us/send, commands',
    2,
    `CPU of one send, process by process, at half of what ${SENDERS} senders over sockets reach; those who read are on another gateway. Sync off.`,
  ),
  costs(
    'pages',
    pageSubject,
    'us/page',
    2,
    `CPU of a page of 50 messages, and what ${MESSAGES.toLocaleString('en-US')} keyed messages of 2,000 senders take in the database, indexes and all read models included.`,
  ),
];
