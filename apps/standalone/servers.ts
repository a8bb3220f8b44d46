/** The servers that the platform stands on: the operator's where a URL is given, else our own as child processes below PARLEY_HOME. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { forgetFolder, keepRunning, startNatsServer, startPostgres } from '#embedded';
import type { Config } from '#service';

const DATABASE = 'parley';
/** PostgreSQL runs as another user when we are root and has to pass through; nobody may list it. */
const HOME_MODE = 0o711;
/** Where they are, for the operator's tool on this machine: there is a password in it. */
const ADDRESSES = 'servers.env';

export interface Servers {
  readonly natsUrls: readonly string[];
  readonly databaseUrl: string;
  /** Ends the embedded ones. */
  stop(): Promise<void>;
}

type Progress = (text: string) => void;

/**
 * Starts what is not given, and keeps it running. Both start side by side; when one fails, the other is ended before the
 * error goes on.
 * @throws Error with one line that says which server, what is wrong and what to do
 */
export async function startServers(config: Config, progress: Progress): Promise<Servers> {
  const home = resolve(config.home);
  await mkdir(home, { recursive: true });
  await chmod(home, HOME_MODE);
  const starting = [broker(config, home, progress), database(config, home, progress)] as const;
  const [nats, postgres] = await Promise.allSettled(starting);
  if (nats.status === 'fulfilled' && postgres.status === 'fulfilled') {
    const addresses = join(home, ADDRESSES);
    await writeFile(addresses, `NATS_URL=${nats.value.urls.join()}\nDATABASE_URL=${postgres.value.url}\n`, {
      mode: 0o600,
    });
    const stop = async (): Promise<void> => {
      await rm(addresses, { force: true });
      await Promise.all([nats.value.stop(), postgres.value.stop()]);
    };
    return { natsUrls: nats.value.urls, databaseUrl: postgres.value.url, stop };
  }
  for (const result of [nats, postgres]) if (result.status === 'fulfilled') await result.value.stop();
  throw await Promise.all(starting).catch((error: unknown) => error);
}

async function broker(config: Config, home: string, progress: Progress) {
  if (config.natsUrls.length > 0) return { urls: config.natsUrls, stop: () => Promise.resolve() };
  const logFile = join(home, 'nats.log');
  const server = await startNatsServer({ storeDir: join(home, 'nats'), sync: config.sync, logFile });
  progress(`nats-server ready at ${server.url} (sync ${config.sync})`);
  const kept = keepRunning(server, progress);
  return { urls: [server.url], stop: () => kept.stop() };
}

async function database(config: Config, home: string, progress: Progress) {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, stop: () => Promise.resolve() };
  const logFile = join(home, 'postgres.log');
  const server = await startPostgres({ dataDir: join(home, 'postgres'), logFile });
  const url = await server.createDatabase(DATABASE);
  progress(`PostgreSQL ready at 127.0.0.1:${server.port}`);
  const kept = keepRunning(server, progress);
  return { url, stop: () => kept.stop() };
}

/** `--fresh`: forgets the data of the embedded servers, unless somebody is using it. */
export async function forgetData(config: Config): Promise<void> {
  await forgetFolder(join(resolve(config.home), 'nats'), 'nats-server');
  await forgetFolder(join(resolve(config.home), 'postgres'), 'PostgreSQL');
}
