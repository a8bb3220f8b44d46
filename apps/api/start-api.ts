/** Opens what `api` needs, builds it and listens. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openDatabase } from '#read-models';
import {
  COMMAND_BUS,
  CommandBus,
  type Config,
  CONFIG,
  ConfigError,
  connectNats,
  DATABASE,
  Health,
  HEALTH,
  NATS,
  ResourcesModule,
  type Running,
} from '#service';
import { ApiModule } from './api.module.js';
import { createHttpApp } from './http/http-app.js';

@Module({})
class ApiProcess {}

/** @throws ConfigError, or an error of one line when NATS or PostgreSQL cannot be reached */
export async function startApi(config: Config, logger: ConsoleLogger): Promise<Running> {
  if (config.databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set: api reads from PostgreSQL');
  const nats = await connectNats(config, 'api');
  const database = await openDatabase(config.databaseUrl);
  const health = new Health();
  health.add('nats', async () => {
    await nats.flush();
    return nats.getServer();
  });
  health.add('database', async () => {
    await database.query('health', 'select 1');
    return undefined;
  });
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [DATABASE, database],
    [HEALTH, health],
    [COMMAND_BUS, new CommandBus(nats)],
  ]);
  const root = { module: ApiProcess, imports: [ResourcesModule.with(resources), ApiModule.with(config)] };
  const { app } = await createHttpApp(root, config, logger);
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
