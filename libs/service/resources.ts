/**
 * What a process opens once, and closes last: the NATS connection, the log, the database, and their health. The log and the
 * database are opened by the caller's functions, because this library knows neither.
 */
import { once } from 'node:events';
import { type DynamicModule, Logger, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Bucket, untilBuckets } from './buckets.js';
import { CommandBus } from './command-bus.js';
import { type Config, ConfigError } from './config.js';
import { Health, serveHealth } from './health.js';
import { connectNats } from './nats.js';
import { NatsTransport } from './nats-transport.js';
import type { Running } from './process.js';
import { ResourcesModule } from './resources.module.js';
import { Standstill } from './standstill.js';
import { COMMAND_BUS, CONFIG, DATABASE, EVENT_LOG, HEALTH, NATS } from './tokens.js';

interface LogLike {
  lastSequence(partition: number): Promise<number>;
  readonly replaced: AbortSignal;
}

interface DatabaseLike {
  query(name: string, sql: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface Openers<L extends LogLike | undefined, D extends DatabaseLike> {
  readonly log: (nats: NatsConnection) => Promise<L>;
  readonly database: (url: string) => Promise<D>;
  /** What has to be there beside the log. */
  readonly buckets?: readonly Bucket[];
  /** Whether the process can do nothing of its work without the database; true when not given. */
  readonly databaseRequired?: boolean;
}

export interface Resources<L, D> {
  readonly nats: NatsConnection;
  readonly log: L;
  readonly database: D;
  readonly health: Health;
  readonly bus: CommandBus;
  /** Provides all of them, by the tokens of tokens.ts. */
  readonly module: DynamicModule;
  /** The process as it runs: draining takes it out of balancers, ends `app`, and then closes what was opened. */
  running(app: { close(): Promise<unknown> }, address?: string): Running;
}

/** @throws ConfigError, or an error of one line when NATS or PostgreSQL cannot be reached */
export async function openResources<L extends LogLike | undefined, D extends DatabaseLike>(
  config: Config,
  name: string,
  open: Openers<L, D>,
): Promise<Resources<L, D>> {
  if (config.databaseUrl === undefined)
    throw new ConfigError(`DATABASE_URL is not set: ${name} needs the read models' PostgreSQL`);
  const nats = await connectNats(config, name);
  const [log, database] = await Promise.all([
    open.log(nats),
    open.database(config.databaseUrl),
    untilBuckets(nats, open.buckets ?? []),
  ]);
  log?.replaced.addEventListener('abort', () => endProcess(log.replaced.reason));
  const health = healthOf(nats, log, database, open.databaseRequired ?? true);
  const standstill = new Standstill();
  const bus = new CommandBus(nats, standstill);
  const provided = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [EVENT_LOG, log],
    [DATABASE, database],
    [HEALTH, health],
    [COMMAND_BUS, bus],
  ]);
  return {
    nats,
    log,
    database,
    health,
    bus,
    module: ResourcesModule.with(provided),
    running(app, address) {
      standstill.watch();
      return {
        ...(address === undefined ? {} : { address }),
        async stop() {
          health.drain();
          await app.close();
          standstill.stop();
          await database.close();
          await nats.drain();
        },
      };
    },
  };
}

/** Everything in it belongs to a log that is there no more: it ends as if it had been told to, and is started again. */
function endProcess(reason: unknown): void {
  new Logger('Log').fatal(reason instanceof Error ? reason.message : String(reason));
  process.kill(process.pid, 'SIGTERM');
}

function healthOf(nats: NatsConnection, log: LogLike | undefined, database: DatabaseLike, required: boolean): Health {
  const health = new Health();
  health.add(log === undefined ? 'nats' : 'log', async () => {
    await (log === undefined ? nats.flush() : log.lastSequence(0));
    return nats.getServer();
  });
  health.add('database', async () => void (await database.query('health', 'select 1')), { required });
  return health;
}

/** Runs a process that answers NATS requests and has no HTTP but its health. */
export async function runMicroservice<L, D>(
  root: Type | DynamicModule,
  resources: Resources<L, D>,
  config: Config,
  logger: LoggerService,
): Promise<Running> {
  const app = await NestFactory.createMicroservice(root, { strategy: new NatsTransport(resources.nats), logger });
  await app.listen();
  const server = await serveHealth(resources.health, config.host, config.healthPort);
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.healthPort;
  const close = async (): Promise<void> => {
    await app.close();
    server.close();
    server.closeIdleConnections();
    await once(server, 'close');
  };
  return resources.running({ close }, `http://${config.host}:${port}`);
}
