/**
 * A client of the gRPC contract, as the history checker wants it: it reads one `ChatStream`, asks by single calls, and comes back,
 * to the other gateway, when its stream ends. With the cursor of the trailers the new stream shows all of its rooms from there on;
 * without one it joins each room anew, and reads back over HTTP what it was not shown.
 *
 * States: `down` -> open -> `opening` -> headers (and `resumed`, where it came with a cursor) -> `up`; the end of the stream, or
 * silence, leads to `down`.
 */
import { randomBytes } from 'node:crypto';
import { status, type StatusObject } from '@grpc/grpc-js';
import { formatPosition, newKey, parseMessageId } from '#contract';
import { waitUntil } from '#embedded';
import { recordedNow, type ClientHistory, type SendOutcome } from '#testing';
import { ClientHttp, Unavailable } from './client-http.js';
import { ClientRecord } from './client-record.js';
import type { Reply } from './client-requests.js';
import type { ClientOptions } from './client.js';
import { Grpc, type GrpcAnswer } from './grpc.js';
import { textAt, type Fields } from './http.js';

export interface GrpcClientOptions extends Omit<ClientOptions, 'sockets' | 'via'> {
  /** `host:port` of the gateways: each attempt takes the next. */
  readonly grpc: readonly string[];
  readonly random: NonNullable<ClientOptions['random']>;
}

type ChatCall = ReturnType<Grpc['openStream']>;

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 400;
/** A call that has no answer by then is given up and repeated, with the other gateway. */
const ANSWER_MAX_MS = 20_000;
const TEND_MS = 1_000;
/** A stream that does not open is given up. */
const OPENING_MAX_MS = 10_000;
const CURSOR = 'parley-cursor';
/** As often as other clients; a gateway that says nothing is noticed. */
const CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 10_000,
};
/** The codes that a lost connection, a deadline or a drain ends with; 13 where HTTP/2 itself was cut off. */
const TEMPORARY: readonly number[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED];

export class GrpcClient {
  readonly record = new ClientRecord();
  readonly newest = new Map<string, string>();
  /** Rooms that this user is in, as far as its own commands say. */
  readonly rooms = new Set<string>();
  /** By room: the newest message that it has. */
  readonly #last = new Map<string, number>();
  /** By room: what came after this may not have been shown, and is to be read back. */
  readonly #gaps = new Map<string, number>();
  /** By room: since when its stream shows it, ms. */
  readonly #shownAt = new Map<string, number>();
  readonly #channels: Grpc[];
  readonly #http: ClientHttp;
  readonly #timers = new Set<NodeJS.Timeout>();
  #call: ChatCall | undefined;
  #state: 'down' | 'opening' | 'up' = 'down';
  #openedAt = 0;
  #cursor: string | undefined;
  #stopped = false;
  #asleep = false;
  #attempts: number;
  #pending = 0;
  #refetching = 0;
  resumes = 0;
  restarts = 0;
  cuts = 0;

  constructor(readonly options: GrpcClientOptions) {
    const { grpc, token, random } = options;
    this.#channels = grpc.map((address) => new Grpc(address, token, undefined, CHANNEL));
    this.#attempts = random.below(grpc.length);
    this.#http = new ClientHttp(options, (fault) => this.#fault(fault));
  }

  get faults(): string[] {
    return this.record.faults;
  }

  get acknowledged(): number {
    return this.record.answers.length;
  }

  get unanswered(): number {
    return this.#pending + this.#http.pending;
  }

