/**
 * The platform as processes of its own, as production runs it: NATS on one node or three with the users of deploy/nats, PostgreSQL,
 * two of each service, and the proxy in front. For the cluster runner, the end-to-end suites, chaos and benchmarks.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startNatsCluster, type NatsCluster } from './nats-cluster.js';
import { startNatsServer, type NatsServer } from './nats-server.js';
import { natsUsers, withCredentials, type NatsUser, type NatsUsers } from './nats-users.js';
import { isRoot, temporaryFolder } from './places.js';
import { freePort } from './ports.js';
import { startPostgres, type Postgres } from './postgres.js';
import { startProxy } from './proxy.js';
import { startServiceLine, type ServiceLine } from './service-line.js';
import { startService, type ServiceProcess } from './service-process.js';
import { setUp } from './set-up.js';

export type ServiceApp = 'commands' | 'projection' | 'gateway' | 'api';

type Environment = Readonly<Record<string, string>>;

export interface PlatformOptions {
  /** Brokers; 1 by default. */
  nodes?: 1 | 3;
  /** Processes of each service; 2 by default. */
  replicas?: Partial<Record<ServiceApp, number>>;
  /** For every service: JWT_SECRET, RATE_LIMITS, ... */
  env?: Environment;
  /** By name of the process (`gateway-1`), on top of the others'. */
  envOf?: Readonly<Record<string, Environment>>;
  /** Data and logs, kept; else a temporary folder, removed at the end. */
  folder?: string;
  /** Routes between nodes run through relays, which `nats.cut` cuts. */
  cuttable?: boolean;
  /** Processes whose connections to NATS and PostgreSQL run through relays: `platform.lines`. */
  relayed?: readonly string[];
  /** As PARLEY_SYNC; `always` by default. */
  sync?: string;
  /** Another entry file for a process, by its name: for planted faults. A `.ts` file runs from the sources. */
  mainOf?: Readonly<Record<string, string>>;
  /** A free one by default. */
  proxyPort?: number;
  /** Hears how far the start is. */
  progress?: (text: string) => void;
}

export interface Platform {
  /** The proxy: HTTP, sockets, server-sent events. */
  readonly url: string;
  /** `ws://.../ws`, one a gateway, not by the proxy. */
  readonly sockets: readonly string[];
  /** `host:port`, one a gateway. */
  readonly grpc: readonly string[];
  readonly nats: NatsServer | NatsCluster;
  /** With the credentials of that user, for `natsOptions`; by default of a user for tests, who may do everything. */
  natsUrls(user?: NatsUser): string[];
  readonly postgres: Postgres;
  readonly databaseUrl: string;
  /** `commands-1`, `gateway-2`, ... */
  readonly services: ReadonlyMap<string, ServiceProcess>;
  /** By name of the process, of those in `relayed`. */
  readonly lines: ReadonlyMap<string, ServiceLine>;
  /** Ends of services that nobody asked for, with how they ended. */
  readonly unexpected: readonly string[];
  /** There is a log in it for every process: `gateway-1.log`, `nats.log` or `node-0.log`, `postgres.log`. */
  readonly folder: string;
  /** The last lines of every process's log, for the message of a failure. */
  logs(): string;
  /** Ends everything, and removes the folder unless it was given. Whatever fails, the rest is ended. */
  stop(): Promise<void>;
}

interface Stoppable {
  stop(): Promise<void>;
}

const APPS: readonly ServiceApp[] = ['commands', 'projection', 'gateway', 'api'];
const REPLICAS = 2;

