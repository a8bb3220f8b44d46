/** All services in one process: the same modules that run as processes of their own, on one NATS connection and one port. */
import { type ConsoleLogger, Module } from '@nestjs/common';
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
  NatsTransport,
  ResourcesModule,
  type Running,
} from '#service';
import { ApiModule } from '../api/api.module.js';
import { seedDemo } from '../api/demo/seed-demo.js';
import { createHttpApp } from '../api/http/http-app.js';
import { CommandsModule } from '../commands/commands.module.js';
import { attachSockets, GatewayModule } from '../gateway/gateway.module.js';
import { ProjectionModule } from '../projection/projection.module.js';

@Module({})
class Platform {}

/**
 * Starts every service and, in demo mode, makes the demo's people and rooms.
 * @param config with `natsUrls` and `databaseUrl` set
 */
export async function startPlatform(config: Config, logger: ConsoleLogger): Promise<Running> {
  if (config.databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set');
  const nats = await connectNats(config, 'standalone');
  const [log, database] = await Promise.all([
    openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas, create: true }),
    openDatabase(config.databaseUrl),
  ]);
  const bus = new CommandBus(nats);
  const health = new Health();
  health.add('log', async () => {
    await log.lastSequence(0);
    return nats.getServer();
  });
  health.add('database', async () => void (await database.query('health', 'select 1')));
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [EVENT_LOG, log],
    [DATABASE, database],
    [HEALTH, health],
    [COMMAND_BUS, bus],
  ]);
  const root = {
    module: Platform,
    imports: [
      ResourcesModule.with(resources),
      CommandsModule.serving(config.commands),
      ProjectionModule,
      GatewayModule,
      ApiModule.with(config),
    ],
  };
  const { app } = await createHttpApp(root, config, logger);
  app.connectMicroservice({ strategy: new NatsTransport(nats) });
  attachSockets(app);
  await app.startAllMicroservices();
  await app.listen(config.port, config.host);
  if (config.demo) await seedDemo({ bus, database });
  return {
    async stop() {
      health.drain();
      await app.close();
      await database.close();
      await nats.drain();
    },
  };
}
