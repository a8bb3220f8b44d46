/**
 * The commands of a room whose routes are older than the rule (contracts.md section 3): the body may name the sender, which
 * then has to be the caller, and a text may be called `text` or `content`.
 */
import { Controller, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import {
  type CommandResult,
  DomainError,
  type HistoryAnswer,
  type JoinedAnswer,
  type LeftAnswer,
  LIMITS,
  parsePosition,
  type SentAnswer,
} from '#contract';
import { type Database, type HistoryItem, type PositionWaiter, roomHistory } from '#read-models';
import { COMMAND_BUS, type CommandBus, DATABASE, type Identity } from '#service';
import { actorOf } from '../commands/commands.controller.js';
import { JsonObject } from '#service/http';
import { Caller, IdempotencyKey, SignedIn } from '../http/caller.js';
import { POSITION_WAITER } from '../http/caught-up.js';
import { SendLimit } from '../http/limits.js';
import { roomOfCode } from './invite-code.js';

type Body = Record<string, unknown>;

@Controller('/api')
@UseGuards(SignedIn)
export class RoomActionsController {
  constructor(
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(POSITION_WAITER) private readonly waiter: PositionWaiter,
    private readonly sends: SendLimit,
  ) {}

  @Post('rooms/:roomId/join')
  @HttpCode(202)
  async join(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() given: Body,
    @IdempotencyKey() key?: string,
  ): Promise<JoinedAnswer> {
    const result = await this.bus.run('JoinRoom', actorOf(caller), { roomId, ...withoutSender(given, caller) }, key);
    const joined = parsePosition(result.position);
    if (joined !== undefined) await this.waiter.waitFor(joined);
    const history = await roomHistory(this.database, roomId, LIMITS.historyOnJoin);
    return { ...result, success: true, history: history.map(historyItem) };
  }

  @Post('rooms/:roomId/leave')
  @HttpCode(202)
  async leave(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() given: Body,
    @IdempotencyKey() key?: string,
  ): Promise<LeftAnswer> {
    const result = await this.bus.run('LeaveRoom', actorOf(caller), { roomId, ...withoutSender(given, caller) }, key);
    return { ...result, success: true };
  }

  @Post('rooms/:roomId/messages')
  @HttpCode(202)
  async send(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() given: Body,
    @IdempotencyKey() key?: string,
  ): Promise<SentAnswer> {
    this.sends.take(caller.userId);
    const { text, ...rest } = withoutSender(given, caller);
    const body = { ...(text === undefined ? {} : { content: text }), ...rest, roomId };
    const result = await this.bus.run('SendMessage', actorOf(caller), body, key);
    return { ...result, success: true, eventId: result.id, offset: result.seq };
  }

  @Post('invites/:code/accept')
  @HttpCode(202)
  accept(
    @Caller() caller: Identity,
    @Param('code') code: string,
    @IdempotencyKey() key?: string,
  ): Promise<CommandResult> {
    return this.bus.run('JoinRoom', actorOf(caller), { roomId: roomOfCode(code) }, key);
  }
}

/** The token says who acts. */
function withoutSender({ userId, username: _shownName, ...rest }: Body, caller: Identity): Body {
  if (userId !== undefined && userId !== caller.userId) throw new DomainError('forbidden');
  return rest;
}

/** Both spellings, because both kinds of client exist. */
function historyItem({ kind, seq, userId, username, text, at }: HistoryItem): HistoryAnswer {
  return { eventType: kind, event_type: kind, offset: seq, data: { userId, username, text, timestamp: at } };
}
