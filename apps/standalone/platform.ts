/** All services in one process: the same modules that run as processes of their own, on one NATS connection and one port. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { type Config, NatsTransport, openResources, type Running } from '#service';
import { ApiModule } from '../api/api.module.js';
import { seedDemo } from '../api/demo/seed-demo.js';
import { createHttpApp } from '#service/http';
import { setUpStreams } from '../cli/operate/setup.js';
import { CommandsModule } from '../commands/commands.module.js';
import { attachSockets, GatewayModule } from '../gateway/gateway.module.js';
import { ProjectionModule } from '../projection/projection.module.js';

@Module({})
class Platform {}

/**
 * Sets up the streams, starts every service and, in demo mode, makes the demo's people and rooms.
 * @param config with `natsUrls` and `databaseUrl` set
 */
export async function startPlatform(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await openResources(config, 'standalone', {
    log: async (nats) => {
      await setUpStreams(nats, config);
      return openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
    },
    database: (url) => openDatabase(url),
  });
  const services = [CommandsModule.serving(config.commands), ProjectionModule, GatewayModule, ApiModule.with(config)];
  const root = { module: Platform, imports: [resources.module, ...services] };
  const { app } = await createHttpApp(root, config, logger);
  app.connectMicroservice({ strategy: new NatsTransport(resources.nats) });
  attachSockets(app);
  await app.startAllMicroservices();
  await app.listen(config.port, config.host);
  if (config.demo) await seedDemo(resources);
  return resources.running(app);
}