  get isUp(): boolean {
    return this.#state === 'up' && this.#refetching === 0;
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  async start(): Promise<this> {
    this.#open();
    this.#timers.add(setInterval(() => this.#tend(), TEND_MS));
    await waitUntil(`${this.options.name} is up`, 60_000, () => this.isUp);
    return this;
  }

  stop(): void {
    this.#stopped = true;
    this.#http.stop();
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#call?.cancel();
    this.#channels.forEach((channel) => channel.close());
  }

  /** As a lost network would: there are no trailers, and so no cursor. */
  cut(): void {
    this.cuts += 1;
    this.#call?.cancel();
  }

  sleep(): void {
    this.#asleep = true;
    this.cut();
  }

  wake(): void {
    this.#asleep = false;
    if (this.#state === 'down' && !this.#call) this.#open();
  }

  stopReading(): void {
    this.#call?.pause();
  }

  readOn(): void {
    this.#call?.resume();
  }

  async send(room: string, content: string): Promise<SendOutcome> {
    const { user } = this.options;
    const key = newKey(Date.now(), randomBytes(10));
    const answered = this.record.sending({ room, key, content });
    const message = { user_id: user, room_id: room, content };
    const answer = await this.#ask('SendMessage', { message }, { 'idempotency-key': key });
    if (answer === undefined) return answered({ kind: 'unknown' });
    if (answer.code !== status.OK) {
      if (codeOf(answer) === 'not_member') this.rooms.delete(room);
      return answered({ kind: 'refused', code: codeOf(answer) });
    }
    const id = textAt(answer.value, 'message.id');
    const place = parseMessageId(id) ?? { partition: -1, seq: -1 };
    return answered({ kind: 'acknowledged', seq: place.seq, id, position: formatPosition(place) });
  }

  /** A channel whose participant it is: its stream does not show one by itself. */
  async sendToChannel(room: string, content: string): Promise<SendOutcome> {
    const outcome = await this.send(room, content);
    if (outcome.kind === 'acknowledged' && !this.rooms.has(room)) {
      this.rooms.add(room);
      this.#say('join', room);
    }
    return outcome;
  }

  /** The command by a call of its own; the stream is told to show the room, which for a member it only does. */
  async join(room: string): Promise<Reply> {
    const reply = await this.#move('JoinRoom', room);
    if (reply.kind !== 'acknowledged') return reply;
    this.rooms.add(room);
    this.#say('join', room);
    return reply;
  }

  async leave(room: string): Promise<Reply> {
    this.rooms.delete(room);
    return this.#move('LeaveRoom', room);
  }

  async read(room: string, messageId: string): Promise<Reply> {
    return this.#http.request({ op: 'read', room, messageId });
  }

  history(complete: boolean): ClientHistory {
    const { name, user } = this.options;
    return { client: name, user, via: 'grpc', ...this.record.history(), complete };
  }

  /** Reads back what it may still have missed, up to these ends of the partitions. */
  async catchUp(ends: readonly number[], partitionOf: (room: string) => number): Promise<void> {
    for (const room of this.#gaps.keys()) {
      const partition = partitionOf(room);
      this.#closeGap(room, `${partition}-${ends[partition] ?? 0}`);
    }
    await waitUntil(`${this.options.name} has read its rooms again`, ANSWER_MAX_MS * 2, () => this.isUp);
  }

  /** Of the rooms that it shows, those whose newest message it has not, though that came when it was shown them. */
  unheard(newest: ReadonlyMap<string, { readonly seq: number; readonly at: number }>): string[] {
    return [...this.rooms].filter((room) => {
      const { seq, at } = newest.get(room) ?? { seq: 0, at: 0 };
      return (this.#last.get(room) ?? 0) < seq && at > (this.#shownAt.get(room) ?? Infinity);
    });
  }

  // --- its stream

  #open(): void {
    if (this.#stopped) return;
    const since = this.#cursor;
    // It is good for one stream: the next one's trailers have the next.
    this.#cursor = undefined;
    const call = this.#channel().openStream('ChatStream', since === undefined ? {} : { [CURSOR]: since });
    this.#call = call;
    this.#state = 'opening';
    this.#openedAt = Date.now();
    call.on('error', () => undefined); // its status is what counts
    call.on('metadata', () => since === undefined && this.#call === call && this.#opened({}));
    call.on('data', (action: Fields) => this.#call === call && this.#receive(action, since));
    call.on('status', (ended: StatusObject) => this.#call === call && this.#lost(ended));
  }

  #opened(how: { readonly since?: string; readonly recovered?: boolean }): void {
    if (this.#state === 'up') return;
    this.#state = 'up';
    this.record.steps.push({ kind: 'opened', at: recordedNow(), ...how });
    if (how.recovered === true) this.resumes += 1;
    else this.restarts += 1;
    if (how.since === undefined) for (const room of this.rooms) this.#say('join', room);
    else if (how.recovered === false) for (const room of this.#last.keys()) this.#missed(room);
  }

  #lost({ code, details, metadata }: StatusObject): void {
    if (this.#state === 'up') this.record.steps.push({ kind: 'closed', at: recordedNow(), code });
    const [cursor] = metadata.get(CURSOR);
    this.#cursor = cursor === undefined ? undefined : String(cursor);
    this.#state = 'down';
    this.#call = undefined;
    if (this.#stopped || this.#asleep) return;
    if (!isTemporary(code, details)) this.#fault(`its stream ended with ${code} ${details}`);
    const { random } = this.options;
    this.#later(() => !this.#asleep && !this.#call && this.#open(), random.between(RECONNECT_MIN_MS, RECONNECT_MAX_MS));
  }

  #receive(action: Fields, since: string | undefined): void {
    const at = recordedNow();
    const room = String(action['room_id']);
    const metadata = (action['metadata'] ?? {}) as Fields;
    switch (action['action_type']) {
      case 'resumed':
        return this.#opened({ ...(since === undefined ? {} : { since }), recovered: metadata['recovered'] === 'true' });
      case 'joined':
        this.record.steps.push({ kind: 'shown', at, room });
        this.#shownAt.set(room, at);
        return this.#missed(room);
      case 'message':
        return this.#message(at, room, (action['message'] ?? {}) as Fields);
      case 'user_joined':
      case 'user_left':
        return void this.record.steps.push({
          kind: 'member',
          at,
          room,
          user: String(action['user_id']),
          what: action['action_type'] === 'user_joined' ? 'joined' : 'left',
        });
      case 'error':
        return this.#refused(room, Number(metadata['code']));
      default:
        return this.#fault(`an action that the contract does not know: ${JSON.stringify(action)}`);
    }
  }

  #message(at: number, room: string, message: Fields): void {
    const [id, sender, content] = [message['id'], message['user_id'], message['content']].map(String) as [
      string,
      string,
      string,
    ];
    this.record.steps.push({ kind: 'message', at, room, id, sender, content });
    this.newest.set(room, id);
    const place = parseMessageId(id);
    if (!place) return this.#fault(`a message without a place in the log: ${id}`);
    this.#closeGap(room, formatPosition(place));
    this.#last.set(room, Math.max(this.#last.get(room) ?? 0, place.seq));
  }

  /** The answer to a join is a refusal where the user was removed meanwhile, or the room has filled up. */
  #refused(room: string, code: number): void {
    const call = this.#call;
    if (code === status.UNAVAILABLE)
      this.#later(() => this.#call === call && this.#say('join', room), RECONNECT_MAX_MS);
    else this.rooms.delete(room);
    if (code === status.INTERNAL) this.#fault(`an internal error for ${room}`);
  }

  #say(what: 'join', room: string): void {
    if (this.#state !== 'up') return;
    this.#call?.write({ user_id: this.options.user, room_id: room, action_type: what });
  }

  /** What lies between this stream and the last one was not shown; the next message says up to where. */
  #missed(room: string): void {
    const last = this.#last.get(room);
    if (last !== undefined && !this.#gaps.has(room)) this.#gaps.set(room, last);
  }

  #closeGap(room: string, position: string): void {
    const after = this.#gaps.get(room);
    if (after === undefined) return;
    this.#gaps.delete(room);
    this.#readBack(room, after, position);
  }

  #readBack(room: string, after: number, position: string): void {
    this.#refetching += 1;
    this.#http.readBack(room, after, position).then(
      (messages) => {
        this.#refetching -= 1;
        this.record.steps.push({ kind: 'refetched', at: recordedNow(), room, messages, after, position });
        const [newest] = messages === 'refused' ? [] : messages;
        if (newest) this.#last.set(room, Math.max(this.#last.get(room) ?? 0, newest.seq));
      },
      (error: unknown) => {
        this.#refetching -= 1;
        if (this.#stopped) return;
        if (!(error instanceof Unavailable)) return this.#fault(`${room} cannot be read again: ${String(error)}`);
        this.#refetching += 1;
        this.#later(() => {
          this.#refetching -= 1;
          this.#readBack(room, after, position);
        }, RECONNECT_MAX_MS);
      },
    );
  }

  // --- its calls

  #channel(): Grpc {
    return this.#channels[(this.#attempts += 1) % this.#channels.length] as Grpc;
  }

