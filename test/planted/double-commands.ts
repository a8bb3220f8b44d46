/**
 * The command services with a planted fault, as a process of their own: sends lose their ids on the way to the broker, and now and then
 * the answer to one of them. So what its caller repeats is stored twice. A chaos run with it has to end with a violation.
 */
import { Module } from '@nestjs/common';
import { AppendUnknownError, openEventLog, type EventLog } from '#event-log';
import { openDatabase } from '#read-models';
import { openResources, runMicroservice, runService } from '#service';
import { withParts } from '#testing';
import { CommandsModule } from '../../apps/commands/commands.module.js';

const LOST_EVERY = 5;

@Module({})
class PlantedProcess {}

function droppingIds(honest: EventLog): EventLog {
  let sends = 0;
  return withParts(honest, {
    append: async (append, options) => {
      if (append.event.type !== 'MessageSent') return honest.append(append, options);
      const stored = await honest.append(append);
      if ((sends += 1) % LOST_EVERY === 0) throw new AppendUnknownError('the answer is lost');
      return stored;
    },
  });
}

await runService('commands', async (config, logger) => {
  const resources = await openResources(config, 'planted commands', {
    log: async (nats) =>
      droppingIds(await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas })),
    database: (url) => openDatabase(url),
    databaseRequired: false,
  });
  const root = { module: PlantedProcess, imports: [resources.module, CommandsModule.serving(config.commands)] };
  return runMicroservice(root, resources, config, logger);
});
