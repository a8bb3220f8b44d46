/** Frames that carry a command: found by the contract's entries, run as the user's. */
import {
  channelRoomId,
  type ClientFrame,
  commandKeyId,
  type CommandName,
  COMMAND_NAMES,
  type CommandResult,
  COMMANDS,
  fields,
  type ServerFrameOf,
} from '#contract';
import { freshKey, type Identity } from '#service';
import type { UserCommands } from '../commands/user-commands.js';
import type { Reader } from '../feed/reader.js';

export type CommandFrame = Extract<ClientFrame, { op: 'send' | 'join' | 'leave' | 'status' }>;
type Ack = ServerFrameOf<'ack'>;

const BY_OP: ReadonlyMap<string, CommandName> = new Map(
  COMMAND_NAMES.flatMap((name): [string, CommandName][] => {
    const entry = COMMANDS[name];
    return 'op' in entry ? [[entry.op, name]] : [];
  }),
);

export class FrameCommands {
  constructor(private readonly commands: UserCommands) {}

  /** @throws DomainError what refused it */
  async run(frame: CommandFrame, identity: Identity, reader: Reader): Promise<Ack> {
    const name = BY_OP.get(frame.op);
    if (name === undefined) throw new Error(`no command has the op ${frame.op}`);
    const { id, key } = frame;
    const body = bodyOf(frame);
    if (name === 'SendMessage') return sendAck(id, await this.send(identity, body, key, reader));
    return ack(id, await this.commands.run(name, identity, body, key));
  }

  /** The event may come before the answer: so the reader is said to expect it before it is sent. */
  private async send(
    identity: Identity,
    body: Record<string, unknown>,
    key: string | undefined,
    reader: Reader,
  ): Promise<CommandResult> {
    const sentKey = key ?? freshKey();
    const keyId = commandKeyId(identity.userId, 'SendMessage', roomOf(body), sentKey);
    reader.user.expect(keyId, { reader, key });
    try {
      return await this.commands.run('SendMessage', identity, body, sentKey);
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
