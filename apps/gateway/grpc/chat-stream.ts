/**
 * One call of `ChatStream` or `Chat`. States: *unknown* (no token, and no action yet that names the user), *opening* (its reader is
 * on the way), *live*, *ended*. Actions are taken one at a time; the client is not read meanwhile, so that it is the network
 * that makes it wait. A refused action is answered, and the stream lives.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { CLOSE, type CloseCode, type CommandResult, DomainError, LIMITS, parsePosition } from '#contract';
import type { Identity } from '#service';
import { openReader } from '../feed/opening.js';
import { Reader } from '../feed/reader.js';
import { TOO_MANY_CONNECTIONS } from '../presence/here.js';
import { callerOf, type SignIn, textOf } from './callers.js';
import { onFault } from './answering.js';
import { refuseUnfit } from './chat-proto.js';
import type { ChatAction } from './messages.js';
import { SEND_REQUIRES, sendBody } from './message-rpcs.js';
import { COME_BACK, statusOf } from './status.js';
import type { StreamEncoding } from './stream-frames.js';
import { StreamSink } from './stream-sink.js';
import type { StreamParts } from './stream-rpcs.js';
import { chatMessage } from './views.js';

/** Request metadata: the cursor to resume with. Trailers: the one to resume with next time. */
export const CURSOR_METADATA = 'parley-cursor';
/** A client that has said all that it wants to say still hears its own, and then the stream ends. */
const LAST_WORDS_MS = 2_000;
const LOOK_AGAIN_MS = 2;

export type StreamCall = ServerDuplexStream<ChatAction, Buffer>;

export class ChatStream {
  private readonly sink: StreamSink;
  private reader: Reader | undefined;
  private identity: Identity | undefined;
  private opened: Promise<void> | undefined;
  private ended = false;
  /** By partition: up to where this stream has written the log. */
  private readonly written: number[] = [];

  constructor(
    private readonly call: StreamCall,
    private readonly signIn: SignIn,
    encoding: StreamEncoding,
    private readonly parts: StreamParts,
  ) {
    const outgoing = {
      write: (bytes: Buffer) => this.ended || call.write(bytes),
      end: (code: CloseCode, reason: string) => this.close(code, reason),
    };
    this.sink = new StreamSink(encoding, outgoing, this.since !== undefined);
  }

  /** From here on it is read. */
  begin(): void {
    const { call } = this;
    if (call.cancelled) return this.leave();
    call.on('drain', () => this.sink.drained());
    call.once('cancelled', () => this.leave());
    call.once('close', () => this.leave());
    call.on('data', (action: ChatAction) => {
      call.pause();
      this.act(action)
        .catch(onFault)
        .finally(() => call.resume());
    });
    call.once('end', () => void this.sayGoodbye().catch(onFault));
    if (this.signIn.identity !== undefined) this.open(this.signIn.identity);
  }

  /** Everything that depends on time. */
  sweep(nowMs: number, wallMs: number, stallMs: number): void {
    const { stalledSinceMs } = this.sink;
    if (stalledSinceMs > 0 && nowMs - stalledSinceMs >= stallMs) this.sink.close(CLOSE.slowReader, 'slow reader');
    else if (this.identity !== undefined && this.identity.expiresAtMs <= wallMs)
      this.sink.close(CLOSE.tokenExpired, 'token expired');
  }

  drain(): void {
    this.sink.close(CLOSE.draining, 'draining');
  }

  private get since(): string | undefined {
    return textOf(this.call.metadata, CURSOR_METADATA);
  }

  // --- what the client says

  private async act(action: ChatAction): Promise<void> {
    try {
      refuseUnfit(action);
      const identity = this.identify(action);
      await this.opened;
      if (this.ended || this.reader === undefined) return;
      await this.take(action, identity, this.reader);
    } catch (error) {
      const { code, details } = statusOf(error, onFault);
      const metadata = { code: String(code), message: details };
      // Nothing is known of an action that was too large to be read.
      this.answer('error', action.room_id ?? '', metadata);
    }
  }

