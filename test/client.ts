/**
 * A client that keeps to the contract of `parley.v1` and writes down everything that happens to it, for the history checker:
 * it resumes with its last cursor, repeats what was not answered with the same key, takes a timeline event when it follows what it
 * has, and reads a room again over HTTP when a resume was not recovered.
 *
 * States: `down` -> connect -> `greeting` (hello sent) -> welcome -> `replaying` -> caught_up -> `up`; every loss of the
 * connection leads to `down` and, but for a close code of 4500-4999, to the next attempt.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { mayReconnect, newKey, parseCursor, type ServerFrame, type ServerFrameOf } from '#contract';
import { waitUntil } from '#embedded';
import {
  recordedNow,
  type ClientHistory,
  type ClientStep,
  type MoveRecord,
  type SendOutcome,
  type SendRecord,
} from '#testing';
import { ClientHttp, Unavailable } from './client-http.js';
import { Socket, type Frame } from './socket.js';

export interface ClientOptions {
  readonly name: string;
  readonly user: string;
  readonly token: string;
  /** WebSocket URLs of the gateways: each attempt takes the next. */
  readonly sockets: readonly string[];
  readonly http: string;
  readonly onFault?: (fault: string) => void;
}

/** What a request came to, however often it was repeated. */
export type Reply =
  | { readonly kind: 'acknowledged'; readonly frame: ServerFrameOf<'ack'> }
  | { readonly kind: 'skipped'; readonly seq: number }
  | { readonly kind: 'refused'; readonly code: string };

interface Pending {
  readonly frame: Fields & { readonly id: string; readonly op: string };
  readonly resolve: (reply: Reply) => void;
  sentAt: number;
}
type Fields = Readonly<Record<string, unknown>>;
type Sent = SendRecord & { outcome: SendOutcome; answeredAt?: number };

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 400;
const PING_MS = 1_000;
/** A connection that says nothing for so long is given up: the peer may be gone without a word. */
const SILENCE_MAX_MS = 20_000;
/** A request without any answer on a living connection is repeated after this, and told as a fault. */
const ANSWER_MAX_MS = 20_000;

export class TestClient {
  readonly #steps: ClientStep[] = [];
  readonly #sends: Sent[] = [];
  readonly #moves: MoveRecord[] = [];
  readonly #pending = new Map<string, Pending>();
  /** By room: the last timeline entry that it has. */
  readonly #last = new Map<string, number>();
  readonly #http: ClientHttp;
  readonly faults: string[] = [];
  /** By room: the newest message that it was shown. */
  readonly newest = new Map<string, string>();
  /** Rooms that this user is in, as far as the feed says. */
  readonly rooms = new Set<string>();
  #socket: Socket | undefined;
  #cursor: string | undefined;
  #state: 'down' | 'greeting' | 'replaying' | 'up' = 'down';
  #stopped = false;
  #asleep = false;
  #attempts = randomInt(1_000);
  #requests = 0;
  #heardAt = 0;
  #refetching = 0;
  #timers: NodeJS.Timeout[] = [];
  /** How often a resume succeeded, and how often the rooms had to be read again. */
  resumes = 0;
  restarts = 0;
  cuts = 0;

  constructor(readonly options: ClientOptions) {
    this.#http = new ClientHttp(options.http, options.token, (fault) => this.#fault(fault));
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  get isUp(): boolean {
    return this.#state === 'up' && this.#refetching === 0;
  }

  /** It has everything up to these ends of the partitions, and a cursor that says so. */
  hasReached(ends: readonly number[]): boolean {
    const seqs = this.#cursor === undefined ? undefined : parseCursor(this.#cursor)?.seqs;
    return this.isUp && seqs !== undefined && ends.every((end, partition) => (seqs[partition] ?? 0) >= end);
  }

  get unanswered(): number {
    return this.#pending.size + this.#http.pending;
  }

  get acknowledged(): number {
    return this.#sends.filter(({ outcome }) => outcome.kind === 'acknowledged').length;
  }

  /** Connects, and stays connected until `stop`; resolves when it is up for the first time. */
  async start(): Promise<this> {
    this.#connect();
    this.#timers.push(setInterval(() => this.#tend(), PING_MS));
    await waitUntil(`${this.options.name} is up`, 60_000, () => this.isUp);
    return this;
  }

  /** Cuts the connection as a lost network would; it comes back by itself. */
  cut(): void {
    this.cuts += 1;
    this.#socket?.cut();
  }

  /** As a closed laptop: the connection is lost, and stays so until `wake`. */
  sleep(): void {
    this.#asleep = true;
    this.cut();
  }

  wake(): void {
    this.#asleep = false;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#http.stop();
    this.#timers.forEach((timer) => clearInterval(timer));
    this.#socket?.cut();
  }

  async send(room: string, content: string, key = newKey(Date.now(), randomBytes(10))): Promise<SendOutcome> {
    const record = this.#begin(room, content, key);
    return settled(record, outcomeOf(await this.request({ op: 'send', room, content, key })));
  }

  /** The same over HTTP, where nobody repeats it but the caller. */
  async sendOverHttp(room: string, content: string, key = newKey(Date.now(), randomBytes(10))): Promise<SendOutcome> {
    const record = this.#begin(room, content, key);
    return settled(record, await this.#http.send(room, content, key));
  }

  join(room: string): Promise<Reply> {
    return this.#move(room, 'join');
  }

  leave(room: string): Promise<Reply> {
    return this.#move(room, 'leave');
  }

  #begin(room: string, content: string, key: string): Sent {
    const record: Sent = { room, key, content, outcome: { kind: 'unknown' }, sentAt: recordedNow() };
    this.#sends.push(record);
    return record;
  }

  async #move(room: string, what: MoveRecord['what']): Promise<Reply> {
    const sentAt = recordedNow();
    const reply = await this.request({ op: what, room });
    if (reply.kind !== 'acknowledged') return reply;
    const { position = '', changed = true } = reply.frame;
    this.#moves.push({ room, what, position, changed, sentAt, answeredAt: recordedNow() });
    return reply;
  }

