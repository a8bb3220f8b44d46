/** Starts the platform for tests as its users do: as processes, on free ports, with data in a folder that is removed at the end. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  freePort,
  logsIn,
  startPlatform,
  startService,
  temporaryFolder,
  waitUntil,
  type Child,
  type Platform,
  type PlatformOptions,
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
  readonly grpc: readonly string[];
  readonly process: ServiceProcess;
  readonly home: string;
}

/** `npm start`'s own process, from `dist`. */
export async function startStandalone(env: Environment = {}): Promise<Standalone> {
  const folder = await temporaryFolder('standalone');
  const home = join(folder.path, 'home');
  const [port, grpcPort] = [await freePort(), await freePort()];
  const standalone = await startService({
    name: 'standalone',
    app: 'standalone',
    port,
    logFile: join(folder.path, 'standalone.log'),
    env: { PARLEY_HOME: home, JWT_SECRET: SECRET, GRPC_PORT: String(grpcPort), ...env },
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
    grpc: [`127.0.0.1:${env['GRPC_PORT'] ?? grpcPort}`],
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

export interface Split extends Platform {
  readonly http: Http;
}

const LATE_ANSWER = /Publish Violation - Subject "_INBOX_/;
const EMBEDDED_BACK_MS = 60_000;

/** Two of each service, one broker or three, PostgreSQL, and a proxy in front. */
export async function startSplit({ env = {}, ...rest }: PlatformOptions = {}): Promise<Split> {
  const given = { JWT_SECRET: SECRET, RATE_LIMITS: 'off', ROOMS_ON_JOIN: 'true', ...env };
  const platform = await startPlatform({ ...rest, env: given });
  return { ...platform, http: new Http(platform.url) };
}

/**
 * What the broker has refused its users, as it stands in its logs: a right that is missing in deploy/nats, or one that nobody should
 * want. An answer is allowed by the request that it belongs to, which a broker that is started again no longer knows: such an
 * answer is lost like any other that a killed broker had, the edge asks again with the command's key, and it is no finding.
 */
export function refusedByBroker({ folder }: Pick<Platform, 'folder'>): string[] {
  const logs = readdirSync(folder).filter((name) => /^(nats|node-\d)\.log$/.test(name));
  if (logs.length === 0) throw new Error(`there is no log of a broker in ${folder}`);
  return logs.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line.includes('Violation') && !LATE_ANSWER.test(line)),
  );
}

/** As a supervisor does: kill -9, and a start afterwards. */
export async function killAndRestart(
  child: Child,
  betweenThem: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  await child.kill();
  await betweenThem();
  await child.restart();
}

const socketUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/ws`;