  /** A stream is one user's: the token's, or in demo mode the one that its first action names. */
  private identify({ user_id, message }: ChatAction): Identity {
    const named = user_id === '' ? (message?.user_id ?? '') : user_id;
    const known = this.identity;
    if (known === undefined) {
      const caller = callerOf(this.signIn, named);
      if (caller === undefined) throw new DomainError('invalid_body', 'user_id is required');
      this.open(caller);
      return caller;
    }
    const others = [user_id, message?.user_id ?? ''].filter((id) => id !== '' && id !== known.userId);
    if (others.length > 0) throw new DomainError('forbidden');
    return known;
  }

  private async take(action: ChatAction, identity: Identity, reader: Reader): Promise<void> {
    switch (action.action_type) {
      case 'join':
        return this.join(roomOf(action), identity, reader);
      case 'leave':
        return this.leaveRoom(roomOf(action), identity);
      case 'send':
        return this.send(action, identity);
      case 'typing':
      case 'stop_typing':
        return this.parts.typing.say(reader, roomOf(action), action.action_type === 'typing');
      default:
        throw new DomainError('invalid_body', 'action_type takes join, leave, send, typing, stop_typing');
    }
  }

  /** The join command; for a member it only shows the room here. */
  private async join(roomId: string, identity: Identity, reader: Reader): Promise<void> {
    // Here an unknown room is refused, also where joining over HTTP would make it.
    if (!(await this.parts.queries.roomExists(roomId))) throw new DomainError('room_not_found');
    await this.showing(roomId, async () => {
      this.note(await this.parts.commands.run('JoinRoom', identity, { roomId }));
      await this.heardOf(reader, roomId);
      if (this.sink.encoding.namesUsers) await this.parts.users.learnMembers(roomId);
      this.answer('joined', roomId, { status: 'success' });
    });
  }

  private async leaveRoom(roomId: string, identity: Identity): Promise<void> {
    const { changed } = this.note(await this.parts.commands.run('LeaveRoom', identity, { roomId }));
    if (!changed) throw new DomainError('not_member', 'User is not a member of this room');
    this.sink.hide(roomId);
    this.answer('left', roomId, { status: 'success' });
  }

  /** Who sends to a room hears it from there on, their own message first of all. */
  private async send(action: ChatAction, identity: Identity): Promise<void> {
    const { message, room_id } = action;
    if (message === null) throw new DomainError('invalid_body', 'message cannot be nil');
    if (room_id !== '' && message.room_id !== '' && room_id !== message.room_id)
      throw new DomainError('invalid_body', 'room_id: the action and its message name different rooms');
    const roomId = message.room_id || room_id;
    if (roomId === '' || message.content === '') throw new DomainError('invalid_body', SEND_REQUIRES);
    const body = sendBody({ ...message, room_id: roomId });
    const key = action.metadata['idempotency-key'];
    await this.showing(roomId, async () => {
      const result = this.note(await this.parts.commands.run('SendMessage', identity, body, key));
      if (result.duplicate) await this.sayAgain(roomId, result);
    });
  }

  /** A repeated key makes no event: the first one's message is the answer. */
  private async sayAgain(roomId: string, result: CommandResult): Promise<void> {
    const stored = await this.parts.queries.message(roomId, result);
    if (stored === undefined) return;
    const { sender: user, createdAt: at } = stored;
    const metadata = { duplicate: 'true' };
    this.sink.say({ type: 'message', user, room: roomId, at, message: chatMessage(stored), metadata });
  }

  /** Nothing of the room is missed while the command is under way, and nothing is shown where it is refused. */
  private async showing(roomId: string, command: () => Promise<void>): Promise<void> {
    if (this.sink.shows(roomId)) return command();
    this.sink.hold(roomId);
    try {
      await command();
    } catch (error) {
      this.sink.hide(roomId);
      throw error;
    }
    this.sink.show(roomId);
  }

