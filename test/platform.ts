/** Starts the platform for tests as its users do: as processes, on free ports, with data in a folder that is removed at the end. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  freePort,
  startNatsCluster,
  startNatsServer,
  startPostgres,
  startProxy,
  startService,
  temporaryFolder,
  waitUntil,
  type Child,
  type NatsCluster,
  type NatsServer,
  type Postgres,
  type ServiceProcess,
} from '#embedded';
import { hs256, Http } from './http.js';

/** Signs tokens of anybody, as a foreign sign-in service would; at least 32 bytes, so that it is good outside of demo mode too. */
export const SECRET = 'a shared secret that only tests know about';

export const tokenFor = (user: string): string => hs256(SECRET, { sub: user });

type Environment = Readonly<Record<string, string>>;

interface Anchored {
  /** Where HTTP goes. */
  readonly url: string;
  /** WebSocket URLs, one a gateway. */
  readonly sockets: readonly string[];
  readonly http: Http;
  /** The last lines of every process's log, for the message of a failed test. */
  logs(): string;
  stop(): Promise<void>;
}

export interface Standalone extends Anchored {
  readonly process: ServiceProcess;
  readonly home: string;
}

/** `npm start`'s own process, from `dist`. */
export async function startStandalone(env: Environment = {}): Promise<Standalone> {
  const folder = await temporaryFolder('standalone');
  const home = join(folder.path, 'home');
  const port = await freePort();
  const standalone = await startService({
    name: 'standalone',
    app: 'standalone',
    port,
    logFile: join(folder.path, 'standalone.log'),
    env: { PARLEY_HOME: home, JWT_SECRET: SECRET, GRPC_PORT: String(await freePort()), ...env },
    ready: { line: /parley standalone ready/ },
  }).catch(async (error: unknown) => {
    const logs = logsIn(folder.path);
    await folder.remove();
    throw new Error(`the standalone does not start:\n${logs}`, { cause: error });
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    sockets: [socketUrl(url)],
    http: new Http(url),
    process: standalone,
    home,
    logs: () => logsIn(folder.path) + logsIn(home),
    stop: async () => {
      await standalone.stop();
      await folder.remove();
    },
  };
}

/** Where the standalone's embedded broker listens since the last start, which says so. */
export function embeddedNats({ process: { output } }: Standalone): string {
  const url = output.map((line) => /nats-server ready at (nats:\/\/\S+)/.exec(line)?.[1]).findLast((found) => found);
  if (url === undefined) throw new Error(`no nats-server in the output:\n${output.join('\n')}`);
  return url;
}

/** Kills one of the standalone's embedded servers, and waits until it has started that again. */
export async function killEmbedded({ home }: Standalone, server: 'nats' | 'postgres'): Promise<void> {
  const pid = (): number | undefined => {
    const owner = join(home, server, 'owner.json');
    return (JSON.parse(readFileSync(owner, 'utf8')) as { child?: { pid: number } }).child?.pid;
  };
  const before = pid();
  if (before === undefined) throw new Error(`no ${server} is running in ${home}`);
  process.kill(before, 'SIGKILL');
  await waitUntil(`${server} is started again`, EMBEDDED_BACK_MS, () => ![before, undefined].includes(pid()));
}

export interface Split extends Anchored {
  readonly nats: NatsServer | NatsCluster;
  readonly natsUrls: readonly string[];
  readonly postgres: Postgres;
  readonly databaseUrl: string;
  /** `commands-1`, `gateway-2`, ... */
  readonly services: ReadonlyMap<string, ServiceProcess>;
  /** Ends that nobody asked for, with how they ended. */
  readonly unexpected: readonly string[];
}

export interface SplitOptions {
  readonly nodes?: 1 | 3;
  readonly env?: Environment;
  /** By name of the process, on top of the others'. */
  readonly envOf?: Readonly<Record<string, Environment>>;
}

const EMBEDDED_BACK_MS = 60_000;
const REPLICAS = { commands: 2, projection: 2, gateway: 2, api: 2 } as const;
type ServiceApp = keyof typeof REPLICAS;

/** Two of each service, one broker or three, PostgreSQL, and a proxy in front. */
export async function startSplit({ nodes = 1, env = {}, envOf = {} }: SplitOptions = {}): Promise<Split> {
  const folder = await temporaryFolder('split');
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const each of started.reverse()) await each.stop();
    await folder.remove();
  };
  const keep = <T extends { stop(): Promise<void> }>(each: T): T => {
    started.push(each);
    return each;
  };
  try {
    const [nats, postgres] = await Promise.all([
      startBroker(folder.path, nodes).then(keep),
      startPostgres({ dataDir: join(folder.path, 'postgres'), logFile: join(folder.path, 'postgres.log') }).then(keep),
    ]);
    const databaseUrl = await postgres.createDatabase('parley');
    const shared = {
      NATS_URL: nats.url,
      NATS_REPLICAS: String(nodes),
      DATABASE_URL: databaseUrl,
      JWT_SECRET: SECRET,
      RATE_LIMITS: 'off',
      ROOMS_ON_JOIN: 'true',
      ...env,
    };
    const names = (Object.keys(REPLICAS) as ServiceApp[]).flatMap((app) =>
      Array.from({ length: REPLICAS[app] }, (_, i) => ({ app, name: `${app}-${i + 1}` })),
    );
    const unexpected: string[] = [];
    const outcomes = await Promise.allSettled(
      names.map(async ({ app, name }) => {
        const service = keep(await startOne(app, name, folder.path, { ...shared, ...envOf[name] }));
        service.onExit((how) => unexpected.push(`${name} ended by itself (${how})`));
        return [name, service] as const;
      }),
    );
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure) throw new Error(`the services do not start:\n${logsIn(folder.path)}`, { cause: failure.reason });
    const services = new Map(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])));
    const urls = (app: ServiceApp): string[] =>
      [...services].flatMap(([name, { url }]) => (name.startsWith(app) && url !== undefined ? [url] : []));
    const proxy = keep(await startProxy({ gateways: () => urls('gateway'), apis: () => urls('api') }));
    return {
      url: proxy.url,
      sockets: urls('gateway').map(socketUrl),
      http: new Http(proxy.url),
      nats,
      natsUrls: nats.url.split(','),
      postgres,
      databaseUrl,
      services,
      unexpected,
      logs: () => logsIn(folder.path),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startBroker(folder: string, nodes: 1 | 3): Promise<NatsServer | NatsCluster> {
  if (nodes === 3) return startNatsCluster({ dir: join(folder, 'nats') });
  return startNatsServer({ storeDir: join(folder, 'nats'), logFile: join(folder, 'nats.log') });
}

async function startOne(app: ServiceApp, name: string, folder: string, shared: Environment): Promise<ServiceProcess> {
  const port = await freePort();
  return startService({
    name,
    app,
    port,
    logFile: join(folder, `${name}.log`),
    env: { ...shared, HEALTH_PORT: String(port), GRPC_PORT: String(await freePort()), PARLEY_HOME: join(folder, name) },
    ready: { healthPath: '/health/ready' },
  });
}

/** As a supervisor does: kill -9, and a start afterwards. */
export async function killAndRestart(
  child: Child,
  betweenThem: () => Promise<void> = async () => undefined,
): Promise<void> {
  await child.kill();
  await betweenThem();
  await child.restart();
}

const LOG_LINES_SHOWN = 40;

function logsIn(folder: string): string {
  if (!existsSync(folder)) return '';
  const files = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return files.map((name) => `---- ${name}\n${lastLines(join(folder, name))}\n`).join('');
}

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');

const socketUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/ws`;
