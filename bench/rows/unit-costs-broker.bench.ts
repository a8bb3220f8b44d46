/** What one of each costs a broker: an append, a live copy, a subject, a remembered id, a subscription, a message on disk. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { LIVE, liveSubject, Subjects } from '#contract';
import { natsOptions, startNatsServer, waitUntil } from '#embedded';
import { type Append, type EventLog, openEventLog } from '#event-log';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { cpuFor, residentBytes } from '../cpu.js';
import { messageOf } from '../load/backlog.js';
import { eachOf } from '../load/lanes.js';
import { PARTITIONS } from '../parley.js';
import type { Stage } from '../stage.js';

const MICRO = 1e6;
const APPENDS = 40_000;
const APPENDS_QUICK = 500;
const IN_FLIGHT = 64;
const ROOMS = 100;
const COPIES = 16;
const SUBJECTS = 200_000;
const SUBJECTS_QUICK = 2_000;
const SUBSCRIPTIONS = 50_000;
const SUBSCRIPTIONS_QUICK = 500;
const MANY_IN_FLIGHT = 512;
/** The broker gives memory back by and by. */
const SETTLED_AFTER_MS = 3_000;
const SETTLED_SHARE = 0.005;
const SETTLES_WITHIN_MS = 30_000;

interface Broker {
  readonly pid: number;
  readonly url: string;
  readonly storeDir: string;
  readonly log: EventLog;
  stop(): Promise<void>;
}

async function broker(stage: Stage, name: string, sync: 'off' | 'always'): Promise<Broker> {
  const nats = await startNatsServer({ storeDir: join(stage.folder, name), sync });
  const connection = await connect({ ...natsOptions([nats.url]), name: 'load' });
  const log = await openEventLog(connection, { partitions: PARTITIONS, create: true });
  const stop = async (): Promise<void> => {
    await connection.close();
    await nats.stop();
  };
  return { pid: nats.pid, url: nats.url, storeDir: nats.storeDir, log, stop };
}

const bytesIn = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);

/** Resident bytes once they stay the same for a while. */
async function settled(pid: number): Promise<number> {
  let last = { bytes: residentBytes(pid), atMs: performance.now() };
  return waitUntil<number | undefined>('memory settles', SETTLES_WITHIN_MS, () => {
    const bytes = residentBytes(pid);
    if (Math.abs(bytes - last.bytes) > last.bytes * SETTLED_SHARE) last = { bytes, atMs: performance.now() };
    return performance.now() - last.atMs > SETTLED_AFTER_MS ? bytes : undefined;
  });
}

const appendAll = (log: EventLog, count: number, lanes: number, one: (index: number) => Append): Promise<void> =>
  eachOf(
    Array.from({ length: count }, (_, i) => i),
    lanes,
    (index) => log.append(one(index)),
  );

/** Appends as sends are: in many rooms, each fenced by its sender's membership. */
async function fenced({ log }: Broker): Promise<(index: number) => Append> {
  const subjects = new Subjects(PARTITIONS);
  const rooms = Array.from({ length: ROOMS }, (_, i) => `room-${i}`);
  const seqs = await Promise.all(
    rooms.map(
      async (room) => (await log.append({ subject: subjects.member(room, 'ann'), event: messageOf('ann') })).seq,
    ),
  );
  return (index) => {
    const at = index % ROOMS;
    const room = rooms[at] ?? '';
    const fence = { subject: subjects.member(room, 'ann'), seq: seqs[at] ?? 0 };
    return { subject: subjects.timeline(room), event: messageOf('ann'), fence };
  };
}

/** Connections that take a copy of every event, as gateways do. */
async function copying({ url }: Broker, count: number) {
  const connections = await Promise.all(
    Array.from({ length: count }, () => connect({ ...natsOptions([url]), name: 'copies' })),
  );
  let copies = 0;
  for (const connection of connections) {
    connection.subscribe(LIVE.everything, { callback: () => void (copies += 1) });
    await connection.flush();
  }
  return {
    copies: () => copies,
    stop: async () => void (await Promise.all(connections.map((connection) => connection.close()))),
  };
}

