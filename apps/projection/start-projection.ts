/** Opens what the read side's writer needs, serves its requests, and its health. */
import { once } from 'node:events';
import { type ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import {
  type Config,
  CONFIG,
  ConfigError,
  connectNats,
  DATABASE,
  EVENT_LOG,
  HEALTH,
  Health,
  NATS,
  NatsTransport,
  ResourcesModule,
  type Running,
  serveHealth,
} from '#service';
import { ProjectionModule } from './projection.module.js';

@Module({})
class ProjectionProcess {}

/** @throws ConfigError, or an error of one line when NATS or PostgreSQL cannot be reached */
export async function startProjection(config: Config, logger: ConsoleLogger): Promise<Running> {
  if (config.databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: projection writes the read models to PostgreSQL');
  const nats = await connectNats(config, 'projection');
  // The write side creates the log, and only it may; until it has, this waits.
  const log = await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
  const database = await openDatabase(config.databaseUrl);
  const health = new Health();
  health.add('log', async () => {
    await log.lastSequence(0);
    return nats.getServer();
  });
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [EVENT_LOG, log],
    [DATABASE, database],
    [HEALTH, health],
  ]);
  const root = { module: ProjectionProcess, imports: [ResourcesModule.with(resources), ProjectionModule] };
  const app = await NestFactory.createMicroservice(root, { strategy: new NatsTransport(nats), logger });
  await app.listen();
  const server = await serveHealth(health, config.host, config.healthPort);
  const address = server.address();
  return {
    address: `http://${config.host}:${typeof address === 'object' && address ? address.port : ''}`,
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
