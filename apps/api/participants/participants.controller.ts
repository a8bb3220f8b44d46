/**
 * Participant channels (contracts.md section 2): a channel is the set of its participants. Refusals here are plain text, and
 * every fault of a body that has no text of its own is `bad request`.
 */
import { Controller, Get, HttpCode, Inject, Post, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  type ChannelMessage,
  channelParticipants,
  channelRoomId,
  DomainError,
  fields,
  LIMITS,
  type MessageView,
  type QueuedAnswer,
} from '#contract';
import { type Database, pageMessagesByOffset } from '#read-models';
import { COMMAND_BUS, type CommandBus, DATABASE, type Identity } from '#service';
import { actorOf } from '../commands/commands.controller.js';
import { AnyJson } from '#service/http';
import { Caller, IdempotencyKey, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';
import { SendLimit } from '../http/limits.js';
import { clamped } from '../http/paging.js';

/** Pages beyond this one are empty in any channel that can exist. */
const PAGE_NUMBER_MAX = 1_000_000_000;

@Controller('/api/messages')
export class ParticipantsController {
  constructor(
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(DATABASE) private readonly database: Database,
    private readonly sends: SendLimit,
  ) {}

  @Post()
  @UseGuards(SignedIn)
  @HttpCode(202)
  async send(
    @Caller() caller: Identity,
    @AnyJson() given: unknown,
    @IdempotencyKey() key?: string,
  ): Promise<QueuedAnswer> {
    const body = messageOf(given);
    this.sends.take(caller.userId);
    const result = await this.bus.run('SendMessage', actorOf(caller), body, key).catch(asBadRequest);
    return { status: 'message queued', ...result };
  }

  /** Newest first; empty for someone who is no participant, and for a channel that nobody has written to. */
  @Get('get')
  @UseGuards(SignedIn, CaughtUp)
  async page(@Caller() caller: Identity, @Req() request: FastifyRequest): Promise<ChannelMessage[]> {
    const query = request.query as Record<string, unknown>;
    const participants = participantsOf(query['participants']);
    if (!participants.includes(caller.userId)) return [];
    const page = clamped(query['page'], { min: 0, max: PAGE_NUMBER_MAX, otherwise: 0 });
    const size = clamped(query['size'], { min: 1, max: LIMITS.page, otherwise: LIMITS.pageDefault });
    const options = { offset: page * size, limit: size, order: 'desc' } as const;
    const messages = await pageMessagesByOffset(this.database, channelRoomId(participants), options);
    return messages.map((message) => channelMessage(message, participants));
  }
}

function messageOf(given: unknown): { participants: unknown; content: unknown } {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new DomainError('invalid_body');
  const { participants, content } = given as Record<string, unknown>;
  if (participants === undefined || participants === null || (Array.isArray(participants) && participants.length === 0))
    throw new DomainError('invalid_body', 'participants array is required');
  return { participants, content };
}

function asBadRequest(error: unknown): never {
  const isFault = error instanceof DomainError && (error.code === 'invalid_body' || error.code === 'invalid_text');
  throw isFault ? new DomainError(error.code, 'bad request', { cause: error }) : error;
}

function participantsOf(given: unknown): string[] {
  const named = [given].flat().filter((text): text is string => typeof text === 'string');
  const ids = named.flatMap((text) => text.split(',')).filter((text) => text.trim() !== '');
  if (ids.length === 0) throw new DomainError('invalid_body', 'participants query parameter is required');
  const parsed = fields.participants.safeParse(ids);
  if (!parsed.success) throw new DomainError('invalid_body', 'bad request', { cause: parsed.error });
  return channelParticipants(parsed.data);
}

const channelMessage = (message: MessageView, participants: readonly string[]): ChannelMessage => ({
  id: message.id,
  sender: message.sender,
  content: message.content,
  participants,
  created_at: message.createdAt,
});
