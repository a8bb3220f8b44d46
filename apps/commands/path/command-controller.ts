/** The NATS handlers of one command service, by a loop over the contract: one subject a command, one queue group a service. */
import { Controller, Inject, type Type } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { COMMAND_NAMES, COMMANDS, commandSubject, type CommandReply, type CommandService } from '#contract';
import { RequestContext } from '#service';
import { CommandPath } from './command-path.module.js';

export function commandController(service: CommandService): Type<object> {
  class CommandController {
    constructor(readonly path: CommandPath) {}
  }
  const names = COMMAND_NAMES.filter((name) => COMMANDS[name].service === service);
  for (const name of names) {
    const handle = function (this: CommandController, request: unknown, context: unknown): Promise<CommandReply> {
      return this.path.answer(name, request, context instanceof RequestContext ? context : undefined);
    };
    Object.defineProperty(CommandController.prototype, name, { value: handle, configurable: true, writable: true });
    const descriptor = { value: handle, configurable: true, writable: true };
    MessagePattern(commandSubject(service, name), { queue: service })(CommandController.prototype, name, descriptor);
    Payload()(CommandController.prototype, name, 0);
    Ctx()(CommandController.prototype, name, 1);
  }
  Inject(CommandPath)(CommandController, undefined, 0);
  Controller()(CommandController);
  Object.defineProperty(CommandController, 'name', { value: `${service}CommandController` });
  return CommandController;
}
