/** Opens what the gateway needs, builds it and listens. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { type Config, openResources, type Running } from '#service';
import { createHttpApp } from '#service/http';
import { attachSockets, GatewayModule } from './gateway.module.js';
import { HealthController } from './health.controller.js';

/** Snapshots and anchors of those who connect; a few at a time are enough for thousands a second. */
const POOL_MAX = 8;

@Module({ controllers: [HealthController] })
class GatewayProcess {}

export async function startGateway(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await openResources(config, 'gateway', {
    log: (nats) => openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas }),
    database: (url) => openDatabase(url, { poolMax: POOL_MAX }),
    buckets: ['leases', 'connections', 'attachments'],
  });
  const root = { module: GatewayProcess, imports: [resources.module, GatewayModule] };
  const { app } = await createHttpApp(root, config, logger);
  attachSockets(app);
  await app.listen(config.port, config.host);
  return resources.running(app, await app.getUrl());
}
