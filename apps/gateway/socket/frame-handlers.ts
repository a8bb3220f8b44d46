/** What a signed-in client can ask for, one case an op. */
import { Inject, Injectable } from '@nestjs/common';
import { type ClientFrame, DomainError, type MarkReply, type MarkRequest, REQUESTS } from '#contract';
import { COMMAND_BUS, type CommandBus, type Config, CONFIG, type Identity, RateLimit } from '#service';
import { UserCommands } from '../commands/user-commands.js';
import { Feed } from '../feed/feed.js';
import type { Reader } from '../feed/reader.js';
import { Watches } from '../presence/watches.js';
import { Typing } from '../typing/typing.js';
import { FrameCommands } from './frame-commands.js';
import type { SocketConnection } from './socket-connection.js';

/** Frames of one user, of any kind: enough for a mark for each of many messages, and too few to keep a core busy. */
const FRAMES_PER_SECOND = 200;
const FRAMES_BURST = 400;

type Request = Exclude<ClientFrame, { op: 'hello' }>;

@Injectable()
export class FrameHandlers {
  private readonly commands: FrameCommands;
  private readonly frames: RateLimit;

  constructor(
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(CONFIG) config: Config,
    commands: UserCommands,
    private readonly feed: Feed,
    private readonly typing: Typing,
    private readonly watches: Watches,
  ) {
    this.commands = new FrameCommands(commands);
    this.frames = new RateLimit(FRAMES_PER_SECOND, FRAMES_BURST, config.rateLimits);
  }

  /** @throws DomainError what was refused */
  async handle(frame: Request, connection: SocketConnection, identity: Identity, reader: Reader): Promise<void> {
    this.takeOne(connection, identity);
    switch (frame.op) {
      case 'send':
      case 'join':
      case 'leave':
      case 'status':
        return connection.send(await this.commands.run(frame, identity, reader));
      case 'read':
      case 'delivered':
        await this.mark(frame, identity);
        return connection.send({ op: 'ack', id: frame.id });
      case 'typing':
        return this.typing.say(reader, frame.room, frame.typing);
      case 'ping':
        return this.feed.giveCursor(reader, 'pong');
      case 'watch': {
        const sendPresent = await this.watches.watch(reader, frame.users);
        connection.send({ op: 'ack', id: frame.id });
        return sendPresent();
      }
    }
  }

  /** Whoever floods is told so, and is not read for a moment. */
  private takeOne(connection: SocketConnection, { userId }: Identity): void {
    try {
      this.frames.take(userId);
    } catch (error) {
      connection.rest();
      throw error;
    }
  }

  left(reader: Reader): void {
    this.watches.leave(reader);
  }

  private async mark(frame: Extract<Request, { op: 'read' | 'delivered' }>, { userId }: Identity): Promise<void> {
    const { room: roomId, messageId, op: kind } = frame;
    const request: MarkRequest = { userId, roomId, messageId, kind };
    const reply = (await this.bus.request(REQUESTS.markRead, request)) as MarkReply;
    if ('ok' in reply) return;
    const { code, detail, retryMs } = reply.refused;
    throw new DomainError(code, detail, retryMs === undefined ? {} : { retryMs });
  }
}
