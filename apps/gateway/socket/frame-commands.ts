/** Frames that carry a command: found by the contract's entries, run one after the other for each user. */
import { randomBytes } from 'node:crypto';
import {
  channelRoomId,
  type ClientFrame,
  commandKeyId,
  type CommandName,
  COMMAND_NAMES,
  type CommandResult,
  COMMANDS,
  fields,
  LIMITS,
  newKey,
  type ServerFrameOf,
} from '#contract';
import { type CommandBus, type Config, type Identity, RateLimit } from '#service';
import type { Reader } from '../feed/reader.js';
import { CommandQueue } from './command-queue.js';

export type CommandFrame = Extract<ClientFrame, { op: 'send' | 'join' | 'leave' | 'status' }>;
type Ack = ServerFrameOf<'ack'>;

const BY_OP: ReadonlyMap<string, CommandName> = new Map(
  COMMAND_NAMES.flatMap((name): [string, CommandName][] => {
    const entry = COMMANDS[name];
    return 'op' in entry ? [[entry.op, name]] : [];
  }),
);

export class FrameCommands {
  private readonly queue = new CommandQueue();
  private readonly sends: RateLimit;

  constructor(
    private readonly bus: CommandBus,
    config: Pick<Config, 'rateLimits'>,
  ) {
    this.sends = new RateLimit(LIMITS.sendsPerSecond, LIMITS.sendsBurst, config.rateLimits);
  }

  /** @throws DomainError what refused it */
  async run(frame: CommandFrame, identity: Identity, reader: Reader): Promise<Ack> {
    const name = BY_OP.get(frame.op);
    if (name === undefined) throw new Error(`no command has the op ${frame.op}`);
    if (name === 'SendMessage') this.sends.take(identity.userId);
    const { id, key } = frame;
    const body = bodyOf(frame);
    const result = await this.queue.run(identity.userId, () =>
      name === 'SendMessage'
        ? this.send(identity, body, key, reader)
        : this.bus.run(name, actorOf(identity), body, key),
    );
    return name === 'SendMessage' ? sendAck(id, result) : ack(id, result);
  }

  /** The event may come before the answer: so the reader is said to expect it before it is sent. */
  private async send(
    identity: Identity,
    body: Record<string, unknown>,
    key: string | undefined,
    reader: Reader,
  ): Promise<CommandResult> {
    const sentKey = key ?? newKey(Date.now(), randomBytes(10));
    const keyId = commandKeyId(identity.userId, 'SendMessage', roomOf(body), sentKey);
    reader.user.expect(keyId, { reader, key });
    try {
      return await this.bus.run('SendMessage', actorOf(identity), body, sentKey);
    } catch (error) {
      reader.user.forgetSend(keyId);
      throw error;
    }
  }
}

/** A command's body is its frame without what belongs to the envelope; `room` is how frames call `roomId`. */
function bodyOf({ room, ...frame }: CommandFrame & { room?: unknown }): Record<string, unknown> {
  const body: Record<string, unknown> = { ...frame, ...(room === undefined ? {} : { roomId: room }) };
  for (const name of ['op', 'id', 'key']) delete body[name];
  return body;
}

/** Only what a command needs of who acts. */
export const actorOf = ({ userId, username }: Identity) => ({
  userId,
  ...(username === undefined ? {} : { username }),
});

/** Where a send goes; whatever is no room here is refused by the handler. */
function roomOf({ roomId, participants }: Record<string, unknown>): string {
  const channel = fields.participants.safeParse(participants);
  if (channel.success) return channelRoomId(channel.data);
  return typeof roomId === 'string' ? roomId : '';
}

function sendAck(id: Ack['id'], { id: messageId, roomId, seq, position, duplicate }: CommandResult): Ack {
  return { op: 'ack', id, messageId, ...(roomId === undefined ? {} : { room: roomId }), seq, position, duplicate };
}

function ack(id: Ack['id'], { roomId, position, duplicate, changed }: CommandResult): Ack {
  return { op: 'ack', id, ...(roomId === undefined ? {} : { room: roomId }), position, duplicate, changed };
}
