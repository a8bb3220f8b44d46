/** Opens what the write side needs, serves the handlers of the services that `COMMANDS` names, and its health. */
import { type ConsoleLogger, Module } from '@nestjs/common';
import { openEventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { type Config, openResources, type Running, runMicroservice } from '#service';
import { CommandsModule } from './commands.module.js';

/** Only old keys are looked up in PostgreSQL. */
const POOL_MAX = 4;

@Module({})
class CommandsProcess {}

export async function startCommands(config: Config, logger: ConsoleLogger): Promise<Running> {
  const resources = await openResources(config, `commands ${config.commands.join(',')}`, {
    log: (nats) => openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas }),
    database: (url) => openDatabase(url, { poolMax: POOL_MAX }),
    // Young keys, which is nearly all of them, need no database: without it this process still serves.
    databaseRequired: false,
  });
  const root = { module: CommandsProcess, imports: [resources.module, CommandsModule.serving(config.commands)] };
  return runMicroservice(root, resources, config, logger);
}
