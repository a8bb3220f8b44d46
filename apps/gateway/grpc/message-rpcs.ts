/** Messages: sending, paging, history, search. */
import { Injectable } from '@nestjs/common';
import { DomainError, type MessageView } from '#contract';
import { countMessages, getMessage, pageMessages, pageMessagesByOffset, searchRoom, searchRoomsOf } from '#read-models';
import type { Identity } from '#service';
import { UserCommands } from '../commands/user-commands.js';
import { type Call, listing, unary } from './answering.js';
import { actorOf, callerOf, Callers, keyOf } from './callers.js';
import type {
  ChatMessage,
  GetMessageHistoryRequest,
  GetMessagesRequest,
  SearchMessagesRequest,
  SendMessageRequest,
} from './messages.js';
import { isRoomId, limitOf, Queries } from './queries.js';
import { chatMessage } from './views.js';

/** Characters of a search. */
const QUERY_CHARACTERS_MAX = 200;

export const SEND_REQUIRES = 'user_id, room_id, and content are required';

@Injectable()
export class MessageRpcs {
  constructor(
    private readonly callers: Callers,
    private readonly queries: Queries,
    private readonly commands: UserCommands,
  ) {}

  readonly rpcs = {
    SendMessage: unary(async ({ message }: SendMessageRequest, call) => {
      const signIn = await this.callers.signIn(call.metadata);
      if (message === null) throw new DomainError('invalid_body', 'message cannot be nil');
      const { user_id, room_id, content } = message;
      if (user_id === '' || room_id === '' || content === '') throw new DomainError('invalid_body', SEND_REQUIRES);
      const sent = await this.send(actorOf(signIn, user_id, SEND_REQUIRES), message, call);
      return { message: sent, success: true };
    }),

    GetMessages: unary(async ({ room_id, limit, offset }: GetMessagesRequest, call) => {
      await this.readableRoom(room_id, call);
      const { database } = this.queries;
      const page = { limit: limitOf(limit), offset: Math.max(0, offset), order: 'asc' } as const;
      const [messages, total] = await Promise.all([
        pageMessagesByOffset(database, room_id, page),
        countMessages(database, room_id),
      ]);
      return { messages: messages.map(chatMessage), total };
    }),

    GetMessageHistory: listing((request: GetMessageHistoryRequest, call) => this.history(request, call)),

    SearchMessages: listing((request: SearchMessagesRequest, call) => this.search(request, call)),
  };

  /** The command, and the message as it stands in the views. What is accepted is answered, even where the views are late. */
  private async send(sender: Identity, message: ChatMessage, call: Call): Promise<ChatMessage> {
    const result = await this.commands.run('SendMessage', sender, sendBody(message), keyOf(call.metadata));
    await this.queries.seenOrNotYet(result, call);
    const stored = await getMessage(this.queries.database, message.room_id, result.id);
    if (stored !== undefined) return chatMessage(stored);
    return {
      ...message,
      id: result.id,
      message_type: message.message_type || 'text',
      timestamp: await this.queries.timeOf(result),
    };
  }

  private async readableRoom(roomId: string, call: Call): Promise<void> {
    const signIn = await this.callers.signIn(call.metadata);
    if (roomId === '') throw new DomainError('invalid_body', 'room_id is required');
    await this.queries.caughtUp(call);
    await this.queries.readable(roomId, callerOf(signIn, ''));
  }

  /** The newest messages, or those before one, oldest first. */
  private async *history(request: GetMessageHistoryRequest, call: Call): AsyncGenerator<ChatMessage> {
    await this.readableRoom(request.room_id, call);
    const before = request.before_message_id === '' ? {} : { before: request.before_message_id };
    const page = { limit: limitOf(request.limit), order: 'desc', ...before } as const;
    const { items } = await pageMessages(this.queries.database, request.room_id, page);
    for (const message of items.toReversed()) yield chatMessage(message);
  }

  private async *search(request: SearchMessagesRequest, call: Call): AsyncGenerator<ChatMessage> {
    const signIn = await this.callers.signIn(call.metadata);
    const query = request.query.trim();
    if (query === '') throw new DomainError('invalid_body', 'query is required');
    if (query.length > QUERY_CHARACTERS_MAX)
      throw new DomainError('too_large', `query: must be at most ${QUERY_CHARACTERS_MAX} characters`);
    const caller = callerOf(signIn, request.user_id);
    await this.queries.caughtUp(call);
    const { database } = this.queries;
    const limit = limitOf(request.limit);
    let found: MessageView[] = [];
    if (request.room_id !== '') {
      await this.queries.readable(request.room_id, caller);
      found = await searchRoom(database, request.room_id, query, limit);
    } else if (caller !== undefined) found = await searchRoomsOf(database, caller.userId, query, limit);
    for (const message of found) yield chatMessage(message);
  }
}

/** What of a message is the sender's to say. The handler validates it; a room id that cannot be one names no room. */
export function sendBody(message: ChatMessage): Record<string, unknown> {
  const { room_id, content, message_type, metadata, mentions, reply_to } = message;
  if (!isRoomId(room_id)) throw new DomainError('room_not_found');
  return {
    roomId: room_id,
    content,
    ...(message_type === '' ? {} : { type: message_type }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(reply_to === '' ? {} : { replyTo: reply_to }),
  };
}
