/** Wires the one command path of a process: its handler, which all services of the process share. */
import { Inject, Injectable, Logger, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { CommandName, CommandReply } from '#contract';
import type { EventLog, Subscription } from '#event-log';
import type { Database } from '#read-models';
import { CONFIG, DATABASE, EVENT_LOG, type Config, type RequestTimes } from '#service';
import { CommandHandler } from './command-handler.js';
import { keysInView } from './key-lookup.js';

@Injectable()
export class CommandPath implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Commands');
  private readonly handler: CommandHandler;
  private following: Subscription | undefined;

  constructor(@Inject(EVENT_LOG) log: EventLog, @Inject(DATABASE) database: Database, @Inject(CONFIG) config: Config) {
    this.handler = new CommandHandler(log, keysInView(database, log.epoch), {
      roomsOnJoin: config.roomsOnJoin,
      onFault: (error, name) =>
        this.logger.error(`${name} failed`, error instanceof Error ? error.stack : String(error)),
    });
  }

  async onModuleInit(): Promise<void> {
    this.following = await this.handler.follow();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.following?.stop();
  }

  answer(name: CommandName, request: unknown, asked?: RequestTimes): Promise<CommandReply> {
    return this.handler.answer(name, request, asked);
  }
}

@Module({ providers: [CommandPath], exports: [CommandPath] })
export class CommandPathModule {}
