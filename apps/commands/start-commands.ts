/** Opens what the write side needs, serves the handlers of the services that `COMMANDS` names, and its health. */
import { once } from 'node:events';
import { type ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { openEventLog, type EventLog } from '#event-log';
import { type Database, openDatabase } from '#read-models';
import {
  type Config,
  CONFIG,
  ConfigError,
  connectNats,
  DATABASE,
  EVENT_LOG,
  Health,
  NatsTransport,
  ResourcesModule,
  type Running,
  serveHealth,
} from '#service';
import { CommandsModule } from './commands.module.js';

/** Only old keys are looked up in PostgreSQL. */
const POOL_MAX = 4;

@Module({})
class CommandsProcess {}

/** @throws ConfigError, or an error of one line when NATS or PostgreSQL cannot be reached */
export async function startCommands(config: Config, logger: ConsoleLogger): Promise<Running> {
  if (config.databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: commands look old idempotency keys up in PostgreSQL');
  const nats = await connectNats(config, `commands ${config.commands.join(',')}`);
  const log = await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas, create: true });
  const database = await openDatabase(config.databaseUrl, { poolMax: POOL_MAX });
  const health = healthOf(nats, log, database);
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [EVENT_LOG, log],
    [DATABASE, database],
  ]);
  const root = {
    module: CommandsProcess,
    imports: [ResourcesModule.with(resources), CommandsModule.serving(config.commands)],
  };
  const app = await NestFactory.createMicroservice(root, { strategy: new NatsTransport(nats), logger });
  await app.listen();
  const server = await serveHealth(health, config.host, config.healthPort);
  return {
    address: addressOf(config.host, server.address()),
    async stop() {
      health.drain();
      await app.close();
      server.close();
      server.closeIdleConnections();
      await once(server, 'close');
      await database.close();
      await nats.drain();
    },
  };
}

function healthOf(nats: NatsConnection, log: EventLog, database: Database): Health {
  const health = new Health();
  health.add('log', async () => {
    if (nats.isClosed()) throw new Error('the connection to NATS is closed');
    await log.lastSequence(0);
    return nats.getServer();
  });
  // Young keys, which is nearly all of them, need no database: without it this process still serves.
  health.add('database', async () => void (await database.query('health', 'select 1')), { required: false });
  return health;
}

function addressOf(host: string, address: string | { readonly port: number } | null): string {
  return `http://${host}:${typeof address === 'object' && address ? address.port : ''}`;
}
