/** What the nemesis can do. Each fault draws its victims from the world, and is inflicted in the arena; what it gives back ends it. */
import type { Random } from '../random.js';
import type { Arena } from './arena.js';
import { BROKERS, POSTGRES, type World } from './world.js';

export interface Draft {
  /** Processes, or `routes`, `clients`: no two faults share one. */
  readonly victims: readonly string[];
  readonly holdMs: number;
  /** What else was drawn. */
  readonly how?: string;
}

export type Heal = () => Promise<void>;

interface Fault {
  /** How it is made, for `--list` and docs/CHAOS.md. */
  readonly how: string;
  /** A broker, a way to one, or a gateway that goes on afterwards is broken: what was stored may not be passed on. */
  readonly losesCopies: boolean;
  /** Undefined where the world has nothing of the kind. */
  draw(random: Random, world: World): Draft | undefined;
  inflict(arena: Arena, draft: Draft): Promise<Heal>;
}

const ROUTES = 'routes';
const CLIENTS = 'clients';
const LEADERS = 'leaders';

const seconds = (random: Random, from: number, to: number): number => random.between(from * 1_000, to * 1_000);
/** Shorter than any heartbeat or lease, or longer than those that matter. */
const shortOrLong = (random: Random, from: number, to: number): number =>
  random.chance(0.5) ? seconds(random, 0.3, 3) : seconds(random, from, to);
const done: Heal = async () => undefined;

type Draw = Fault['draw'];

const service =
  (hold: (random: Random) => number): Draw =>
  (random, { services }) => ({ victims: [random.pick(services)], holdMs: hold(random) });
const broker =
  (hold: (random: Random) => number): Draw =>
  (random) => ({ victims: [random.pick(BROKERS)], holdMs: hold(random) });
const postgres =
  (hold: (random: Random) => number): Draw =>
  (random) => ({ victims: [POSTGRES], holdMs: hold(random) });
const atOnce = (): number => 0;

const kill: Fault['inflict'] = async (arena, { victims }) => {
  await arena.each(victims, (child) => child.kill());
  return () => arena.each(victims, (child) => arena.revive(child));
};

const freeze: Fault['inflict'] = async (arena, { victims }) => {
  await arena.each(victims, async (child) => child.pause());
  return () => arena.each(victims, async (child) => child.resume());
};

const restart: Fault['inflict'] = async (arena, { victims }) => {
  await arena.each(victims, (child) => arena.revive(child));
  return done;
};

const WAYS_TO_DROP = ['both ways', 'it is not heard', 'it hears nothing'] as const;

const routes =
  (hold: (random: Random) => number, ways: readonly string[]): Draw =>
  (random) => ({ victims: [ROUTES, random.pick(BROKERS)], holdMs: hold(random), how: random.pick(ways) });

const line =
  (hold: (random: Random) => number): Draw =>
  (random, { relayed }) =>
    relayed.length === 0
      ? undefined
      : { victims: [random.pick(relayed)], holdMs: hold(random), how: random.pick(['NATS', 'PostgreSQL']) };

const disk = (hold: (random: Random) => number, of: readonly string[], isSmall: boolean): Draw => {
  return (random, { smallDisks }) => {
    const fitting = of.filter((owner) => smallDisks.includes(owner) === isSmall);
    return fitting.length === 0 ? undefined : { victims: [random.pick(fitting)], holdMs: hold(random) };
  };
};

const people =
  (from: number, to: number): Draw =>
  (random) => ({ victims: [CLIENTS], holdMs: seconds(random, from, to), how: String(random.below(2 ** 31)) });

/** Everybody draws from the blow's own number, so that the same people are hit again. */
const SHARE = 0.4;

