/** Mounts every command that has a route in the contract: path parameters join the body, the handler validates it. */
import { Controller, Delete, HttpCode, Inject, Patch, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { COMMAND_NAMES, type CommandName, type CommandResult, COMMANDS } from '#contract';
import { COMMAND_BUS, type CommandBus, type Identity } from '#service';
import { bodyOf, objectOf } from '#service/http';
import { SignedIn, idempotencyKeyOf } from '../http/caller.js';
import { inviteCode } from '../rooms/invite-code.js';

type Body = Record<string, unknown>;
type Parameters = Readonly<Record<string, string>>;

/** Where a route's JSON differs from its command's. */
interface Adaptation {
  readonly body?: (body: Body) => Body;
  readonly answer?: (result: CommandResult, parameters: Parameters) => object;
}

const ADAPTATIONS: Partial<Record<CommandName, Adaptation>> = {
  CreateRoom: { body: ({ id, ...rest }) => (id === undefined ? rest : { roomId: id, ...rest }) },
  InviteMember: { answer: (_result, { roomId }) => ({ code: inviteCode(String(roomId)) }) },
};

const METHODS = { POST: Post, PUT: Put, PATCH: Patch, DELETE: Delete } as const;

@Controller()
@UseGuards(SignedIn)
export class CommandsController {
  constructor(@Inject(COMMAND_BUS) readonly bus: CommandBus) {}
}

function mount(name: CommandName): void {
  const entry = COMMANDS[name];
  if (!('http' in entry)) return;
  const { body: adapt, answer } = ADAPTATIONS[name] ?? {};
  const handler = {
    async value(this: CommandsController, request: FastifyRequest & { caller: Identity }): Promise<object> {
      const parameters = request.params as Parameters;
      const given = objectOf(bodyOf(request));
      const body = { ...(adapt ? adapt(given) : given), ...parameters };
      const result = await this.bus.run(name, actorOf(request.caller), body, idempotencyKeyOf(request));
      return answer ? { ...result, ...answer(result, parameters) } : result;
    },
  };
  const prototype = CommandsController.prototype;
  Object.defineProperty(prototype, name, { ...handler, configurable: true });
  METHODS[entry.http.method](entry.http.path)(prototype, name, handler);
  HttpCode(202)(prototype, name, handler);
  Req()(prototype, name, 0);
}

/** The claims that travel with a command. */
export const actorOf = ({ userId, username }: Identity): { userId: string; username?: string } =>
  username === undefined ? { userId } : { userId, username };

COMMAND_NAMES.forEach(mount);
