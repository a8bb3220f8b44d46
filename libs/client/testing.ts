/**
 * A server in memory for tests of applications: the real client on a socket and a fetch that never leave the process. A test
 * sets rooms, history, events, refusals, disconnects, duplicates and delays, and nothing happens but by its will.
 *
 *     const server = new MockServer({ user: 'alice' });
 *     server.room('tea', { name: 'Tea room', messages: [{ sender: 'bob', content: 'Tea?' }] });
 *     const client = server.client();
 *     await client.connect();
 *     server.say('tea', 'bob', 'Hello');   // a live event
 *     server.disconnect();                 // the client comes back by itself
 */
import type { ServerFrame, ServerFrameOf } from '#contract';
import { ChatClient, type ChatClientOptions } from './chat-client.js';
import type { Clock, SocketLike } from './connection.js';
import { mockAnswer, type MockEntry, type MockRoom, timeOf } from './mock-http.js';

type ClientOp = { readonly op: string; readonly id?: string } & Readonly<Record<string, unknown>>;

/** How the next frames to the client are treated, in order of arrival. */
export interface Trouble {
  /** Every event twice. */
  duplicates?: boolean;
  /** Events of these sequences never arrive live. */
  lost?: (seq: number) => boolean;
  /** Acknowledgements are lost with the connection: done, but never said. */
  loseAcks?: boolean;
  /** Answers a request with a refusal instead of doing it; undefined lets it pass. */
  refuse?: (frame: ClientOp) => Omit<ServerFrameOf<'error'>, 'op' | 'id'> | undefined;
  /** `hello` is answered with `recovered: false`. */
  forgetCursors?: boolean;
}

const EPOCH = 'mock';
const HEARTBEAT_MS = 25_000;
const OPEN = 1;
const CLOSED = 3;

export class MockServer {
  readonly trouble: Trouble = {};
  /** Every frame that a client has sent. */
  readonly received: ClientOp[] = [];
  private readonly rooms = new Map<string, MockRoom>();
  private readonly results = new Map<string, ServerFrameOf<'ack'>>();
  private readonly user: string;
  private readonly names: Readonly<Record<string, string>>;
  private seq = 0;
  private socket: MockSocket | undefined;
  private reachable = true;

  /** @param options.names user names by id, where they are not the ids themselves */
  constructor(options: { readonly user: string; readonly names?: Readonly<Record<string, string>> }) {
    this.user = options.user;
    this.names = options.names ?? {};
  }

  /** A client of this server, its user signed in. */
  client(options: Partial<ChatClientOptions> = {}): ChatClient {
    const connected = (socket: MockSocket): void => this.connected(socket);
    class Socket extends MockSocket {
      constructor() {
        super();
        connected(this);
      }
    }
    const given = { url: 'http://mock', token: 'mock', WebSocket: Socket, clock: promptClock, random: () => 0 };
    return new ChatClient({ ...given, fetch: (url) => this.fetch(url), ...options });
  }

  /** Makes a room, with the user in it and a history, all before anybody connects. */
  room(
    id: string,
    options: {
      name?: string;
      members?: readonly string[];
      /** False: the user may find it, and join it. */
      joined?: boolean;
      messages?: readonly { sender: string; content: string }[];
    } = {},
  ): void {
    this.rooms.set(id, {
      id,
      name: options.name ?? id,
      members: new Set([...(options.joined === false ? [] : [this.user]), ...(options.members ?? [])]),
      log: [],
      readSeq: 0,
    });
    for (const { sender, content } of options.messages ?? []) this.say(id, sender, content);
  }

  /** Somebody says something. */
  say(roomId: string, sender: string, content: string): ServerFrameOf<'event'> {
    return this.append(roomId, sender, { content }).frame;
  }

  /** Any frame, as it is. */
  push(frame: ServerFrame): void {
    this.socket?.deliver(frame);
  }