  async #move(name: 'JoinRoom' | 'LeaveRoom', room: string): Promise<Reply> {
    const answer = await this.#ask(name, { user_id: this.options.user, room_id: room });
    if (answer === undefined) return { kind: 'unanswered' };
    return answer.code === status.OK ? { kind: 'acknowledged', frame: {} } : { kind: 'refused', code: codeOf(answer) };
  }

  /** Repeats it until there is an answer that is not temporary; undefined when the client was stopped first. */
  async #ask(name: string, request: object, metadata: Record<string, string> = {}): Promise<GrpcAnswer | undefined> {
    this.#pending += 1;
    try {
      while (!this.#stopped) {
        const deadline = Date.now() + ANSWER_MAX_MS;
        const answer = await this.#channel().call(name, request, { deadline, metadata });
        if (!isTemporary(answer.code, answer.details)) {
          if (codeOf(answer) === 'internal') this.#fault(`an internal error for ${name} ${JSON.stringify(request)}`);
          return answer;
        }
        await new Promise<void>((resolve) => {
          const { random } = this.options;
          this.#later(resolve, random.between(RECONNECT_MIN_MS, RECONNECT_MAX_MS));
        });
      }
      return undefined;
    } finally {
      this.#pending -= 1;
    }
  }

  #tend(): void {
    if (this.#state === 'opening' && Date.now() - this.#openedAt > OPENING_MAX_MS) this.#call?.cancel();
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

const isTemporary = (code: number, details: string): boolean =>
  TEMPORARY.includes(code) || (code === status.INTERNAL && /RST_STREAM|GOAWAY|ECONN|closed/.test(details));

const codeOf = ({ code, trailers }: GrpcAnswer): string => String(trailers['parley-code'] ?? code);
