/** A send, from the request to its answer and to its arrival at somebody else's socket. */
import { join } from 'node:path';
import { SUBPROTOCOL } from '#contract';
import { startNatsServer } from '#embedded';
import { startStandalone, tokenFor as standaloneTokenFor } from '../../test/platform.js';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { rawHttp } from '../load/raw-http.js';
import type { SendersOptions, SendersResult, Way } from '../load/senders.js';
import type { Door } from '../load/raw-socket.js';
import { brokerOf, parley, pidOf } from '../parley.js';
import { Program } from '../program.js';
import type { Stage } from '../stage.js';
import { tokenFor } from '../tokens.js';

const SECONDS = 4;
const SECONDS_QUICK = 0.5;
const CONTENT_BYTES = 100;
const ACCEPTED = 202;
const LISTENER = 'listener';

interface Shape {
  readonly senders: number;
  readonly sync: 'off' | 'always';
}

/** Where sends go to, and where they are heard. */
interface Target {
  readonly ways: readonly Way[];
  readonly listener: Door;
  readonly processes: () => Readonly<Record<string, number>>;
  readonly worker?: string;
  readonly kind: 'parley' | 'bare';
  stop(): Promise<void>;
}

async function underSenders(target: Target): Promise<Started> {
  const load = await Program.start(join(import.meta.dirname, '..', 'load', 'senders.ts'));
  const stop = async (): Promise<void> => {
    await load.stop();
    await target.stop();
  };
  const { ways, listener: door, kind } = target;
  try {
    await load.call('enter', { ways, listener: kind === 'parley' ? { kind, room: '', door } : door });
  } catch (error) {
    await stop();
    throw error;
  }
  const run = (quick: boolean): Promise<SendersResult> =>
    load.call('run', {
      seconds: quick ? SECONDS_QUICK : SECONDS,
      contentBytes: CONTENT_BYTES,
    } satisfies SendersOptions);
  return {
    processes: () => ({ ...target.processes(), load: load.pid }),
    ...(target.worker !== undefined && { worker: target.worker }),
    warm: async ({ quick }) => void (await run(quick)),
    measure: async ({ quick }) => figures(await run(quick)),
    stop,
  };
}

const figures = ({ accepted, seconds, answerMs, arrivalMs }: SendersResult): Figures => ({
  'sends/s': accepted / seconds,
  'answer p50 ms': answerMs.p50,
  'answer p99 ms': answerMs.p99,
  'arrival p50 ms': arrivalMs.p50,
  'arrival p99 ms': arrivalMs.p99,
});

interface Doors {
  readonly url: string;
  readonly api: string;
  readonly socket: string;
  readonly tokenOf: (user: string) => string;
}

function doorOf({ socket, tokenOf }: Doors, user: string): Door {
  const { hostname, port, pathname } = new URL(socket);
  const headers = { Authorization: `Bearer ${tokenOf(user)}`, 'Sec-WebSocket-Protocol': SUBPROTOCOL };
  return { host: hostname, port: Number(port), path: pathname, headers };
}

async function post({ api, tokenOf }: Doors, user: string, path: string, body: object): Promise<void> {
  const http = await rawHttp(api, tokenOf(user));
  await http.timed('POST', path, ACCEPTED, JSON.stringify(body)).finally(() => http.stop());
}

/** A room for each sender, and one who listens in all of them. */
async function waysInto(doors: Doors, by: Way['by'], prefix: string, senders: number): Promise<Way[]> {
  const rooms = Array.from({ length: senders }, (_, i) => ({ room: `${prefix}-${i}`, user: `${prefix}-user-${i}` }));
  await Promise.all(
    rooms.map(async ({ room, user }) => {
      await post(doors, user, '/api/rooms', { id: room, name: room });
      await post(doors, LISTENER, `/api/rooms/${room}/join`, {});
    }),
  );
  return rooms.map(({ room, user }): Way => {
    if (by === 'socket') return { by, door: doorOf(doors, user), room };
    return { by, url: doors.api, path: `/api/rooms/${room}/messages`, token: doors.tokenOf(user) };
  });
}

const splitSubject = (name: string, by: Way['by'], { senders, sync }: Shape): Subject => ({
  name,
  start: async (stage) => {
    const platform = await parley(stage, { sync });
    const api = platform.services.get('api-1')?.url ?? '';
    const doors: Doors = { url: platform.url, api, socket: platform.sockets[0] ?? '', tokenOf: tokenFor };
    const ways = await waysInto(doors, by, `send-${by}`, senders);
    const pids = ['commands', 'projection', 'gateway', 'api'].map((app) => [app, pidOf(platform, `${app}-1`)] as const);
    const nats = brokerOf(platform).pid;
    return underSenders({
      ways,
      listener: doorOf(doors, LISTENER),
      kind: 'parley',
      processes: () => ({ ...Object.fromEntries(pids), nats, postgres: platform.postgres.pid }),
      worker: by === 'http' ? 'api' : 'gateway',
      stop: async () => undefined,
    });
  },
});

