/** Opens what `api` needs, builds it and listens. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { type Database, openDatabase } from '#read-models';
import { type Config, openResources, type Resources, type Running } from '#service';
import { ApiModule } from './api.module.js';
import { seedDemo } from './demo/seed-demo.js';
import { createHttpApp } from '#service/http';

@Module({})
class ApiProcess {}

export async function startApi(config: Config, logger: ConsoleLogger): Promise<Running> {
  return listen(await open(config), config, logger);
}

/**
 * As a process of its own it also makes the demo's people and rooms, where the demo is on. That goes on beside its work, because
 * the services that take the commands may come later than this one.
 */
export async function startApiProcess(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await open(config);
  const running = await listen(resources, config, logger);
  if (config.demo)
    void seedDemo(resources).catch((error: unknown) => logger.warn(`the demo is not complete: ${String(error)}`));
  return running;
}

const open = (config: Config): Promise<Resources<undefined, Database>> =>
  openResources(config, 'api', {
    log: () => Promise.resolve(undefined),
    database: (url) => openDatabase(url),
    buckets: ['leases', 'connections'],
  });

async function listen(
  resources: Resources<undefined, Database>,
  config: Config,
  logger: ConsoleLogger,
): Promise<Running> {
  const root = { module: ApiProcess, imports: [resources.module, ApiModule.with(config)] };
  const { app } = await createHttpApp(root, config, logger);
  await app.listen(config.port, config.host);
  return resources.running(app, await app.getUrl());
}
