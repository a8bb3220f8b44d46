/** Queries about a room's messages, and the marks that a reader leaves. */
import { Controller, Get, Inject, Param, Put, Query, UseGuards } from '@nestjs/common';
import {
  DomainError,
  formatPosition,
  type MarkedAnswer,
  type MarkReply,
  messagesQuery,
  type MessageView,
  type Page,
  parseOrRefuse,
  REQUESTS,
  Subjects,
} from '#contract';
import { checkpointOf, type Database, getMessage, pageMessages, type PositionWaiter, readableRoom } from '#read-models';
import { COMMAND_BUS, type CommandBus, type Config, CONFIG, DATABASE, type Identity } from '#service';
import { JsonObject } from '#service/http';
import { Caller, CallerOrGuest, DemoGuestsToo, type Reader, SignedIn } from '../http/caller.js';
import { CaughtUp, POSITION_WAITER } from '../http/caught-up.js';
import { pathId } from '../http/paging.js';

@Controller('/api/rooms/:roomId')
@UseGuards(SignedIn, CaughtUp)
export class MessagesController {
  private readonly subjects: Subjects;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(POSITION_WAITER) private readonly waiter: PositionWaiter,
  ) {
    this.subjects = new Subjects(config.partitions);
  }

  /** A page, and a position that it includes. */
  @Get('messages')
  @DemoGuestsToo()
  async page(
    @CallerOrGuest() reader: Reader,
    @Param('roomId') roomId: string,
    @Query() query: unknown,
  ): Promise<Page<MessageView> & { position: string }> {
    const options = parseOrRefuse(messagesQuery, query);
    const partition = this.subjects.partitionOfRoom(pathId('roomId', roomId));
    // Asked before the page is read: what the views have by now is in it, and perhaps more.
    const seq = this.waiter.reached(partition) ?? (await checkpointOf(this.database, partition))?.seq ?? 0;
    // Asked at once, for the usual answer is yes; when it is no, the page is dropped.
    const [page] = await this.database.together((db) =>
      Promise.all([pageMessages(db, roomId, options), readableRoom(db, roomId, reader?.userId)]),
    );
    return { ...page, position: formatPosition({ partition, seq }) };
  }

  @Get('messages/:messageId')
  @DemoGuestsToo()
  async one(
    @CallerOrGuest() reader: Reader,
    @Param('roomId') roomId: string,
    @Param('messageId') messageId: string,
  ): Promise<MessageView> {
    const [message] = await this.database.together((db) =>
      Promise.all([
        getMessage(db, pathId('roomId', roomId), pathId('messageId', messageId)),
        readableRoom(db, roomId, reader?.userId),
      ]),
    );
    if (message === undefined) throw new DomainError('message_not_found');
    return message;
  }

  @Put('read')
  read(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() body: Record<string, unknown>,
  ): Promise<MarkedAnswer> {
    return this.mark('read', caller, roomId, body);
  }

  @Put('delivered')
  delivered(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() body: Record<string, unknown>,
  ): Promise<MarkedAnswer> {
    return this.mark('delivered', caller, roomId, body);
  }

  /** Marks stand outside the log: `projection` validates the request, stores the greatest mark and answers after its commit. */
  private async mark(
    kind: 'read' | 'delivered',
    { userId }: Identity,
    roomId: string,
    { messageId }: Record<string, unknown>,
  ): Promise<MarkedAnswer> {
    const request = { userId, roomId, messageId, kind };
    const reply = (await this.bus.request(REQUESTS.markRead, request)) as MarkReply;
    // Taken, so it is an id.
    if ('ok' in reply) return { roomId, messageId: String(messageId), ordinal: reply.ok.ordinal };
    throw new DomainError(reply.refused.code, reply.refused.detail, reply.refused);
  }
}