export const FAULTS = {
  'kill-service': {
    losesCopies: false,
    how: 'SIGKILL; started again after a while',
    draw: service((random) => seconds(random, 0.2, 6)),
    inflict: kill,
  },
  'kill-broker': {
    losesCopies: true,
    how: 'SIGKILL of one nats-server of three; started again after a while',
    draw: broker((random) => seconds(random, 0.2, 10)),
    inflict: kill,
  },
  'kill-postgres': {
    losesCopies: false,
    how: 'SIGKILL of the postmaster, and of the backends that outlive it; started again after a while',
    draw: postgres((random) => seconds(random, 0.2, 8)),
    inflict: kill,
  },
  'freeze-service': {
    losesCopies: true,
    how: 'SIGSTOP, SIGCONT; shorter than a heartbeat, or longer than the lease of a leading projection (10 s) and of presence',
    draw: service((random) => shortOrLong(random, 12, 24)),
    inflict: freeze,
  },
  'freeze-broker': {
    losesCopies: true,
    how: 'SIGSTOP, SIGCONT; shorter, or longer than an election takes to begin (4 to 9 s)',
    draw: broker((random) => shortOrLong(random, 11, 20)),
    inflict: freeze,
  },
  'freeze-postgres': {
    losesCopies: false,
    how: 'SIGSTOP of the postmaster and its backends, SIGCONT',
    draw: postgres((random) => shortOrLong(random, 11, 16)),
    inflict: freeze,
  },
  'restart-service': {
    losesCopies: false,
    how: 'SIGTERM, which drains; started again at once',
    draw: service(atOnce),
    inflict: restart,
  },
  'restart-broker': {
    losesCopies: true,
    how: 'SIGTERM; started again at once',
    draw: broker(atOnce),
    inflict: restart,
  },
  'restart-postgres': {
    losesCopies: false,
    how: 'SIGINT, its fast shutdown; started again at once',
    draw: postgres(atOnce),
    inflict: restart,
  },
  'roll-services': {
    losesCopies: false,
    how: 'restart of every service, one after the other, in a drawn order',
    draw: (random, { services }) => ({ victims: random.shuffle(services), holdMs: 0 }),
    inflict: async (arena, { victims }) => {
      for (const victim of victims) await arena.each([victim], (child) => arena.revive(child));
      return done;
    },
  },
  'step-down': {
    losesCopies: true,
    how: 'step-down of the leader of every stream of the log, and of the meta group, several times',
    draw: (random) => ({ victims: [LEADERS], holdMs: 0, how: `${random.between(1, 5)} times` }),
    inflict: async (arena, { how = '1' }) => {
      await arena.stepDown(Number.parseInt(how, 10));
      return done;
    },
  },
  'cut-broker': {
    losesCopies: true,
    how: 'the routes of one node are reset and refused by relays: the others go on without it',
    draw: routes((random) => seconds(random, 3, 20), ['cut']),
    inflict: async (arena, { victims: [, node = ''] }) => {
      const others = arena.routesOf(node);
      others.forEach(([one, other]) => arena.cluster.cut(one, other));
      return async () => others.forEach(([one, other]) => arena.cluster.heal(one, other));
    },
  },
  'drop-broker': {
    losesCopies: true,
    how: 'the routes of one node are black holes: nothing is closed, and nothing comes through, both ways or one way',
    draw: routes((random) => seconds(random, 4, 24), WAYS_TO_DROP),
    inflict: async (arena, { victims: [, node = ''], how }) => {
      const others = arena.routesOf(node);
      for (const [one, other] of others) {
        if (how === 'both ways') arena.cluster.drop(one, other);
        else if (how === 'it is not heard') arena.cluster.drop(one, other, 'one-way');
        else arena.cluster.drop(other, one, 'one-way');
      }
      return async () => others.forEach(([one, other]) => arena.cluster.heal(one, other));
    },
  },
  'slow-routes': {
    losesCopies: true,
    how: 'what one node and the others say to each other takes some time longer, and every piece another time',
    draw: routes((random) => seconds(random, 6, 20), ['20 ms', '80 ms', '250 ms']),
    inflict: async (arena, { victims: [, node = ''], how = '0' }) => {
      const ms = Number.parseInt(how, 10);
      const others = arena.routesOf(node);
      others.forEach(([one, other]) => arena.cluster.delay(one, other, { ms, jitterMs: ms }));
      return async () => others.forEach(([one, other]) => arena.cluster.heal(one, other));
    },
  },
  'cut-line': {
    losesCopies: true,
    how: "a service's connections to its brokers, or to PostgreSQL, are reset and refused by relays",
    draw: line((random) => seconds(random, 1, 16)),
    inflict: async (arena, { victims: [victim = ''], how }) => {
      const relays = arena.lineOf(victim, how);
      relays.forEach((relay) => relay.cut());
      return async () => relays.forEach((relay) => relay.heal());
    },
  },
  'drop-line': {
    losesCopies: true,
    how: "a service's connections to its brokers, or to PostgreSQL, are black holes",
    draw: line((random) => shortOrLong(random, 8, 24)),
    inflict: async (arena, { victims: [victim = ''], how }) => {
      const relays = arena.lineOf(victim, how);
      relays.forEach((relay) => relay.drop());
      return async () => relays.forEach((relay) => relay.heal());
    },
  },
  'full-disk-broker': {
    losesCopies: true,
    how: "a ballast file fills the tmpfs on which one node's store is, and is removed; a node that has given up JetStream is restarted. Without root: the streams' `max_bytes` is set to what they hold",
    draw: disk((random) => seconds(random, 3, 10), BROKERS, true),
    inflict: (arena, { victims: [victim = ''] }) => arena.fillDisk(victim),
  },
  'full-disk-postgres': {
    losesCopies: false,
    how: 'a ballast file fills the tmpfs on which its data is, and is removed; if it has ended, it is started again. Without root: it becomes read-only',
    draw: disk((random) => seconds(random, 3, 10), [POSTGRES], true),
    inflict: (arena, { victims: [victim = ''] }) => arena.fillDisk(victim),
  },
  'slow-disk-broker': {
    losesCopies: true,
    how: 'the synced writes of one node are throttled by the blkio cgroup; where there is none, others compete with them',
    draw: disk((random) => seconds(random, 6, 14), BROKERS, false),
    inflict: (arena, { victims: [victim = ''] }) => arena.slowDisk(victim),
  },
  'slow-disk-postgres': {
    losesCopies: false,
    how: 'the same, of PostgreSQL',
    draw: disk((random) => seconds(random, 6, 14), [POSTGRES], false),
    inflict: (arena, { victims: [victim = ''] }) => arena.slowDisk(victim),
  },
  'vanish-clients': {
    losesCopies: false,
    how: 'two in five clients lose their connection without a close, and come back after a while, to the other gateway',
    draw: people(2, 12),
    inflict: async (arena, { how = '' }) => {
      const gone = arena.someClients(how, SHARE);
      gone.forEach((client) => client.sleep());
      return async () => gone.forEach((client) => client.wake());
    },
  },
  'deaf-clients': {
    losesCopies: false,
    how: 'two in five clients read nothing for a while, and then go on',
    draw: people(3, 12),
    inflict: async (arena, { how = '' }) => {
      const deaf = arena.someClients(how, SHARE);
      deaf.forEach((client) => client.stopReading());
      return async () => deaf.forEach((client) => client.readOn());
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
