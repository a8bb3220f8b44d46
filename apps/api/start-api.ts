/** Opens what `api` needs, builds it and listens. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openDatabase } from '#read-models';
import { type Config, openResources, type Running } from '#service';
import { ApiModule } from './api.module.js';
import { createHttpApp } from '#service/http';

@Module({})
class ApiProcess {}

export async function startApi(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await openResources(config, 'api', {
    log: () => Promise.resolve(undefined),
    database: (url) => openDatabase(url),
  });
  const root = { module: ApiProcess, imports: [resources.module, ApiModule.with(config)] };
  const { app } = await createHttpApp(root, config, logger);
  await app.listen(config.port, config.host);
  return resources.running(app, await app.getUrl());
}
