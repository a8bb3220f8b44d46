/**
 * Parley's client for browsers and Node. It holds one connection for all of a user's rooms, comes back by itself, and keeps
 * what the application has asked for until it is answered.
 *
 * - *State*: `state.rooms` is made by one reducer (state.ts) from replayed and live events alike.
 * - *Connection*: its states and transitions stand in connection.ts. After `recovered: false` every room is fetched again.
 * - *Sending*: `send` puts the message into the outbox (outbox.ts) under a key of its own and shows it as pending. However often
 *   the connection is lost, it arrives once, and messages of one room arrive in the order in which they were written.
 * - *Holes*: a room whose chain has a hole is fetched over HTTP (room-sync.ts).
 */
import type { CommandResult, MessageView, Page, ServerFrame } from '#contract';
import { newKey } from '#contract/protocol';
import { type Clock, Connection, type ConnectionState, type SocketConstructor } from './connection.js';
import { Emitter } from './emitter.js';
import { ClosedError } from './errors.js';
import { type Fetch, type HistoryOptions, HttpApi } from './http.js';
import { type Ack, Outbox, type Request, type RequestFrame } from './outbox.js';
import { type Presence, TypingNotices, TypingUsers, WatchList } from './presence.js';
import { RoomSync } from './room-sync.js';
import { type ChatState, type EventFrame, type Message, placed } from './state.js';

export interface ChatClientOptions {
  /** `https://chat.example.org`, or several, one a gateway: each attempt to connect takes the next. */
  readonly url: string | readonly string[];
  /** The token, or what gives one; `refused` says that the last one had expired. */
  readonly token: string | ((refused: boolean) => string | Promise<string>);
  /** Node below 22 has no WebSocket of its own: pass the one of the package `ws`. */
  readonly WebSocket?: SocketConstructor;
  readonly fetch?: Fetch;
  readonly echo?: 'origin' | 'none' | 'all';
  /** Messages that are kept of each room, the newest; 500 when not given. */
  readonly messagesPerRoom?: number;
  readonly clock?: Clock;
  /** In [0, 1): jitter. */
  readonly random?: () => number;
}

/** A message on its way: shown at the end of its room until it has its place. */
export interface PendingMessage {
  readonly key: string;
  /** Absent for a channel that is named by its participants. */
  readonly room: string | undefined;
  readonly content: string;
  /** Takes the message back; false when it is on its way already, or may have arrived before a connection was lost. */
  cancel(): boolean;
}

export interface SendOptions {
  readonly type?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly mentions?: readonly string[];
  readonly replyTo?: string;
}

export interface ConnectionChange {
  readonly state: ConnectionState;
  /** In `waiting`: until the next attempt. */
  readonly retryInMs?: number;
  /** In `closed`. */
  readonly error?: ClosedError;
}

const MESSAGES_PER_ROOM = 500;

export class ChatClient {
  /** Every change of `state` or `pending`. */
  readonly changes = new Emitter<ChatState>();
  readonly connection = new Emitter<ConnectionChange>();
  /** Events of the feed, each once, in their order in each room. */
  readonly events = new Emitter<EventFrame>();
  readonly messages = new Emitter<Message>();
  readonly presence = new Emitter<Presence>();
  readonly typing = new Emitter<{ readonly room: string; readonly users: readonly string[] }>();
  /** Another device of this user has moved a mark. */
  readonly marks = new Emitter<{
    readonly room: string;
    readonly messageId: string;
    readonly kind: 'read' | 'delivered';
  }>();
  readonly http: HttpApi;

  private readonly sync: RoomSync;
  private readonly messagesPerRoom: number;
  private readonly clock: Clock;
  private readonly link: Connection;
  private readonly outbox = new Outbox();
  private readonly watched: WatchList;
  private readonly typed: TypingNotices;
  private readonly typists: TypingUsers;
  private cancelRetry: (() => void) | undefined;
  /** The server's clock less this one's: keys carry the server's time. */
  private serverAheadMs = 0;

