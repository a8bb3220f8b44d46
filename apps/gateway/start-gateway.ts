/** Opens what the gateway needs, builds it and listens. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import {
  COMMAND_BUS,
  CommandBus,
  type Config,
  CONFIG,
  ConfigError,
  connectNats,
  DATABASE,
  EVENT_LOG,
  Health,
  HEALTH,
  NATS,
  ResourcesModule,
  type Running,
} from '#service';
import { attachSockets, GatewayModule } from './gateway.module.js';
import { HealthController } from './health.controller.js';

/** Snapshots and anchors of those who connect; a few at a time are enough for thousands a second. */
const POOL_MAX = 8;

@Module({ controllers: [HealthController] })
class GatewayProcess {}

/** @throws ConfigError, or an error of one line when NATS or PostgreSQL cannot be reached */
export async function startGateway(config: Config, logger: ConsoleLogger): Promise<Running> {
  if (config.databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: the gateway reads snapshots there');
  const nats = await connectNats(config, 'gateway');
  // The write side creates the log, and only it may; until it has, this waits.
  const log = await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
  const database = await openDatabase(config.databaseUrl, { poolMax: POOL_MAX });
  const health = new Health();
  health.add('nats', () => {
    if (nats.isClosed()) throw new Error('the connection is closed');
    return nats.getServer();
  });
  health.add('database', async () => void (await database.query('health', 'select 1')));
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [EVENT_LOG, log],
    [DATABASE, database],
    [HEALTH, health],
    [COMMAND_BUS, new CommandBus(nats)],
  ]);
  const root = { module: GatewayProcess, imports: [ResourcesModule.with(resources), GatewayModule] };
  const options = { logger, abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(root, new FastifyAdapter(), options);
  attachSockets(app);
  await app.listen(config.port, config.host);
  return {
    address: await app.getUrl(),
    async stop() {
      health.drain();
      await app.close();
      await database.close();
      await nats.drain();
    },
  };
}
