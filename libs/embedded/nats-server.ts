import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { requireDisk } from './disk.js';
import { environment, inheritedEnvironment } from './environment.js';
import { HeldProcess, type Child } from './held-process.js';
import { get } from './http-get.js';
import { natsServerBinary } from './nats-binary.js';
import { claimFolder } from './owner-lock.js';
import { freePort } from './ports.js';
import { waitUntil } from './wait-until.js';

export interface NatsServer extends Child {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly storeDir: string;
  /** The server's monitoring pages (`/healthz`, `/jsz`, `/varz`, ...), loopback only. */
  readonly monitorUrl: string;
  /** What it has written since its last start, at most 256 KiB. */
  readonly log: string;
}

export interface NatsServerOptions {
  /** JetStream's files, the server's configuration and `owner.json`; made when missing. */
  storeDir: string;
  /** Free ones by default. They stay the same over `restart`. */
  port?: number;
  monitorPort?: number;
  /** `always` (an acknowledgement means "on disk"), `off` (the server's default of two minutes) or an interval such as `10ms`. Default: PARLEY_SYNC, else `always`. */
  sync?: string;
  name?: string;
  logFile?: string;
  /** Further lines of nats-server configuration: users, permissions, limits. They win over ours. */
  configExtra?: string;
  /** Variables that `configExtra` names. */
  env?: Readonly<Record<string, string>>;
  cluster?: ClusterOptions;
}

export interface ClusterOptions {
  name: string;
  /** Where the other nodes connect to. */
  port: number;
  /** URLs of the others. */
  routes: readonly string[];
  /** Where other nodes are told to find this one. */
  advertise?: string;
}

const START_ATTEMPTS_MAX = 5;
/** Recovery reads every block of every stream, so a large log may take its time. */
const READY_WITHIN_MS = 120_000;
const GRACE_SECONDS = 10;

/** Starts one server with JetStream; resolves when it takes connections and JetStream answers. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const storeDir = resolve(options.storeDir);
  const sync = syncInterval(options.sync ?? environment().PARLEY_SYNC ?? 'always');
  const binary = await natsServerBinary();
  const lock = await claimFolder(storeDir, 'nats-server');
  try {
    requireDisk(storeDir);
    for (let attempt = 1; ; attempt += 1) {
      const port = options.port ?? (await freePort());
      const monitorPort = options.monitorPort ?? (await freePort());
      const server = new NatsProcess(binary, { ...options, storeDir, port, monitorPort }, sync, lock);
      try {
        await server.start();
        return server;
      } catch (error) {
        const mayRetry = options.port === undefined && attempt < START_ATTEMPTS_MAX;
        if (!mayRetry || !(error instanceof Error) || !error.message.includes(PORT_TAKEN)) throw error;
      }
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}

const PORT_TAKEN = 'address already in use';

class NatsProcess extends HeldProcess implements NatsServer {
  readonly url: string;
  readonly monitorUrl: string;
  readonly port: number;
  readonly storeDir: string;

  constructor(
    binary: string,
    options: NatsServerOptions & { port: number; monitorPort: number },
    sync: string | undefined,
    lock: Awaited<ReturnType<typeof claimFolder>>,
  ) {
    const monitorUrl = `http://127.0.0.1:${options.monitorPort}`;
    super(options.name ? `nats-server ${options.name}` : 'nats-server', {
      launch: () => ({
        title: 'nats-server',
        command: binary,
        args: ['-c', writeConfiguration(options, sync)],
        env: { ...inheritedEnvironment(), ...options.env },
        cwd: options.storeDir,
        ...(options.logFile !== undefined && { logFile: options.logFile }),
        stopSignal: 'SIGTERM',
        graceSeconds: GRACE_SECONDS,
        lock,
      }),
      ready: (_run, over) => untilReady(monitorUrl, options.cluster !== undefined, over),
      explain: reasonInLog,
      lock,
    });
    this.url = `nats://127.0.0.1:${options.port}`;
    this.monitorUrl = monitorUrl;
    this.port = options.port;
    this.storeDir = options.storeDir;
  }
}

function writeConfiguration(
  options: NatsServerOptions & { port: number; monitorPort: number },
  sync: string | undefined,
): string {
  const file = join(options.storeDir, 'nats-server.conf');
  const { cluster } = options;
  const lines = [
    `server_name: ${JSON.stringify(options.name ?? `parley-${options.port}`)}`,
    `listen: "127.0.0.1:${options.port}"`,
    `http: "127.0.0.1:${options.monitorPort}"`,
    `max_payload: 1MB`,
    `jetstream { store_dir: ${JSON.stringify(options.storeDir)}${sync ? `, sync_interval: ${sync}` : ''} }`,
    ...(cluster ? [clusterBlock(cluster)] : []),
    options.configExtra ?? '',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** `no_advertise` keeps clients to the addresses that they were given. */
function clusterBlock({ name, port, routes, advertise }: ClusterOptions): string {
  const others = routes.map((route) => JSON.stringify(route)).join(', ');
  const told = advertise ? `, advertise: "${advertise}"` : '';
  return `cluster { name: ${name}, listen: "127.0.0.1:${port}", no_advertise: true, routes: [${others}]${told} }`;
}

/**
 * The monitoring port opens early; `/healthz` says ok once clients are served and JetStream has recovered its streams. A node of a
 * cluster is asked about itself alone: it may be the first of three that comes back, and there is no leader before the second.
 */
async function untilReady(monitorUrl: string, isNode: boolean, over: AbortSignal): Promise<void> {
  const page = `${monitorUrl}/healthz${isNode ? '?js-server-only=true' : ''}`;
  const healthy = async (): Promise<boolean> => (await get(page))?.status === 200;
  await waitUntil('nats-server is healthy', READY_WITHIN_MS, healthy, over);
}

function syncInterval(chosen: string): string | undefined {
  if (chosen === 'off') return undefined;
  if (chosen === 'always' || /^[1-9]\d*(ms|s|m)$/.test(chosen)) return chosen;
  throw new Error(`PARLEY_SYNC is "${chosen}": use always, off or an interval such as 10ms`);
}

function reasonInLog(log: string): string | undefined {
  const fatal = log.split('\n').filter((line) => /\[FTL\]|^nats-server: /.test(line));
  return fatal.at(-1)?.replace(/^.*\[FTL\]\s*/, '');
}
