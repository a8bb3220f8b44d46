import { JetStreamApiError, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, NoRespondersError, TimeoutError } from '@nats-io/transport-node';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { get } from './http-get.js';
import { startNatsServer, type NatsServer } from './nats-server.js';
import { freePort } from './ports.js';
import { startRelay, type Delay, type Relay } from './relay.js';
import { waitUntil } from './wait-until.js';

export interface NatsCluster {
  /** Comma-separated, as NATS_URL takes it. */
  readonly url: string;
  readonly nodes: readonly NatsServer[];
  /** Cuts all routes between two nodes (their indexes); needs `cuttable`. Each still reaches the others. */
  cut(one: number, other: number): void;
  /** Nothing comes through between them any more, and nobody is told: with `one-way`, only what `one` says is lost. */
  drop(one: number, other: number, how?: 'one-way'): void;
  /** What they say to each other takes longer. */
  delay(one: number, other: number, delay: Delay): void;
  /** Ends all of these. */
  heal(one: number, other: number): void;
  /** Resolves with the node that leads the meta group, once one does and every running node agrees. */
  leader(): Promise<NatsServer>;
  /** Resolves once every node is up, in touch with the leader, and has caught up with its streams. */
  healthy(): Promise<void>;
  stop(): Promise<void>;
}

export interface NatsClusterOptions {
  /** A folder for each node is made in it, and a log beside it. */
  dir: string;
  size?: 3;
  sync?: string;
  configExtra?: string;
  /** Variables that `configExtra` names. */
  env?: Readonly<Record<string, string>>;
  /** Puts a relay into every route, so that it can be cut. */
  cuttable?: boolean;
  /** Of a user that may make and delete streams, when `configExtra` asks for one. */
  credentials?: { user: string; pass: string };
}

/** What a cluster answers, or does not, while it has no leader or misses a peer. */
const NOT_YET = [JetStreamApiError, NoRespondersError, TimeoutError];
const WITHIN_MS = 60_000;

/** Three servers in one cluster on fixed ports, so that each can be killed and started again; resolves when all are healthy. */
export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const ports = await distinctPorts(options.size ?? 3);
  const relays = options.cuttable ? await relaysBetween(ports) : new Map<string, Relay>();
  const started = await Promise.allSettled(ports.map((_, node) => startNode(options, ports, relays, node)));
  const nodes = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const cluster = new Cluster(nodes, relays, options.credentials);
  try {
    const failure = started.find((outcome) => outcome.status === 'rejected');
    if (failure) throw failure.reason;
    await cluster.healthy();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

function startNode(
  options: NatsClusterOptions,
  ports: readonly number[],
  relays: ReadonlyMap<string, Relay>,
  node: number,
): Promise<NatsServer> {
  const others = [...ports.keys()].filter((other) => other !== node);
  return startNatsServer({
    storeDir: join(options.dir, `node-${node}`),
    name: `node-${node}`,
    logFile: join(options.dir, `node-${node}.log`),
    cluster: {
      name: 'parley',
      port: ports[node] ?? 0,
      routes: others.map((other) => `nats://127.0.0.1:${relays.get(`${node}>${other}`)?.port ?? ports[other]}`),
      // Nodes tell each other where the others are: a dead address keeps them from finding a way around a cut.
      ...(options.cuttable && { advertise: DEAD_ADDRESS }),
    },
    ...(options.sync !== undefined && { sync: options.sync }),
    ...(options.configExtra !== undefined && { configExtra: options.configExtra }),
    ...(options.env !== undefined && { env: options.env }),
  });
}

const DEAD_ADDRESS = '127.0.0.1:1';

class Cluster implements NatsCluster {
  constructor(
    readonly nodes: readonly NatsServer[],
    private readonly relays: ReadonlyMap<string, Relay>,
    private readonly credentials: { user: string; pass: string } | undefined,
  ) {}

  get url(): string {
    return this.nodes.map((node) => node.url).join(',');
  }

  cut(one: number, other: number): void {
    this.#between(one, other).forEach((relay) => relay.cut());
  }

  drop(one: number, other: number, how?: 'one-way'): void {
    const [fromOne, fromOther] = this.#between(one, other);
    fromOne.drop(how && 'there');
    fromOther.drop(how && 'back');
  }

  delay(one: number, other: number, delay: Delay): void {
    this.#between(one, other).forEach((relay) => relay.delay(delay));
  }

  heal(one: number, other: number): void {
    this.#between(one, other).forEach((relay) => relay.heal());
  }

  leader(): Promise<NatsServer> {
    return waitUntil('the cluster has one leader', WITHIN_MS, async () => {
      const views = await Promise.all(this.nodes.map(metaGroup));
      const names = new Set(views.flatMap((view) => (view ? [view.leader] : [])));
      return names.size === 1 ? this.nodes.find((_, index) => names.has(`node-${index}`)) : undefined;
    });
  }

  async healthy(): Promise<void> {
    await waitUntil('every node of the cluster is healthy', WITHIN_MS, async () => {
      const answers = await Promise.all(this.nodes.map((node) => get(`${node.monitorUrl}/healthz`)));
      return answers.every((answer) => answer?.status === 200) && (await this.#placesReplicas());
    });
  }

  /**
   * Nodes that are healthy by every page of theirs may still be "offline" to the leader, which then refuses a stream with three
   * replicas. No page shows that; only a stream does.
   */
  async #placesReplicas(): Promise<boolean> {
    const leader = await this.leader();
    const connection = await connect({ servers: leader.url, reconnect: false, ...this.credentials });
    try {
      const { streams } = await jetstreamManager(connection, { checkAPI: false });
      const name = `PROBE_${randomUUID()}`;
      await streams.add({ name, subjects: [name], storage: StorageType.Memory, num_replicas: this.nodes.length });
      return await streams.delete(name);
    } catch (error) {
      if (NOT_YET.some((kind) => error instanceof kind)) return false;
      throw error;
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all([...this.relays.values()].map((relay) => relay.stop()));
  }

  /** The routes that `one` has opened, and those that `other` has. */
  #between(one: number, other: number): [Relay, Relay] {
    const opened = (from: number, to: number): Relay => {
      const relay = this.relays.get(`${from}>${to}`);
      if (!relay) throw new Error('these routes cannot be cut: start the cluster with cuttable: true');
      return relay;
    };
    return [opened(one, other), opened(other, one)];
  }
}

interface MetaGroup {
  leader?: string;
}

/** How a node sees the group that places streams; undefined while it does not answer. */
async function metaGroup(node: NatsServer): Promise<MetaGroup | undefined> {
  const page = await get(`${node.monitorUrl}/jsz`);
  return page && (JSON.parse(page.body) as { meta_cluster?: MetaGroup }).meta_cluster;
}

async function relaysBetween(ports: readonly number[]): Promise<Map<string, Relay>> {
  const relays = new Map<string, Relay>();
  for (const from of ports.keys()) {
    for (const [to, port] of ports.entries()) {
      if (from !== to) relays.set(`${from}>${to}`, await startRelay(port));
    }
  }
  return relays;
}

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
