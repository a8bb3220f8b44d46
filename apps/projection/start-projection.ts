/** Opens what the read side's writer needs, serves its requests, and its health. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { type Config, openResources, type Running, runMicroservice } from '#service';
import { ProjectionModule } from './projection.module.js';

@Module({})
class ProjectionProcess {}

export async function startProjection(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await openResources(config, 'projection', {
    log: (nats) => openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas }),
    database: (url) => openDatabase(url),
  });
  const root = { module: ProjectionProcess, imports: [resources.module, ProjectionModule] };
  return runMicroservice(root, resources, config, logger);
}
