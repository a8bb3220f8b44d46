/** Parley for a benchmark: its services as processes, one of each unless said otherwise, with rooms and members in it. */
import { connect } from '@nats-io/transport-node';
import { SUBPROTOCOL } from '#contract';
import { natsOptions, startPlatform, type Platform, type PlatformOptions } from '#embedded';
import { CommandBus } from '#service';
import type { Broker } from './load/fan-out.js';
import type { Seat } from './load/entrances.js';
import type { Stage } from './stage.js';
import { SECRET, tokenFor } from './tokens.js';

/** As `PARTITIONS` says by default. */
export const PARTITIONS = 4;
const COMMANDS_AT_ONCE = 64;
const ONE_EACH = { commands: 1, projection: 1, gateway: 1, api: 1 } as const;

/** Started once a stage and name. Rate limits are off; everything else is as in production, but for what is given. */
export function parley(stage: Stage, options: PlatformOptions = {}, name = 'parley'): Promise<Platform> {
  return stage.once(name, async () => {
    stage.say('  starting the platform');
    const own = { JWT_SECRET: SECRET, RATE_LIMITS: 'off', LOG_LEVEL: 'error', ...stage.profiling() };
    const env = { ...own, ...options.env };
    const platform = await startPlatform({ replicas: ONE_EACH, folder: `${stage.folder}/${name}`, ...options, env });
    for (const { pid } of platform.services.values()) stage.profile(pid);
    return platform;
  });
}

/** Of one service: its first process. */
export function pidOf(platform: Platform, name: string): number {
  const service = platform.services.get(name);
  if (service === undefined) throw new Error(`there is no ${name}`);
  return service.pid;
}

/** All of a platform, by name: its services, its one broker, its database. */
export function processesOf(platform: Platform): Record<string, number> {
  const services = [...platform.services].map(([name, { pid }]) => [name, pid] as const);
  return { ...Object.fromEntries(services), nats: brokerOf(platform).pid, postgres: platform.postgres.pid };
}

/** Of a platform with one broker. */
export function brokerOf(platform: Platform): Broker {
  if (!('pid' in platform.nats)) throw new Error('this is a cluster');
  return { natsUrls: platform.natsUrls(), pid: platform.nats.pid };
}

/** A socket for each member, all on the first gateway. */
export function seatsOf(platform: Platform, { ids, members }: Rooms): Seat[] {
  const url = new URL(platform.sockets[0] ?? '');
  const door = { host: url.hostname, port: Number(url.port), path: url.pathname };
  return ids.flatMap((room, i) =>
    (members[i] ?? []).map((user) => {
      const headers = { Authorization: `Bearer ${tokenFor(user)}`, 'Sec-WebSocket-Protocol': SUBPROTOCOL };
      return { kind: 'parley', room, door: { ...door, headers } };
    }),
  );
}

export interface Rooms {
  readonly ids: readonly string[];
  /** Of each room, in the order of `ids`. */
  readonly members: readonly (readonly string[])[];
}

/** Rooms with members, made by commands as users make them. No user is in two of them. */
export async function makeRooms(
  platform: Platform,
  prefix: string,
  rooms: number,
  membersEach: number,
): Promise<Rooms> {
  const ids = Array.from({ length: rooms }, (_, i) => `${prefix}-${i}`);
  const members = ids.map((id) => Array.from({ length: membersEach }, (_, i) => `${id}-${i}`));
  await withCommands(platform, async (bus) => {
    await inTurns(ids, (roomId) =>
      bus.run('CreateRoom', { userId: `${roomId}-owner` }, { roomId, name: roomId, maxMembers: membersEach + 1 }),
    );
    const joins = ids.flatMap((roomId, i) => (members[i] ?? []).map((userId) => ({ roomId, userId })));
    await inTurns(joins, ({ roomId, userId }) => bus.run('JoinRoom', { userId }, { roomId }));
  });
  return { ids, members };
}

export async function withCommands<T>(platform: Platform, work: (bus: CommandBus) => Promise<T>): Promise<T> {
  const nats = await connect({ ...natsOptions(platform.natsUrls()), name: 'bench' });
  try {
    return await work(new CommandBus(nats));
  } finally {
    await nats.close();
  }
}

/** Some at a time: the broker takes a limited number of batches. */
async function inTurns<T>(all: readonly T[], run: (each: T) => Promise<unknown>): Promise<void> {
  const rest = all[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await run(next.value);
  };
  await Promise.all(Array.from({ length: COMMANDS_AT_ONCE }, lane));
}