  constructor(options: ChatClientOptions) {
    const urls = typeof options.url === 'string' ? [options.url] : options.url;
    const socket = options.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
    if (socket === undefined)
      throw new TypeError('this runtime has no WebSocket: pass one, such as that of the package ws');
    this.clock = options.clock ?? systemClock;
    this.messagesPerRoom = options.messagesPerRoom ?? MESSAGES_PER_ROOM;
    const { token } = options;
    const tokenOf = async (refused: boolean): Promise<string> => (typeof token === 'string' ? token : token(refused));
    this.http = new HttpApi(
      () => trimmed(urls[0] ?? ''),
      () => tokenOf(false),
      options.fetch ?? ((url, init) => fetch(url, init)),
    );
    this.link = new Connection({
      urls: urls.map((url) => `${trimmed(url).replace(/^http/, 'ws')}/ws`),
      token: tokenOf,
      echo: options.echo ?? 'origin',
      socket,
      clock: this.clock,
      random: options.random ?? (() => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32),
      onFrame: (frame) => this.take(frame),
      onState: (state, why) => this.connectionChanged(state, why),
    });
    this.sync = new RoomSync({
      http: this.http,
      clock: this.clock,
      messagesPerRoom: this.messagesPerRoom,
      cursor: () => this.link.cursor,
      onState: (state) => this.changes.emit(state),
      onEvent: (event) => this.happened(event),
      onMissed: (room, seq) => this.announce(room, seq),
    });
    this.watched = new WatchList((users) => this.link.send({ op: 'watch', id: 'watch', users }));
    this.typed = new TypingNotices(this.clock, (room, typing) => this.link.send({ op: 'typing', room, typing }));
    this.typists = new TypingUsers(this.clock, (room, users) => this.typing.emit({ room, users }));
  }

  get state(): ChatState {
    return this.sync.state;
  }

  get connectionState(): ConnectionState {
    return this.link.state;
  }

  /** The last cursor, to resume with in another process: `resumeFrom`. */
  get cursor(): string | undefined {
    return this.link.cursor;
  }

  /** Own messages that have no place yet, in the order in which they were written. */
  get pending(): readonly PendingMessage[] {
    return this.outbox.pending.filter(({ frame }) => frame.op === 'send').map((request) => this.pendingOf(request));
  }

  /**
   * Connects, and stays connected. Resolves when the client is live for the first time.
   * @param resumeFrom the cursor of an earlier client of this user
   * @throws ClosedError when the server refuses for good
   */
  connect(resumeFrom?: string): Promise<void> {
    if (this.link.state === 'idle' && resumeFrom !== undefined) this.link.cursor = resumeFrom;
    return new Promise((resolve, reject) => {
      if (this.link.state === 'live') return resolve();
      const off = this.connection.on(({ state, error }) => {
        if (state !== 'live' && state !== 'closed') return;
        off();
        if (state === 'live') resolve();
        else reject(error ?? new ClosedError('closed'));
      });
      this.link.open();
    });
  }

  /** Ends the connection and rejects what has not been answered. */
  close(): void {
    this.link.close();
  }

  /** The network is back: do not wait for the next attempt. */
  retryNow(): void {
    this.link.retryNow();
  }

  /**
   * Sends a message. It is kept until it is answered, also while there is no connection.
   * @param to a room's id, or the participants of a channel
   * @throws RefusedError, ClosedError, LimitError
   */
  async send(to: string | readonly string[], content: string, options: SendOptions = {}): Promise<Ack> {
    const target = typeof to === 'string' ? { room: to } : { participants: to };
    if (typeof to === 'string') this.typed.stopped(to);
    return this.request(laneOf(to), { op: 'send', ...target, content, ...options, key: this.key() });
  }

  join(room: string): Promise<Ack> {
    return this.request(room, { op: 'join', room, key: this.key() });
  }

  leave(room: string): Promise<Ack> {
    return this.request(room, { op: 'leave', room, key: this.key() });
  }

  setStatus(status: { readonly online?: boolean; readonly status?: Readonly<Record<string, string>> }): Promise<Ack> {
    return this.request('status', { op: 'status', ...status, key: this.key() });
  }

  markRead(room: string, messageId: string): Promise<Ack> {
    return this.request(`marks ${room}`, { op: 'read', room, messageId });
  }

  markDelivered(room: string, messageId: string): Promise<Ack> {
    return this.request(`marks ${room}`, { op: 'delivered', room, messageId });
  }

  createRoom(room: Parameters<HttpApi['createRoom']>[0]): Promise<CommandResult> {
    return this.http.createRoom(room, this.key());
  }

  /** A page of a room's messages; a page of older ones does not change `state`. */
  history(room: string, options: HistoryOptions = {}): Promise<Page<MessageView>> {
    return this.http.history(room, options);
  }

  /** Fetches the newest messages of a room into `state`. */
  async load(room: string): Promise<void> {
    await this.sync.fetch(room);
  }

  /** Shows these users' presence until what is returned is called; they have to share a room with this user. */
  watch(users: readonly string[]): () => void {
    return this.watched.add(users);
  }

  /** Call it at every key press in a room's field. */
  userTyped(room: string): void {
    this.typed.typed(room);
  }