  /** Repeats the request, as it is, over every loss of the connection, until it has an answer that is not temporary. */
  request(fields: Fields & { readonly op: string }): Promise<Reply> {
    const frame = { ...fields, id: `r${(this.#requests += 1)}` };
    return new Promise((resolve) => {
      const pending = { frame, resolve, sentAt: 0 };
      this.#pending.set(frame.id, pending);
      this.#transmit(pending);
    });
  }

  history(complete: boolean): ClientHistory {
    const { name, user } = this.options;
    return { client: name, user, via: 'socket', sends: this.#sends, moves: this.#moves, steps: this.#steps, complete };
  }

  #connect(): void {
    if (this.#stopped) return;
    const { sockets, token } = this.options;
    const url = sockets[(this.#attempts += 1) % sockets.length] ?? '';
    const socket: Socket = new Socket(url, {
      token,
      protocols: ['parley.v1'],
      onFrame: (frame) => this.#socket === socket && this.#receive(frame),
      onOpen: () => this.#greet(socket),
      onClose: ({ code }) => this.#socket === socket && this.#lost(code),
      keep: false,
    });
    this.#socket = socket;
    this.#heardAt = Date.now();
  }

  #greet(socket: Socket): void {
    this.#state = 'greeting';
    socket.send({ op: 'hello', ...(this.#cursor === undefined ? {} : { since: this.#cursor }) });
  }

  #lost(code: number): void {
    const wasGreeted = this.#state === 'replaying' || this.#state === 'up';
    this.#state = 'down';
    this.#socket = undefined;
    if (wasGreeted) this.#steps.push({ kind: 'closed', at: recordedNow(), code });
    if (this.#stopped || this.#asleep) return;
    if (!mayReconnect(code)) return this.#fault(`closed for good with ${code}`);
    this.#timers.push(setTimeout(() => this.#connect(), randomInt(RECONNECT_MIN_MS, RECONNECT_MAX_MS)));
  }

  #receive(raw: Frame): void {
    this.#heardAt = Date.now();
    const frame = raw as unknown as ServerFrame;
    if (frame.op === 'ack' || frame.op === 'error') return this.#answered(frame);
    this.#steps.push({ kind: 'frame', at: recordedNow(), frame });
    switch (frame.op) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'caught_up':
        this.#state = 'up';
        this.#cursor = frame.cursor;
        return;
      case 'cursor':
      case 'pong':
        if (this.#state === 'up') this.#cursor = frame.cursor;
        return;
      case 'skip':
        if (frame.key !== undefined) this.#answeredBySkip(frame.key, frame.seq);
        return this.#take(frame.room, frame.seq, frame.prev);
      case 'event':
        return this.#event(frame);
      case 'presence':
      case 'typing':
      case 'marked':
      case 'drain':
        return;
      default:
        return this.#fault(`a frame that the contract does not know: ${JSON.stringify(frame)}`);
    }
  }

  #welcomed(frame: ServerFrameOf<'welcome'>): void {
    const isFirst = this.#cursor === undefined;
    this.#state = 'replaying';
    if (frame.recovered && !isFirst) this.resumes += 1;
    // Without a cursor there is nothing to recover, and the welcome says where everything begins.
    if (!frame.recovered || isFirst) this.#startAnew(frame, isFirst);
    for (const pending of this.#pending.values()) this.#transmit(pending);
  }

  /** The feed goes on from the welcome's places; what lies between is read over HTTP. */
  #startAnew(frame: ServerFrameOf<'welcome'>, isFirst: boolean): void {
    this.#cursor = frame.cursor;
    this.rooms.clear();
    const before = new Map(this.#last);
    for (const { room, seq } of frame.rooms) {
      this.rooms.add(room);
      this.#last.set(room, Math.max(seq, before.get(room) ?? 0));
    }
    if (isFirst) return;
    this.restarts += 1;
    for (const { room, seq } of frame.rooms)
      if (seq > (before.get(room) ?? 0)) this.#refetch(room, before.get(room) ?? 0);
  }

  #event(frame: ServerFrameOf<'event'>): void {
    if (frame.prev !== undefined) {
      if (frame.type === 'message.sent') this.newest.set(frame.room, String(frame.data['id']));
      return this.#take(frame.room, frame.seq, frame.prev);
    }
    if (frame.data['userId'] !== this.options.user) return;
    if (frame.type === 'member.joined') {
      this.rooms.add(frame.room);
      // What came before the join is history, which the feed does not bring.
      this.#last.set(frame.room, Math.max(frame.seq, this.#last.get(frame.room) ?? 0));
    }
    if (frame.type === 'member.left') this.rooms.delete(frame.room);
  }

  #take(room: string, seq: number, prev: number): void {
    const last = this.#last.get(room) ?? 0;
    if (seq <= last) return;
    if (prev > last) {
      this.#fault(`a hole in ${room}: ${seq} follows ${prev}, and it has ${last}`);
      this.#refetch(room, last);
    }
    this.#last.set(room, seq);
  }

  /** Reads the room's newest pages until they meet what it has. A platform that is being broken may take several attempts. */
  #refetch(room: string, after: number): void {
    this.#refetching += 1;
    const position = this.#cursor ?? '';
    this.#http.readBack(room, after, position).then(
      (messages) => {
        this.#refetching -= 1;
        this.#steps.push({ kind: 'refetched', at: recordedNow(), room, messages, after, position });
      },
      (error: unknown) => {
        this.#refetching -= 1;
        if (this.#stopped) return;
        if (!(error instanceof Unavailable)) return this.#fault(`${room} cannot be read again: ${String(error)}`);
        this.#timers.push(setTimeout(() => this.#refetch(room, after), RECONNECT_MAX_MS));
      },
    );
  }

  #transmit(pending: Pending): void {
    if (this.#state !== 'up' && this.#state !== 'replaying') return;
    pending.sentAt = Date.now();
    this.#socket?.send(pending.frame);
  }

  #answered(frame: ServerFrameOf<'ack'> | ServerFrameOf<'error'>): void {
    const pending = this.#pending.get(String(frame.id));
    if (!pending)
      return frame.op === 'error' ? this.#fault(`an error out of the blue: ${JSON.stringify(frame)}`) : undefined;
    if (frame.op === 'error' && frame.temporary) {
      this.#timers.push(
        setTimeout(() => this.#pending.has(pending.frame.id) && this.#transmit(pending), frame.retryMs ?? 100),
      );
      return;
    }
    this.#settle(pending, frame.op === 'ack' ? { kind: 'acknowledged', frame } : { kind: 'refused', code: frame.code });
  }

