/** The write side: the command services that a process serves. */
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import type { CommandService } from '#contract';
import { JoinModule } from './join/join.module.js';
import { LeaveModule } from './leave/leave.module.js';
import { SendModule } from './send/send.module.js';
import { StatusModule } from './status/status.module.js';

const SERVICES: Readonly<Record<CommandService, Type<object>>> = {
  send: SendModule,
  join: JoinModule,
  leave: LeaveModule,
  status: StatusModule,
};

@Module({})
export class CommandsModule {
  /** @param services what `COMMANDS` names. The process serves their handlers by a `NatsTransport` and provides its resources globally. */
  static serving(services: readonly CommandService[]): DynamicModule {
    return { module: CommandsModule, imports: services.map((service) => SERVICES[service]) };
  }
}
