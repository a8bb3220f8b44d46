/**
 * A client that keeps to the contract of `parley.v1`, over a socket or server-sent events, and writes down everything that happens
 * to it, for the history checker: it resumes with its last cursor, repeats what was not answered with the same key, takes a
 * timeline event when it follows what it has, and reads a room again over HTTP when a resume was not recovered.
 *
 * States: `down` -> connect -> `greeting` (hello sent) -> welcome -> `replaying` -> caught_up -> `up`; every loss of the
 * connection leads to `down` and, but for a close code of 4500-4999, to the next attempt.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { channelRoomId, mayReconnect, newKey, parseCursor, type ServerFrame, type ServerFrameOf } from '#contract';
import { waitUntil } from '#embedded';
import { recordedNow, type ClientHistory, type ClientStep, type SendOutcome } from '#testing';
import { ClientHttp, Unavailable } from './client-http.js';
import { openEvents, openSocket, type Line } from './client-line.js';
import { ClientRecord } from './client-record.js';
import { SocketRequests, type Reply } from './client-requests.js';
import type { Fields } from './http.js';
import type { Random } from './random.js';
import type { Frame } from './socket.js';

export interface ClientOptions {
  readonly name: string;
  readonly user: string;
  readonly token: string;
  /** WebSocket URLs of the gateways: each attempt takes the next. */
  readonly sockets: readonly string[];
  readonly http: string;
  /** How it reads; over events, which carry nothing the other way, it asks over HTTP. */
  readonly via?: 'socket' | 'events';
  /** Which gateway comes first, and how long it waits before it comes back. */
  readonly random?: Random;
  /** Servers may be frozen for longer than it waits: it gives up and comes back, and that is no fault. */
  readonly patient?: boolean;
}

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 400;
const PING_MS = 1_000;
/** A connection that says nothing for so long is given up: the peer may be gone without a word. */
const SILENCE_MAX_MS = 20_000;
/** A request without any answer on a living connection is repeated after this, and told as a fault. */
const ANSWER_MAX_MS = 20_000;
/** On a stream of events that is all that comes while nothing happens. */
const COMMENT_EVERY_MS = 25_000;