  whoTypes(room: string): readonly string[] {
    return this.typists.in(room);
  }

  // --- frames

  private take(frame: ServerFrame): void {
    switch (frame.op) {
      case 'welcome':
        this.serverAheadMs = Date.parse(frame.time) - this.clock.now();
        return this.sync.welcome(frame);
      case 'event':
      case 'skip':
        return this.sync.take(frame);
      case 'ack':
        return this.acknowledged(frame);
      case 'error':
        this.outbox.refused(frame, this.clock.now());
        return this.flush();
      case 'presence': {
        const { user, online, lastSeen, status } = frame;
        return this.presence.emit({ user, online, lastSeen, status });
      }
      case 'typing':
        return this.typists.heard(frame);
      case 'marked':
        return this.marks.emit({ room: frame.room, messageId: frame.messageId, kind: frame.kind });
      case 'caught_up':
      case 'cursor':
      case 'pong':
      case 'drain':
        return undefined; // the connection's own
    }
  }

  private happened(event: EventFrame): void {
    this.events.emit(event);
    if (event.type === 'message.sent') this.announce(event.room, event.seq);
  }

  private announce(room: string, seq: number): void {
    const message = this.state.rooms.get(room)?.messages.findLast((known) => known.seq === seq);
    if (message !== undefined) this.messages.emit(message);
  }

  private acknowledged(frame: Ack): void {
    const request = this.outbox.acknowledged(frame);
    const message =
      request && ownMessage(request, frame, this.sync.state.user, new Date(this.clock.now()).toISOString());
    const { state } = this.sync;
    this.sync.show(message === undefined ? state : placed(state, message, this.messagesPerRoom));
    this.flush();
  }

  private connectionChanged(state: ConnectionState, why: Omit<ConnectionChange, 'state'>): void {
    if (state === 'waiting' || state === 'closed') this.outbox.connectionLost();
    if (state === 'live') {
      if (this.watched.users.length > 0) this.link.send({ op: 'watch', id: 'watch', users: this.watched.users });
      this.flush();
    }
    if (state === 'closed') this.ended(why.error ?? new ClosedError('closed'));
    this.connection.emit({ state, ...why });
  }

  private ended(error: ClosedError): void {
    this.cancelRetry?.();
    this.sync.close();
    this.typed.close();
    this.typists.close();
    this.outbox.close(error);
    for (const emitter of [
      this.changes,
      this.connection,
      this.events,
      this.messages,
      this.presence,
      this.typing,
      this.marks,
    ])
      emitter.end();
  }

  // --- requests

  private request(lane: string, frame: RequestFrame): Promise<Ack> {
    if (this.link.state === 'closed') return Promise.reject(new ClosedError('the client is closed'));
    const answer = this.outbox.add(lane, frame);
    this.flush();
    this.changes.emit(this.sync.state);
    return answer;
  }

  private flush(): void {
    const nowMs = this.clock.now();
    for (const request of this.outbox.due(nowMs)) request.sent = this.link.send({ ...request.frame, id: request.id });
    this.cancelRetry?.();
    const nextMs = this.outbox.nextDueMs(nowMs);
    if (nextMs !== undefined) this.cancelRetry = this.clock.after(nextMs - nowMs, () => this.flush());
  }

  private pendingOf({ id, frame }: Request): PendingMessage {
    const room = typeof frame['room'] === 'string' ? frame['room'] : undefined;
    const cancel = (): boolean => {
      const done = this.outbox.cancel(id);
      if (done) this.changes.emit(this.sync.state);
      return done;
    };
    return { key: frame.key ?? '', room, content: String(frame['content']), cancel };
  }

  private key(): string {
    return newKey(Math.max(0, this.clock.now() + this.serverAheadMs), crypto.getRandomValues(new Uint8Array(10)));
  }
}

const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};

const trimmed = (url: string): string => url.replace(/\/+$/, '');
const laneOf = (to: string | readonly string[]): string => (typeof to === 'string' ? to : [...to].sort().join('\n'));

/** The feed skips this client's own messages: their acknowledgement gives them their place. */
function ownMessage({ frame }: Request, { messageId, room, seq }: Ack, user: string, at: string): Message | undefined {
  if (frame.op !== 'send' || messageId === undefined || room === undefined || seq === undefined) return undefined;
  const { type = 'text', metadata = {}, mentions = [], replyTo = null } = frame as Partial<Message>;
  return {
    id: messageId,
    room,
    seq,
    sender: user,
    content: String(frame['content']),
    type,
    metadata,
    mentions,
    replyTo,
    at,
  };
}