/** Resolves when everything is ready. @throws Error with the end of every log in it, once all that was started has ended */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const { nodes = 1, progress = () => undefined } = options;
  const folder = await folderOf(options);
  const layers = new Layers(folder.remove);
  try {
    const users = natsUsers();
    const [nats, postgres] = await layers.startAll([
      startBroker(folder.path, nodes, options, users),
      startPostgres({ dataDir: join(folder.path, 'postgres'), logFile: join(folder.path, 'postgres.log') }),
    ]);
    progress(`NATS ready at ${nats.url}, PostgreSQL at 127.0.0.1:${postgres.port}`);
    const databaseUrl = await postgres.createDatabase('parley');
    const common = { NATS_URL: nats.url, NATS_REPLICAS: String(nodes), DATABASE_URL: databaseUrl };
    await setUp({ ...common, ...signedIn(users, 'setup'), ...options.env }, join(folder.path, 'setup.log'));
    progress('streams and tables are set up');
    const relayed = options.relayed ?? [];
    const opened = await layers.startAll(relayed.map(() => startServiceLine(nats.url, databaseUrl)));
    const lines = new Map(opened.map((line, at) => [relayed[at] ?? '', line]));
    const started = await layers.startAll(
      plannedServices(options).map((each) =>
        startOne(each, folder.path, { ...common, ...lines.get(each.name)?.env }, users, options),
      ),
    );
    const unexpected: string[] = [];
    for (const { process } of started)
      process.onExit((how) => unexpected.push(`${process.name} ended by itself (${how})`));
    const of = (app: ServiceApp): StartedService[] => started.filter((each) => each.app === app);
    const urls = (app: ServiceApp): string[] => of(app).map(({ process }) => process.url ?? '');
    const port = options.proxyPort;
    const [proxy] = await layers.startAll([
      startProxy({ gateways: () => urls('gateway'), apis: () => urls('api'), ...(port !== undefined && { port }) }),
    ]);
    return {
      url: proxy.url,
      sockets: urls('gateway').map((url) => `${url.replace(/^http/, 'ws')}/ws`),
      grpc: of('gateway').map(({ grpcPort }) => `127.0.0.1:${grpcPort}`),
      nats,
      natsUrls: (user) => withCredentials(nats.url, users.credentials(user)),
      postgres,
      databaseUrl,
      services: new Map(started.map(({ process }) => [process.name, process])),
      lines,
      unexpected,
      folder: folder.path,
      logs: () => logsIn(folder.path),
      stop: () => layers.stop(),
    };
  } catch (cause) {
    const logs = logsIn(folder.path);
    await layers.stop();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the platform does not start: ${reason}\n${logs}`, { cause });
  }
}

/** What was started together is ended together, the last first. */
class Layers {
  readonly #layers: Stoppable[][] = [];

  constructor(private readonly afterwards: () => Promise<void>) {}

  /** Waits for all of them, so that those which did start are known when another did not. */
  async startAll<const T extends readonly Promise<Stoppable>[]>(
    starting: T,
  ): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
    const outcomes = await Promise.allSettled(starting);
    this.#layers.push(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])));
    throwAll('not everything starts', outcomes);
    return (await Promise.all(starting)) as { -readonly [K in keyof T]: Awaited<T[K]> };
  }

  async stop(): Promise<void> {
    const outcomes: PromiseSettledResult<void>[] = [];
    for (const layer of this.#layers.splice(0).reverse())
      outcomes.push(...(await Promise.allSettled(layer.map((each) => each.stop()))));
    outcomes.push(...(await Promise.allSettled([this.afterwards()])));
    throwAll('not everything ended in order', outcomes);
  }
}

function throwAll(what: string, outcomes: readonly PromiseSettledResult<unknown>[]): void {
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length > 1) throw new AggregateError(reasons, `${what}: ${reasons.map(String).join('; ')}`);
}

interface Folder {
  readonly path: string;
  readonly remove: () => Promise<void>;
}

/** PostgreSQL runs as another user when we are root, and has to pass through. */
async function folderOf({ folder }: PlatformOptions): Promise<Folder> {
  if (folder === undefined) return temporaryFolder('platform');
  const path = resolve(folder);
  await mkdir(path, { recursive: true });
  if (isRoot()) await chmod(path, 0o711);
  return { path, remove: async () => undefined };
}

function startBroker(
  folder: string,
  nodes: 1 | 3,
  { cuttable = false, sync = 'always' }: PlatformOptions,
  { configExtra, env, credentials }: NatsUsers,
): Promise<NatsServer | NatsCluster> {
  if (nodes === 3)
    return startNatsCluster({ dir: folder, cuttable, sync, configExtra, env, credentials: credentials() });
  if (cuttable) throw new Error('one broker has no routes to cut: start three (nodes: 3)');
  return startNatsServer({ storeDir: join(folder, 'nats'), logFile: join(folder, 'nats.log'), sync, configExtra, env });
}

interface PlannedService {
  readonly app: ServiceApp;
  readonly name: string;
}

function plannedServices({ replicas = {} }: PlatformOptions): PlannedService[] {
  return APPS.flatMap((app) =>
    Array.from({ length: replicas[app] ?? REPLICAS }, (_, index) => ({ app, name: `${app}-${index + 1}` })),
  );
}

interface StartedService extends PlannedService, Stoppable {
  readonly process: ServiceProcess;
  readonly grpcPort: number;
}

const START_ATTEMPTS_MAX = 3;
/** How a service says that somebody else took its port between the choice of it and its start. */
const PORT_TAKEN = 'EADDRINUSE';

async function startOne(
  { app, name }: PlannedService,
  folder: string,
  common: Environment,
  users: NatsUsers,
  { env = {}, envOf = {}, mainOf = {} }: PlatformOptions,
): Promise<StartedService> {
  const main = mainOf[name];
  for (let attempt = 1; ; attempt += 1) {
    const [port, grpcPort] = [await freePort(), await freePort()];
    const ports = { HEALTH_PORT: String(port), GRPC_PORT: String(grpcPort) };
    const own = { ...signedIn(users, app), PARLEY_HOME: join(folder, name), TRUST_PROXY_HOPS: '1' };
    try {
      const process = await startService({
        name,
        app,
        port,
        logFile: join(folder, `${name}.log`),
        env: { ...common, ...own, ...ports, ...env, ...envOf[name] },
        ready: { healthPath: '/health/ready' },
        ...(main !== undefined && { main }),
      });
      return { app, name, process, grpcPort, stop: () => process.stop() };
    } catch (error) {
      const mayRetry = attempt < START_ATTEMPTS_MAX && error instanceof Error && error.message.includes(PORT_TAKEN);
      if (!mayRetry) throw error;
    }
  }
}

function signedIn(users: NatsUsers, as: NatsUser): Environment {
  const { user, pass } = users.credentials(as);
  return { NATS_USER: user, NATS_PASSWORD: pass };
}

const LOG_LINES_SHOWN = 40;

/** The last lines of every log in a folder. */
export function logsIn(folder: string): string {
  if (!existsSync(folder)) return '';
  const files = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return files.map((name) => `---- ${name}\n${lastLines(join(folder, name))}\n`).join('');
}

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