export class TestClient {
  readonly record = new ClientRecord();
  readonly #requests = new SocketRequests({
    transmit: (frame) => this.#transmit(frame),
    later: (work, afterMs) => this.#later(work, afterMs),
    fault: (what) => this.#fault(what),
  });
  /** By room: the last timeline entry that it has. */
  readonly #last = new Map<string, number>();
  readonly #http: ClientHttp;
  /** By room: the newest message that it was shown. */
  readonly newest = new Map<string, string>();
  /** Rooms that this user is in, as far as the feed says. */
  readonly rooms = new Set<string>();
  #line: Line | undefined;
  #cursor: string | undefined;
  #state: 'down' | 'greeting' | 'replaying' | 'up' = 'down';
  #stopped = false;
  #asleep = false;
  /** It has stopped reading: what it does not hear is its own doing. */
  #paused = false;
  #attempts: number;
  #heardAt = 0;
  #refetching = 0;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** How often a resume succeeded, and how often the rooms had to be read again. */
  resumes = 0;
  restarts = 0;
  cuts = 0;

  constructor(readonly options: ClientOptions) {
    this.#http = new ClientHttp(options, (fault) => this.#fault(fault));
    this.#attempts = options.random?.below(options.sockets.length) ?? randomInt(options.sockets.length);
  }

  get faults(): string[] {
    return this.record.faults;
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
    return this.#requests.unanswered + this.#http.pending;
  }

  get acknowledged(): number {
    return this.record.answers.length;
  }

  /** Connects, and stays connected until `stop`; resolves when it is up for the first time. */
  async start(): Promise<this> {
    this.#connect();
    this.#timers.add(setInterval(() => this.#tend(), PING_MS));
    await waitUntil(`${this.options.name} is up`, 60_000, () => this.isUp);
    return this;
  }

  /** Cuts the connection as a lost network would; it comes back by itself. */
  cut(): void {
    this.cuts += 1;
    this.#line?.cut();
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

  /** Takes nothing more from the network, until `readOn`. */
  stopReading(): void {
    this.#paused = true;
    this.#line?.pause();
  }

  readOn(): void {
    this.#paused = false;
    this.#heardAt = Date.now();
    this.#line?.resume();
  }

  stop(): void {
    this.#stopped = true;
    this.#http.stop();
    this.#timers.forEach((timer) => clearInterval(timer));
    this.#line?.cut();
  }

  send(room: string, content: string, key = freshKey()): Promise<SendOutcome> {
    return this.#send(room, content, key, () => this.request({ op: 'send', room, content, key }));
  }

  /** To whoever they are, which makes their channel when there is none yet. */
  sendTo(participants: readonly string[], content: string): Promise<SendOutcome> {
    const key = freshKey();
    const ask = () => this.request({ op: 'send', participants, content, key });
    return this.#send(channelRoomId(participants), content, key, ask);
  }

  /** The same over HTTP, where nobody repeats it but the caller. */
  sendOverHttp(room: string, content: string, key = freshKey()): Promise<SendOutcome> {
    return this.#send(room, content, key, () => this.#http.request({ op: 'send', room, content, key }));
  }

  join(room: string): Promise<Reply> {
    return this.#move('join', room);
  }

  leave(room: string): Promise<Reply> {
    return this.#move('leave', room);
  }

  read(room: string, messageId: string): Promise<Reply> {
    return this.request({ op: 'read', room, messageId });
  }

  /** Repeats the request, as it is, over every loss of the connection, until it has an answer that is not temporary. */
  request(fields: Fields & { readonly op: string }): Promise<Reply> {
    if (this.options.via === 'events') return this.#http.request(fields);
    return this.#requests.ask(fields);
  }

  async #send(room: string, content: string, key: string, ask: () => Promise<Reply>): Promise<SendOutcome> {
    const answered = this.record.sending({ room, key, content });
    return answered(outcomeOf(await ask()));
  }

  async #move(what: 'join' | 'leave', room: string): Promise<Reply> {
    const sentAt = recordedNow();
    const reply = await this.request({ op: what, room });
    if (reply.kind === 'acknowledged') this.record.moved(what, room, reply.frame, sentAt);
    return reply;
  }

  history(complete: boolean): ClientHistory {
    const { name, user, via = 'socket' } = this.options;
    return { client: name, user, via, ...this.record.history(), complete };
  }

  #connect(): void {
    if (this.#stopped) return;
    const { sockets, token, via } = this.options;
    const url = sockets[(this.#attempts += 1) % sockets.length] ?? '';
    const isCurrent = (): boolean => this.#line === line;
    const events = {
      onOpen: () => this.#greet(line),
      onFrame: (frame: Frame) => void (isCurrent() && this.#receive(frame)),
      onSign: () => void (isCurrent() && (this.#heardAt = Date.now())),
      onClose: (code: number) => void (isCurrent() && this.#lost(code)),
    };
    const line: Line = via === 'events' ? openEvents(url, token, this.#cursor, events) : openSocket(url, token, events);
    this.#line = line;
    this.#heardAt = Date.now();
    if (this.#paused) line.pause();
  }

  #greet(line: Line): void {
    this.#state = 'greeting';
    line.send({ op: 'hello', ...(this.#cursor === undefined ? {} : { since: this.#cursor }) });
  }

  #lost(code: number): void {
    const wasGreeted = this.#state === 'replaying' || this.#state === 'up';
    this.#state = 'down';
    this.#line = undefined;
    if (wasGreeted) this.#step({ kind: 'closed', at: recordedNow(), code });
    if (this.#stopped || this.#asleep) return;
    if (!mayReconnect(code)) return this.#fault(`closed for good with ${code}`);
    const { random } = this.options;
    const [min, max] = [RECONNECT_MIN_MS, RECONNECT_MAX_MS];
    this.#later(
      () => !this.#asleep && !this.#line && this.#connect(),
      random?.between(min, max) ?? randomInt(min, max),
    );
  }

  #receive(raw: Frame): void {
    this.#heardAt = Date.now();
    const frame = raw as unknown as ServerFrame;
    if (frame.op === 'ack' || frame.op === 'error') return this.#answered(frame);
    this.#step({ kind: 'frame', at: recordedNow(), frame });
    switch (frame.op) {
      case 'welcome':
        return this.#welcomed(frame);
      case 'caught_up':
        this.#state = 'up';
        this.#cursor = frame.cursor;
        return;
      case 'cursor':
      case 'pong':
        // On a stream of events it is the last id, whenever it came.
        if (this.#state === 'up' || this.options.via === 'events') this.#cursor = frame.cursor;
        return;
      case 'skip':
        if (frame.key !== undefined) this.#requests.answeredBySkip(frame.key, frame.seq);
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
    if (this.options.via === 'events' && !isFirst) this.#cursor = frame.cursor;
    if (frame.recovered && !isFirst) this.resumes += 1;
    // Without a cursor there is nothing to recover, and the welcome says where everything begins.
    if (!frame.recovered || isFirst) this.#startAnew(frame, isFirst);
    this.#requests.again();
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
  #refetch(room: string, after: number, position = this.#cursor ?? ''): void {
    this.#refetching += 1;
    this.#http.readBack(room, after, position).then(
      (messages) => {
        this.#refetching -= 1;
        this.#step({ kind: 'refetched', at: recordedNow(), room, messages, after, position });
      },
      (error: unknown) => {
        this.#refetching -= 1;
        if (this.#stopped) return;
        if (!(error instanceof Unavailable)) return this.#fault(`${room} cannot be read again: ${String(error)}`);
        this.#refetching += 1;
        this.#later(() => {
          this.#refetching -= 1;
          this.#refetch(room, after, position);
        }, RECONNECT_MAX_MS);
      },
    );
  }

  #transmit(frame: object): boolean {
    if (!this.#line || (this.#state !== 'up' && this.#state !== 'replaying')) return false;
    this.#line.send(frame);
    return true;
  }

  #answered(frame: ServerFrameOf<'ack'> | ServerFrameOf<'error'>): void {
    if (this.#requests.answered(frame)) return;
    // The last word of a stream of events, where a socket has a close code.
    const isFarewell = this.options.via === 'events' && frame.op === 'error' && frame.temporary;
    if (!isFarewell) this.#fault(`an error out of the blue: ${JSON.stringify(frame)}`);
  }

  #tend(): void {
    if (this.#paused) return;
    const now = Date.now();
    const { via, patient } = this.options;
    if (this.#state === 'up') this.#line?.send({ op: 'ping', cursor: this.#cursor });
    const silenceMaxMs = SILENCE_MAX_MS + (via === 'events' ? COMMENT_EVERY_MS : 0);
    if (this.#line && now - this.#heardAt > silenceMaxMs) {
      if (!patient) this.#fault(`silence for ${silenceMaxMs} ms while ${this.#state}`);
      this.#line.cut();
    }
    for (const frame of this.#state === 'up' ? this.#requests.overdue(ANSWER_MAX_MS) : [])
      if (!patient) this.#fault(`no answer for ${ANSWER_MAX_MS} ms: ${JSON.stringify(frame)}`);
  }

  #step(step: ClientStep): void {
    this.record.steps.push(step);
  }

  #later(work: () => unknown, afterMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, afterMs);
    this.#timers.add(timer);
  }

  #fault(what: string): void {
    this.faults.push(`${this.options.name}: ${what}`);
  }
}

const freshKey = (): string => newKey(Date.now(), randomBytes(10));

export function outcomeOf(reply: Reply): SendOutcome {
  if (reply.kind === 'refused') return reply;
  if (reply.kind === 'unanswered') return { kind: 'unknown' };
  if (reply.kind === 'skipped') return { kind: 'acknowledged', seq: reply.seq };
  const { seq = -1, messageId = '', position = '' } = reply.frame;
  return { kind: 'acknowledged', seq, id: messageId, position };
}
