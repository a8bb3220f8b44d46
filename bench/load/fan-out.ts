/** A server with rooms, and a load of its own for it: what the fan-out rows are made of. */
import { join } from 'node:path';
import type { Figures, Started } from '../benchmark.js';
import { PARTITIONS } from '../parley.js';
import { Program } from '../program.js';
import type { Kind, Seat } from './entrances.js';
import type { LoopOptions, LoopResult } from './fan-out-load.js';
import type { Means, SourceOptions } from './sources.js';

export const LOAD = join(import.meta.dirname, 'fan-out-load.ts');
const PEERS = join(import.meta.dirname, '..', 'peers');

const SECONDS = 3;
const SECONDS_QUICK = 0.5;
const CONTENT_BYTES = 110;

export interface Shape {
  readonly rooms: number;
  readonly socketsEach: number;
  /** Messages on their way in each room. */
  readonly outstanding: number;
  /** Between a message's last delivery and the next one: 0 for a saturated server. */
  readonly restMs: number;
  readonly means: Means;
  /** Of a message's text; by default what makes a stored event of 200 bytes. */
  readonly contentBytes?: number;
  /** The load never sleeps. */
  readonly isAwake?: boolean;
}

/** What is measured, with the places that the load's sockets take. */
export interface Server {
  /** Besides the broker and the load. */
  readonly processes: Readonly<Record<string, number>>;
  readonly worker: string;
  readonly seats: readonly Seat[];
  stop(): Promise<void>;
}

export interface Broker {
  readonly natsUrls: readonly string[];
  readonly pid: number;
}

/** Opens all sockets. Whatever fails, the server ends. */
export async function underLoad(server: Server, broker: Broker, shape: Shape): Promise<Started> {
  const load = await Program.start(LOAD);
  const stop = async (): Promise<void> => {
    await load.stop();
    await server.stop();
  };
  try {
    await load.call('source', sourceOf(broker, shape));
    await load.call('enter', server.seats);
  } catch (error) {
    await stop();
    throw error;
  }
  const run = (quick: boolean): Promise<LoopResult> => {
    const { outstanding, restMs, isAwake } = shape;
    const seconds = quick ? SECONDS_QUICK : SECONDS;
    return load.call('run', { outstanding, restMs, seconds, ...(isAwake && { isAwake }) } satisfies LoopOptions);
  };
  return {
    processes: () => ({ ...server.processes, nats: broker.pid, load: load.pid }),
    worker: server.worker,
    warm: async ({ quick }) => void (await run(quick)),
    measure: async ({ quick }): Promise<Figures> => {
      const { deliveries, seconds, p50Ms, p99Ms, framesPerRead } = await run(quick);
      const rate = deliveries / seconds;
      return { 'deliveries/s': rate, 'p50 ms': p50Ms, 'p99 ms': p99Ms, 'frames/read': framesPerRead };
    },
    stop,
  };
}

const sourceOf = ({ natsUrls }: Broker, { means, contentBytes = CONTENT_BYTES }: Shape): SourceOptions => ({
  natsUrls,
  partitions: PARTITIONS,
  means,
  contentBytes,
  actor: 'somebody',
});

/** `ws` with the frames of a tick joined, and nothing else. */
export async function bareServer(
  natsUrls: readonly string[],
  shape: Shape,
  flags: readonly string[] = [],
): Promise<Server> {
  const roomIds = roomsOf(`bare${shape.contentBytes ?? ''}${shape.isAwake ? 'awake' : ''}`, shape);
  const server = await Program.start(join(PEERS, 'bare-ws.ts'), flags);
  const port = await server.call<number>('listen', { natsUrls, roomIds });
  const seats = seatsAt('bare', [port], roomIds, shape, (room) => `/?room=${room}`);
  return { processes: { server: server.pid }, worker: 'server', seats, stop: () => server.stop() };
}

/** One node; or two, half of the sockets on each, with the adapter between them. */
export async function socketIoServer(
  natsUrls: readonly string[],
  shape: Shape,
  redisUrl?: string,
  flags: readonly string[] = [],
): Promise<Server> {
  const roomIds = roomsOf(redisUrl === undefined ? 'sio' : 'siored', shape);
  const nodes = [await Program.start(join(PEERS, 'socket-io.ts'), flags)];
  if (redisUrl !== undefined) nodes.push(await Program.start(join(PEERS, 'socket-io.ts')));
  const ports = await Promise.all(
    nodes.map((node, i) =>
      // Each node takes its share of the rooms from the broker; what the others take comes by the adapter.
      node.call<number>('listen', {
        natsUrls,
        roomIds: roomIds.filter((_, room) => room % nodes.length === i),
        redisUrl,
      }),
    ),
  );
  const path = (room: string): string => `/socket.io/?EIO=4&transport=websocket&room=${room}`;
  const names = nodes.length === 1 ? ['server'] : ['server A', 'server B'];
  return {
    processes: Object.fromEntries(nodes.map(({ pid }, i) => [names[i] ?? '', pid])),
    worker: names[0] ?? '',
    seats: seatsAt('socket.io', ports, roomIds, shape, path),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

const roomsOf = (prefix: string, { rooms }: Shape): string[] =>
  Array.from({ length: rooms }, (_, i) => `${prefix}-${i}`);

/** Of each room spread over the ports in turn. */
const seatsAt = (
  kind: Kind,
  ports: readonly number[],
  roomIds: readonly string[],
  { socketsEach }: Shape,
  path: (room: string) => string,
): Seat[] =>
  roomIds.flatMap((room) =>
    Array.from({ length: socketsEach }, (_, i) => ({
      kind,
      room,
      door: { host: '127.0.0.1', port: ports[i % ports.length] ?? 0, path: path(room), headers: {} },
    })),
  );