  /** The feed learns of a membership by itself, mostly before the command's answer is here. */
  private async heardOf(reader: Reader, roomId: string): Promise<void> {
    const giveUpAtMs = performance.now() + LIMITS.positionWaitMs;
    while (!this.ended && !reader.user.isMember(roomId) && performance.now() < giveUpAtMs) await delay(LOOK_AGAIN_MS);
  }

  private note(result: CommandResult): CommandResult {
    const place = parsePosition(result.position);
    if (place !== undefined) this.written[place.partition] = Math.max(this.written[place.partition] ?? 0, place.seq);
    return result;
  }

  private answer(type: string, room: string, metadata: Record<string, string>): void {
    const user = this.identity?.userId ?? '';
    this.sink.say({ type, user, room, at: new Date().toISOString(), metadata });
  }

  // --- its life

  private open(identity: Identity): void {
    this.identity = identity;
    this.sink.userId = identity.userId;
    this.opened = this.openNow(identity).catch((error: unknown) => {
      onFault(error);
      this.sink.close(CLOSE.replayFailed, 'replay failed');
    });
  }

  private async openNow(identity: Identity): Promise<void> {
    const { feed, here } = this.parts;
    if (feed.broken !== undefined) return this.sink.close(CLOSE.epochChanged, 'the log has begun another epoch');
    if (here.isFull || feed.openings.isFull) return this.sink.close(CLOSE.draining, 'too many connections');
    if (!here.connected(identity.userId)) return this.sink.close(CLOSE.tooManyConnections, TOO_MANY_CONNECTIONS);
    const reader = new Reader(randomUUID(), this.sink, 'all', identity.sessionId);
    this.reader = reader;
    const { since } = this;
    const from = since === undefined ? { ends: await feed.lastSequences() } : { since };
    if (!this.ended) await openReader(feed, reader, identity.userId, from);
  }

  /** The client has said all that it has to say: what it has done is shown to it first. */
  private async sayGoodbye(): Promise<void> {
    await this.opened;
    const { feed } = this.parts;
    const reached = feed.reach(Array.from(this.written, (seq) => seq ?? 0));
    await Promise.race([reached, delay(LAST_WORDS_MS, undefined, { ref: false })]);
    if (this.ended) return;
    feed.flush();
    this.ended = true;
    this.leave();
    this.call.end(this.trailers());
  }

  private close(code: CloseCode, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.leave();
    const resume = code < CLOSE.signInRefused;
    const details = resume ? `${reason}: reconnect and resume` : reason;
    this.call.emit('error', { code: STATUS[code], details, metadata: this.trailers() });
  }

  private trailers(): Metadata {
    const metadata = new Metadata();
    if (this.sink.cursor !== '') metadata.set(CURSOR_METADATA, this.sink.cursor);
    return metadata;
  }

  /** The call is over, whoever ended it. */
  private leave(): void {
    this.ended = true;
    this.parts.forget(this);
    const { reader, identity } = this;
    if (reader === undefined || identity === undefined) return;
    this.reader = undefined;
    this.parts.here.disconnected(identity.userId);
    this.parts.feed.leave(reader);
  }
}

/** How the feed's reasons end a call. */
const STATUS: Readonly<Record<CloseCode, status>> = {
  [CLOSE.draining]: COME_BACK,
  [CLOSE.slowReader]: COME_BACK,
  [CLOSE.heartbeatMissed]: COME_BACK,
  [CLOSE.epochChanged]: COME_BACK,
  [CLOSE.replayFailed]: COME_BACK,
  [CLOSE.signInRefused]: status.UNAUTHENTICATED,
  [CLOSE.tokenExpired]: status.UNAUTHENTICATED,
  [CLOSE.sessionRevoked]: status.UNAUTHENTICATED,
  [CLOSE.protocolError]: status.INVALID_ARGUMENT,
  [CLOSE.frameTooLarge]: status.RESOURCE_EXHAUSTED,
  [CLOSE.tooManyConnections]: status.RESOURCE_EXHAUSTED,
};

function roomOf({ room_id }: ChatAction): string {
  if (room_id === '') throw new DomainError('invalid_body', 'user_id and room_id are required');
  return room_id;
}
