/** The platform as the nemesis has it in hand: every process by its name, routes, lines, disks and clients. */
import { connect } from '@nats-io/transport-node';
import { join } from 'node:path';
import { childrenOf, natsOptions, waitUntil, type Child, type NatsCluster, type Platform, type Relay } from '#embedded';
import type { Crowd } from '../crowd/crowd.js';
import type { Person } from '../crowd/people.js';
import { Random } from '../random.js';
import { compete, slowingBy, throttle, type SmallDisks } from './disks.js';
import type { Heal } from './faults.js';
import { closeDatabase, fillStreams } from './quotas.js';
import { BROKERS, POSTGRES } from './world.js';

/** A supervisor starts what has ended again and again; a part that it needs may be away itself. */
const REVIVED_WITHIN_MS = 150_000;
const HEALTHY_WITHIN_MS = 60_000;
/** How long a node that had no room may take to say that it is well before it is restarted. */
const RECOVERS_WITHIN_MS = 4_000;
const STEP_DOWN_MS = 800;
export const PARTITIONS = 4;

export class Arena {
  readonly #children: ReadonlyMap<string, Child>;
  /** Whom a fault may have ended by itself: a server without disk. */
  readonly #mayEnd = new Set<string>();
  /** Ends of servers that nobody asked for. */
  readonly unexpected: string[] = [];
  /** What had to be done by hand, for the report. */
  readonly notes: string[] = [];

  constructor(
    readonly platform: Platform,
    readonly crowd: Crowd,
    private readonly disks: SmallDisks,
  ) {
    const brokers = this.cluster.nodes.map((node, at) => [BROKERS[at] ?? '', node] as const);
    this.#children = new Map<string, Child>([...platform.services, ...brokers, [POSTGRES, platform.postgres]]);
    for (const [name, child] of [...brokers, [POSTGRES, platform.postgres] as const])
      child.onExit((how) => {
        if (!this.#mayEnd.has(name)) this.unexpected.push(`${name} ended by itself (${how})`);
      });
  }

  get cluster(): NatsCluster {
    return this.platform.nats as NatsCluster;
  }

  async each(victims: readonly string[], work: (child: Child) => Promise<void>): Promise<void> {
    await Promise.all(victims.map((victim) => work(this.#child(victim))));
  }

  /** As a supervisor does: ends it in order if it runs, and starts it, until it stays. */
  async revive(child: Child): Promise<void> {
    const giveUpAt = Date.now() + REVIVED_WITHIN_MS;
    for (;;) {
      try {
        return await child.restart();
      } catch (error) {
        if (Date.now() > giveUpAt) throw error;
        this.notes.push(`${child.title} had to be started again: ${String(error).slice(0, 200)}`);
      }
    }
  }

  /** The routes between a node and the others. */
  routesOf(node: string): [number, number][] {
    const one = (BROKERS as readonly string[]).indexOf(node);
    return [0, 1, 2].filter((other) => other !== one).map((other) => [one, other]);
  }

  lineOf(service: string, to: string | undefined): readonly Relay[] {
    const line = this.platform.lines.get(service);
    if (!line) throw new Error(`${service} has no relays`);
    return to === 'NATS' ? line.nats : [line.postgres];
  }

  someClients(draw: string, share: number): Person['client'][] {
    const random = new Random(draw);
    return this.crowd.people.filter(() => random.chance(share)).map(({ client }) => client);
  }

  async stepDown(times: number): Promise<void> {
    const nats = await connect({ ...natsOptions(this.platform.natsUrls()), maxReconnectAttempts: -1 });
    try {
      const streams = Array.from({ length: PARTITIONS }, (_, partition) => `STREAM.LEADER.STEPDOWN.CHAT_${partition}`);
      for (let time = 0; time < times; time += 1) {
        const subjects = [...streams, 'META.LEADER.STEPDOWN'].map((name) => `$JS.API.${name}`);
        // Whoever has no leader at the moment does not answer.
        await Promise.allSettled(subjects.map((subject) => nats.request(subject, '', { timeout: 2_000 })));
        await pause(STEP_DOWN_MS);
      }
    } finally {
      await nats.close();
    }
  }

  async fillDisk(owner: string): Promise<Heal> {
    if (!this.disks.has(owner)) return this.#reachQuota(owner);
    this.#mayEnd.add(owner);
    this.disks.fill(owner);
    return async () => {
      this.disks.empty(owner);
      await this.#recover(owner);
      this.#mayEnd.delete(owner);
    };
  }

  async #reachQuota(owner: string): Promise<Heal> {
    if (owner === POSTGRES) return closeDatabase(this.platform.databaseUrl);
    const nats = await connect({ ...natsOptions(this.platform.natsUrls()), maxReconnectAttempts: -1 });
    const heal = await fillStreams(nats, PARTITIONS);
    return () => heal().finally(() => nats.close());
  }

  async slowDisk(owner: string): Promise<Heal> {
    const { pid } = this.#child(owner);
    const folder = join(this.platform.folder, owner);
    const end =
      slowingBy() === 'blkio'
        ? throttle([pid, ...childrenOf(pid).map((child) => child.pid)], folder)
        : compete(this.platform.folder);
    return async () => end();
  }

  /** nats-server gives up JetStream for good when its disk is full, and PostgreSQL ends: an operator restarts them. */
  async #recover(owner: string): Promise<void> {
    const child = this.#child(owner);
    const isWell = (): Promise<boolean> => this.#isWell(owner);
    const recovered = await waitUntil('it recovers by itself', RECOVERS_WITHIN_MS, isWell).catch(() => false);
    if (recovered) return;
    this.notes.push(`${owner} was restarted after its disk had been full`);
    await this.revive(child);
  }

  async #isWell(owner: string): Promise<boolean> {
    if (owner === POSTGRES)
      return this.platform.postgres.createDatabase('parley').then(
        () => true,
        () => false,
      );
    const node = this.cluster.nodes[(BROKERS as readonly string[]).indexOf(owner)];
    const answer = await fetch(`${node?.monitorUrl}/healthz`).catch(() => undefined);
    return answer?.status === 200;
  }

  /** All three nodes are up and in touch with each other. */
  async healthy(): Promise<void> {
    await waitUntil('the cluster is healthy', HEALTHY_WITHIN_MS * 2, () =>
      this.cluster.healthy().then(
        () => true,
        () => false,
      ),
    );
  }

  #child(name: string): Child {
    const child = this.#children.get(name);
    if (!child) throw new Error(`there is no process ${name}`);
    return child;
  }
}

/** The schedule's clock: it waits for a time as for any other condition. */
export async function pause(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await waitUntil('the time has come', ms + HEALTHY_WITHIN_MS, () => performance.now() >= until);
}