  /** Somebody comes or goes. */
  member(roomId: string, userId: string, joined: boolean): void {
    const room = this.roomOf(roomId);
    if (joined) room.members.add(userId);
    else room.members.delete(userId);
    const standing = joined ? 'member' : 'left';
    const data = { userId, standing, role: 'member', muted: false, banned: false };
    const type = joined ? 'member.joined' : 'member.left';
    this.push({ op: 'event', type, room: roomId, seq: ++this.seq, actor: userId, at: timeOf(this.seq), data });
  }

  /** Cuts the connection; the client may come back at once, or only after `comeBack` when `away`. */
  disconnect(options: { code?: number; away?: boolean } = {}): void {
    this.reachable = options.away !== true;
    this.socket?.end(options.code ?? 1006);
  }

  comeBack(): void {
    this.reachable = true;
  }

  get isConnected(): boolean {
    return this.socket?.readyState === OPEN;
  }

  private connected(socket: MockSocket): void {
    if (!this.reachable) return socket.end(1006);
    this.socket = socket;
    socket.onSend = (text) => this.take(socket, JSON.parse(text) as ClientOp);
    socket.open();
  }

  private take(socket: MockSocket, frame: ClientOp): void {
    this.received.push(frame);
    switch (frame.op) {
      case 'hello':
        return this.hello(socket, frame['since'] as string | undefined);
      case 'ping':
        return socket.deliver({ op: 'pong', cursor: this.cursor() });
      case 'typing':
        return undefined;
      default:
        return this.request(socket, { ...frame, id: frame.id ?? '' });
    }
  }

  private hello(socket: MockSocket, since: string | undefined): void {
    const from = since === undefined ? this.seq : Number(since.split('.')[1]);
    const recovered = since === undefined || this.trouble.forgetCursors !== true;
    const after = recovered ? from : this.seq;
    const mine = [...this.rooms.values()].filter(({ members }) => members.has(this.user));
    const rooms = mine.map(({ id, name, log }) => {
      const known = log.filter(({ seq }) => seq <= after);
      return {
        room: id,
        kind: 'room' as const,
        name,
        role: 'member',
        seq: known.at(-1)?.seq ?? 0,
        ordinal: known.length,
      };
    });
    const cursor = `${EPOCH}.${after}`;
    socket.deliver({
      op: 'welcome',
      session: 'mock',
      user: this.user,
      cursor,
      recovered,
      heartbeatMs: HEARTBEAT_MS,
      time: new Date().toISOString(),
      rooms,
    });
    const missed = mine
      .flatMap(({ log }) => log)
      .filter(({ seq }) => seq > after)
      .sort((a, b) => a.seq - b.seq);
    for (const { frame } of missed) socket.deliver(frame);
    socket.deliver({ op: 'caught_up', cursor: this.cursor() });
  }

  private request(socket: MockSocket, frame: ClientOp & { readonly id: string }): void {
    const refusal = this.trouble.refuse?.(frame);
    if (refusal !== undefined) return socket.deliver({ op: 'error', id: frame.id, ...refusal });
    const key = typeof frame['key'] === 'string' ? frame['key'] : undefined;
    const first = key === undefined ? undefined : this.results.get(key);
    const ack = first === undefined ? this.perform(socket, frame, key) : { ...first, id: frame.id, duplicate: true };
    if (ack === undefined) return;
    if (key !== undefined && first === undefined) this.results.set(key, ack);
    if (this.trouble.loseAcks === true) return this.disconnect();
    socket.deliver(ack);
  }

