/** Queries about a room's messages, and the marks that a reader leaves. */
import { Controller, Get, Inject, Param, Put, Query, UseGuards } from '@nestjs/common';
import {
  DomainError,
  formatPosition,
  type MarkReply,
  type MessageView,
  type Page,
  parseOrRefuse,
  REQUESTS,
  Subjects,
} from '#contract';
import { checkpointOf, type Database, getMessage, pageMessages } from '#read-models';
import { COMMAND_BUS, type CommandBus, type Config, CONFIG, DATABASE, type Identity } from '#service';
import { JsonObject } from '../http/body.js';
import { Caller, CallerOrGuest, DemoGuestsToo, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';
import { messagesQuery, pathId } from '../http/paging.js';
import { type Reader, RoomAccess } from './room-access.js';

@Controller('/api/rooms/:roomId')
@UseGuards(SignedIn, CaughtUp)
export class MessagesController {
  private readonly subjects: Subjects;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    private readonly access: RoomAccess,
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
    // Read before the page: what stands in the views by now is in the page, and perhaps more.
    const [checkpoint] = await Promise.all([
      checkpointOf(this.database, partition),
      this.access.readable(roomId, reader),
    ]);
    const page = await pageMessages(this.database, roomId, options);
    return { ...page, position: formatPosition({ partition, seq: checkpoint?.seq ?? 0 }) };
  }

  @Get('messages/:messageId')
  @DemoGuestsToo()
  async one(
    @CallerOrGuest() reader: Reader,
    @Param('roomId') roomId: string,
    @Param('messageId') messageId: string,
  ): Promise<MessageView> {
    const [message] = await Promise.all([
      getMessage(this.database, pathId('roomId', roomId), pathId('messageId', messageId)),
      this.access.readable(roomId, reader),
    ]);
    if (message === undefined) throw new DomainError('message_not_found');
    return message;
  }

  @Put('read')
  read(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() body: Record<string, unknown>,
  ): Promise<object> {
    return this.mark('read', caller, roomId, body);
  }

  @Put('delivered')
  delivered(
    @Caller() caller: Identity,
    @Param('roomId') roomId: string,
    @JsonObject() body: Record<string, unknown>,
  ): Promise<object> {
    return this.mark('delivered', caller, roomId, body);
  }

  /** Marks stand outside the log: `projection` validates the request, stores the greatest mark and answers after its commit. */
  private async mark(
    kind: 'read' | 'delivered',
    { userId }: Identity,
    roomId: string,
    { messageId }: Record<string, unknown>,
  ): Promise<object> {
    const request = { userId, roomId, messageId, kind };
    const reply = (await this.bus.request(REQUESTS.markRead, request)) as MarkReply;
    if ('ok' in reply) return { roomId, messageId, ordinal: reply.ok.ordinal };
    throw new DomainError(reply.refused.code, reply.refused.detail, reply.refused);
  }
}