/** Everything in one process, with its embedded servers. */
const standaloneSubject = (name: string, by: Way['by'], { senders, sync }: Shape): Subject => ({
  name,
  start: async (stage) => {
    const { url, sockets, process } = await stage.once('standalone', () =>
      startStandalone({ RATE_LIMITS: 'off', PARLEY_SYNC: sync, LOG_LEVEL: 'error' }),
    );
    const doors: Doors = { url, api: url, socket: sockets[0] ?? '', tokenOf: standaloneTokenFor };
    return underSenders({
      ways: await waysInto(doors, by, `alone-${by}`, senders),
      listener: doorOf(doors, LISTENER),
      kind: 'parley',
      processes: () => ({ standalone: process.pid }),
      stop: async () => undefined,
    });
  },
});

async function floorTarget(stage: Stage, { senders, sync }: Shape, processes: 1 | 2): Promise<Target> {
  const nats = await stage.once(`floor nats ${processes}`, () =>
    startNatsServer({ storeDir: `${stage.folder}/floor-${processes}`, sync }),
  );
  const programs = await Promise.all(
    Array.from({ length: processes }, () =>
      Program.start(join(import.meta.dirname, '..', 'peers', 'bare-pipeline.ts')),
    ),
  );
  const [first, second = first] = programs;
  if (first === undefined || second === undefined) throw new Error('no floor');
  const natsUrls = [nats.url];
  const apart = processes === 2;
  const port = await first.call<number>('serve', { natsUrls, posts: true, sockets: !apart });
  const heard = apart ? await second.call<number>('serve', { natsUrls, posts: false, sockets: true }) : port;
  const ways = Array.from({ length: senders }, (_, i): Way => {
    return { by: 'http', url: `http://127.0.0.1:${port}`, path: '/', token: '', room: `room-${i}` };
  });
  return {
    ways,
    listener: { host: '127.0.0.1', port: heard, path: '/', headers: {} },
    kind: 'bare',
    processes: () => ({ posts: first.pid, ...(apart && { sockets: second.pid }), nats: nats.pid }),
    worker: 'posts',
    stop: async () => {
      for (const program of programs) await program.stop();
    },
  };
}

const floorSubject = (name: string, shape: Shape, processes: 1 | 2): Subject => ({
  name,
  start: async (stage) => underSenders(await floorTarget(stage, shape, processes)),
});

const HOW =
  'Each sender has one message on its way, in a room of its own; one socket listens in all rooms, and every message has to arrive there. ' +
  'The floor: node:http, one stream, a publisher of a few lines, ws; no framework, no membership, no read models.';

const many: Shape = { senders: 64, sync: 'off' };
const synced: Shape = { senders: 64, sync: 'always' };
const one: Shape = { senders: 1, sync: 'off' };

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'sends-http',
    sentence: `Accepted sends a second over HTTP, 64 senders, sync off on both sides, everything on the box. ${HOW}`,
    figure: 'sends/s',
    better: 'higher',
    goals: ['>= 0.5 of floor'],
    subjects: [
      splitSubject('parley', 'http', many),
      floorSubject('floor', many, 1),
      floorSubject('floor, 2 processes', many, 2),
      standaloneSubject('parley standalone', 'http', many),
    ],
  },
  {
    name: 'sends-socket',
    sentence: `Accepted sends a second over sockets, 64 senders, sync off on both sides, everything on the box. ${HOW}`,
    figure: 'sends/s',
    better: 'higher',
    goals: ['>= 0.7 of floor'],
    subjects: [
      splitSubject('parley', 'socket', many),
      floorSubject('floor', many, 1),
      standaloneSubject('parley standalone', 'socket', many),
    ],
  },
  {
    name: 'sends-synced',
    sentence: `Accepted sends a second over sockets, 64 senders, every append synced to disk (the default), four partitions. ${HOW}`,
    figure: 'sends/s',
    better: 'higher',
    goals: ['>= 2 x floor'],
    subjects: [splitSubject('parley', 'socket', synced), floorSubject('floor', synced, 1)],
  },
  {
    name: 'one-sender',
    sentence: `One sender at rest: HTTP answer, and arrival at another's socket. Sync off. ${HOW}`,
    figure: 'answer p50 ms',
    better: 'lower',
    goals: ['<= 2.5 x floor', 'arrival p50 ms <= 3 x floor'],
    subjects: [
      splitSubject('parley', 'http', one),
      floorSubject('floor', one, 1),
      floorSubject('floor, 2 processes', one, 2),
      standaloneSubject('parley standalone', 'http', one),
    ],
  },
];