  private perform(
    socket: MockSocket,
    frame: ClientOp & { readonly id: string },
    key: string | undefined,
  ): ServerFrameOf<'ack'> | undefined {
    const participants = frame['participants'] as string[] | undefined;
    const roomId = String(frame['room'] ?? participants?.join('-') ?? '');
    if (frame.op === 'read') this.markRead(roomId, String(frame['messageId']));
    if (frame.op === 'watch' || frame.op === 'status' || frame.op === 'read' || frame.op === 'delivered')
      return { op: 'ack', id: frame.id };
    if (participants !== undefined && !this.rooms.has(roomId)) this.room(roomId, { members: participants });
    const room = this.rooms.get(roomId);
    if (room === undefined || (frame.op === 'send' && !room.members.has(this.user))) {
      const [code, message] =
        room === undefined ? ['room_not_found', 'room not found'] : ['not_member', 'user is not a member of this room'];
      socket.deliver({ op: 'error', id: frame.id, code: code ?? '', message: message ?? '', temporary: false });
      return undefined;
    }
    if (frame.op !== 'send') {
      this.member(roomId, this.user, frame.op === 'join');
      return { op: 'ack', id: frame.id, room: roomId, position: `0-${this.seq}`, duplicate: false, changed: true };
    }
    const { seq, frame: event } = this.append(roomId, this.user, { ...frame, content: String(frame['content']) }, key);
    return {
      op: 'ack',
      id: frame.id,
      messageId: String(event.data['id']),
      room: roomId,
      seq,
      position: `0-${seq}`,
      duplicate: false,
    };
  }

  private markRead(roomId: string, messageId: string): void {
    const room = this.rooms.get(roomId);
    const entry = room?.log.find(({ frame }) => frame.data['id'] === messageId);
    if (room && entry) room.readSeq = Math.max(room.readSeq, entry.seq);
  }

  private append(
    roomId: string,
    sender: string,
    message: { content: string } & Record<string, unknown>,
    key?: string,
  ): MockEntry {
    const room = this.roomOf(roomId);
    const seq = ++this.seq;
    const prev = room.log.at(-1)?.seq ?? 0;
    const { content, type = 'text', metadata = {}, mentions = [], replyTo = null } = message;
    const data = {
      id: `msg_${seq * 1024}`,
      sender,
      content,
      type,
      metadata,
      mentions,
      replyTo,
      ordinal: room.log.length + 1,
    };
    const frame = {
      op: 'event',
      type: 'message.sent',
      room: roomId,
      seq,
      prev,
      actor: sender,
      at: timeOf(seq),
      data,
    } as const;
    const entry = { seq, prev, room: roomId, frame, key };
    room.log.push(entry);
    this.live(room, entry);
    return entry;
  }

  private live(room: MockRoom, { seq, prev, frame, key }: MockEntry): void {
    if (!room.members.has(this.user) || this.trouble.lost?.(seq) === true) return;
    const shown: ServerFrame = key === undefined ? frame : { op: 'skip', room: room.id, seq, prev, key };
    this.push(shown);
    if (this.trouble.duplicates === true) this.push(shown);
    this.push({ op: 'cursor', cursor: this.cursor() });
  }

  private fetch(url: string): Promise<Response> {
    const { user, seq, rooms, names } = this;
    return Promise.resolve(mockAnswer(url, { user, seq, rooms, names }));
  }

  private cursor(): string {
    return `${EPOCH}.${this.seq}`;
  }

  private roomOf(id: string): MockRoom {
    const room = this.rooms.get(id);
    if (room === undefined) throw new Error(`the mock has no room ${id}: make it with room('${id}')`);
    return room;
  }
}

/** A socket whose other end is the mock. What is delivered arrives in order, each frame in a turn of its own. */
class MockSocket implements SocketLike {
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onSend: (text: string) => void = () => undefined;

  open(): void {
    queueMicrotask(() => {
      this.readyState = OPEN;
      this.onopen?.({} as never);
    });
  }

  send(data: string): void {
    queueMicrotask(() => this.onSend(data));
  }

  deliver(frame: ServerFrame): void {
    const data = JSON.stringify(frame);
    queueMicrotask(() => {
      if (this.readyState === OPEN) this.onmessage?.({ data } as never);
    });
  }

  end(code: number): void {
    queueMicrotask(() => {
      if (this.readyState === CLOSED) return;
      this.readyState = CLOSED;
      this.onclose?.({ code } as never);
    });
  }

  close(): void {
    this.readyState = CLOSED;
  }
}

/** Retries come at once, so that a test need not wait; heartbeats never. */
const promptClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms >= HEARTBEAT_MS / 2 ? ms : Math.min(ms, 5));
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer);
  },
};