  /** The acknowledgement was lost; the echo that was held back stands for it. */
  #answeredBySkip(key: string, seq: number): void {
    for (const pending of this.#pending.values())
      if (pending.frame['key'] === key) this.#settle(pending, { kind: 'skipped', seq });
  }

  #settle(pending: Pending, reply: Reply): void {
    this.#pending.delete(pending.frame.id);
    pending.resolve(reply);
  }

  #tend(): void {
    const now = Date.now();
    if (this.#state === 'up') this.#socket?.send({ op: 'ping', cursor: this.#cursor });
    if (this.#socket && now - this.#heardAt > SILENCE_MAX_MS) {
      this.#fault(`silence for ${SILENCE_MAX_MS} ms while ${this.#state}`);
      this.#socket.cut();
    }
    for (const pending of this.#pending.values()) {
      if (this.#state !== 'up' || pending.sentAt === 0 || now - pending.sentAt < ANSWER_MAX_MS) continue;
      this.#fault(`no answer for ${ANSWER_MAX_MS} ms: ${JSON.stringify(pending.frame)}`);
      this.#transmit(pending);
    }
  }

  #fault(what: string): void {
    const fault = `${this.options.name}: ${what}`;
    this.faults.push(fault);
    this.options.onFault?.(fault);
  }
}

function settled(record: Sent, outcome: SendOutcome): SendOutcome {
  record.outcome = outcome;
  if (outcome.kind !== 'unknown') record.answeredAt = recordedNow();
  return outcome;
}

function outcomeOf(reply: Reply): SendOutcome {
  if (reply.kind === 'refused') return reply;
  if (reply.kind === 'skipped') return { kind: 'acknowledged', seq: reply.seq };
  const { seq = -1, messageId = '', position = '' } = reply.frame;
  return { kind: 'acknowledged', seq, id: messageId, position };
}