const work: Subject = {
  name: 'broker',
  start: async (stage): Promise<Started> => {
    const server = await broker(stage, 'work', 'always');
    const one = await fenced(server);
    const count = stage.quick ? APPENDS_QUICK : APPENDS;
    const appends = () => cpuFor({ nats: server.pid }, () => appendAll(server.log, count, IN_FLIGHT, one));
    return {
      processes: () => ({ nats: server.pid, load: process.pid }),
      warm: () => appendAll(server.log, APPENDS_QUICK, IN_FLIGHT, one),
      measure: async (): Promise<Figures> => {
        const beforeBytes = bytesIn(server.storeDir);
        const alone = await appends();
        const bytes = bytesIn(server.storeDir) - beforeBytes;
        const readers = await copying(server, COPIES);
        const copied = await appends();
        await waitUntil('every copy has come', SETTLES_WITHIN_MS, () => readers.copies() >= COPIES * count);
        await readers.stop();
        const copies = copied.seconds.nats - alone.seconds.nats;
        return {
          'us/append': (alone.seconds.nats / count) * MICRO,
          'us/copy': (copies / count / COPIES) * MICRO,
          'bytes/message in the log': bytes / count,
        };
      },
      stop: () => server.stop(),
    };
  },
};

/** Memory that is once taken is not given back, so every round has a server of its own. */
const memory: Subject = {
  name: 'broker memory',
  start: async (stage): Promise<Started> => {
    const subjects = new Subjects(PARTITIONS);
    const count = stage.quick ? SUBJECTS_QUICK : SUBJECTS;
    const subscriptions = stage.quick ? SUBSCRIPTIONS_QUICK : SUBSCRIPTIONS;
    let server: Broker | undefined;
    const end = async (): Promise<void> => {
      await server?.stop();
      server = undefined;
    };
    return {
      processes: () => (server === undefined ? {} : { nats: server.pid }),
      prepare: async ({ number }) => {
        await end();
        server = await broker(stage, `memory-${number}`, 'off');
      },
      measure: async (): Promise<Figures> => {
        if (server === undefined) throw new Error('no broker');
        const { pid, log, url } = server;
        const grownBy = async (grow: () => Promise<unknown>): Promise<number> => {
          const before = await settled(pid);
          await grow();
          return (await settled(pid)) - before;
        };
        const event = messageOf('ann');
        const timeline = subjects.timeline('room');
        const onOne = () => appendAll(log, count, MANY_IN_FLIGHT, () => ({ subject: timeline, event }));
        // What a store takes once for its blocks and buffers is nobody's cost.
        await onOne();
        const ids = await grownBy(onOne);
        const members = await grownBy(() =>
          appendAll(log, count, MANY_IN_FLIGHT, (i) => ({ subject: subjects.member('room', `user-${i}`), event })),
        );
        const connection = await connect({ ...natsOptions([url]), name: 'interest' });
        const interest = await grownBy(async () => {
          for (let i = 0; i < subscriptions; i += 1)
            connection.subscribe(liveSubject(subjects.timeline(`room-${i}`)), { callback: () => undefined });
          await connection.flush();
        });
        await connection.close();
        return {
          // An append to a subject of its own is remembered by its id too.
          'bytes/subject': Math.max(0, members - ids) / count,
          'bytes/remembered id': Math.max(0, ids) / count,
          'bytes/subscription': Math.max(0, interest) / subscriptions,
        };
      },
      stop: end,
    };
  },
};

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'unit-costs-broker',
    sentence: `CPU of a broker, alone with the thin publisher: a fenced append (sync always, ${IN_FLIGHT} in flight), and each live copy of it (${COPIES} connections that take all, beside none); and the bytes of a keyed message of 100 characters on disk.`,
    figure: 'us/append',
    better: 'lower',
    goals: [],
    rounds: 2,
    subjects: [work],
  },
  {
    name: 'unit-costs-broker-memory',
    sentence: `Resident memory of a broker for ${SUBJECTS.toLocaleString('en-US')} messages on one subject (each with an id that is remembered), for as many on subjects of their own, and for ${SUBSCRIPTIONS.toLocaleString('en-US')} subscriptions.`,
    figure: 'bytes/subject',
    better: 'lower',
    goals: [],
    rounds: 2,
    subjects: [memory],
  },
];
