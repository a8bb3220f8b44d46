/**
 * The socket, and how it comes back.
 *
 * States and transitions
 *
 *     idle --open--> connecting --welcome--> resuming --caught_up--> live
 *                        ^                      |                     |
 *                        |                 (connection lost, 4000-4499, silence)
 *                        +------ waiting <------+---------------------+
 *     any --close, or a final close code (4500-4999)--> closed
 *
 * - *connecting*: a socket opens to the next of the gateways, and `hello` carries the token and the last cursor.
 * - *resuming*: `welcome` has said whether everything since the cursor comes (`recovered`); it comes now.
 * - *live*: the cursor moves with what the server says, and with nothing else.
 * - *waiting*: a random time up to a limit that doubles with each attempt in vain, so that a crowd does not return at once.
 *   An expired token (4501) is asked for anew and the socket opened again, once; a second refusal is final.
 */
import type { ServerFrame, ServerFrameOf } from '#contract';
import { CLOSE, mayReconnect, SUBPROTOCOL } from '#contract/protocol';
import { ClosedError } from './errors.js';

export type ConnectionState = 'idle' | 'connecting' | 'resuming' | 'live' | 'waiting' | 'closed';

/** What the client needs of a WebSocket: the browser's, Node's, or the package `ws`. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

export interface Clock {
  now(): number;
  /** Calls back after a time; gives what cancels it. */
  after(ms: number, act: () => void): () => void;
}

/** One constant with numbers: the wait before attempt n is random in [0, min(max, first x 2^n)]. */
export const RECONNECT = { firstMs: 250, maxMs: 10_000 } as const;
/** A connection that has not become live by then is given up. */
const OPEN_MS = 20_000;
/** Heartbeats without an answer before the connection is given up. */
const SILENT_HEARTBEATS = 2;
const OPEN = 1;

export interface ConnectionOptions {
  /** Socket URLs of the gateways; each attempt takes the next. */
  readonly urls: readonly string[];
  readonly token: (refused: boolean) => Promise<string>;
  readonly echo: 'origin' | 'none' | 'all';
  readonly socket: SocketConstructor;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onState: (
    state: ConnectionState,
    why: { readonly retryInMs?: number; readonly error?: ClosedError },
  ) => void;
}

export class Connection {
  state: ConnectionState = 'idle';
  cursor: string | undefined;
  private socket: SocketLike | undefined;
  private attempts = 0;
  private tokenRefused = false;
  private drainMs: number | undefined;
  private heardMs = 0;
  private heartbeatMs = 0;
  private readonly timers = new Map<'open' | 'beat' | 'retry', () => void>();
  /** Grows with every attempt and every end: a token that comes for an earlier one comes too late. */
  private attempt = 0;
  private nextUrl: number;

  constructor(private readonly options: ConnectionOptions) {
    this.nextUrl = Math.floor(options.random() * options.urls.length);
  }

  open(): void {
    if (this.state === 'idle') this.connect();
  }

  /** False when the socket does not take it: it is sent again after the next `caught_up`. */
  send(frame: object): boolean {
    if (this.socket?.readyState !== OPEN || this.state !== 'live') return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  close(error = new ClosedError('closed by the application')): void {
    if (this.state === 'closed') return;
    this.drop();
    this.enter('closed', { error });
  }

  /** The network is back, or the page visible again: no more waiting. */
  retryNow(): void {
    if (this.state === 'waiting') this.connect();
  }

  private connect(): void {
    this.drop();
    const { attempt } = this;
    const stillOn = (act: () => void): void => {
      if (this.attempt === attempt) act();
    };
    this.time('open', OPEN_MS, () => this.lost());
    this.options.token(this.tokenRefused).then(
      (token) => stillOn(() => this.dial(token)),
      () => stillOn(() => this.lost()),
    );
    this.enter('connecting');
  }

  private dial(token: string): void {
    const url = this.options.urls[this.nextUrl++ % this.options.urls.length] ?? '';
    const socket = new this.options.socket(url, [SUBPROTOCOL]);
    this.socket = socket;
    const hello = {
      op: 'hello',
      token,
      echo: this.options.echo,
      ...(this.cursor === undefined ? {} : { since: this.cursor }),
    };
    socket.onopen = () => socket.send(JSON.stringify(hello));
    socket.onmessage = ({ data }: { data: unknown }) => this.receive(socket, String(data));
    socket.onclose = ({ code }: { code: number }) => this.ended(socket, code);
    socket.onerror = () => undefined; // a close follows
  }

  private receive(socket: SocketLike, text: string): void {
    if (socket !== this.socket) return;
    this.heardMs = this.options.clock.now();
    const frame = JSON.parse(text) as ServerFrame;
    if (frame.op === 'welcome') this.welcomed(frame);
    if (frame.op === 'drain') this.drainMs = frame.retryMs;
    this.options.onFrame(frame);
    // Only after the frame has been taken: a cursor says that what came before it is here.
    if ('cursor' in frame && this.socket === socket) this.cursor = frame.cursor;
    if (frame.op === 'caught_up' && this.socket === socket) this.caughtUp();
  }

  /** Its cursor holds from now on: it is the one that was asked for, or the one that was is worth nothing. */
  private welcomed({ heartbeatMs, cursor }: ServerFrameOf<'welcome'>): void {
    this.heartbeatMs = heartbeatMs;
    this.cursor = cursor;
    this.enter('resuming');
  }

  private caughtUp(): void {
    this.attempts = 0;
    this.tokenRefused = false;
    this.timers.get('open')?.();
    this.beat();
    this.enter('live');
  }

  private beat(): void {
    this.time('beat', this.heartbeatMs, () => {
      if (this.options.clock.now() - this.heardMs > SILENT_HEARTBEATS * this.heartbeatMs) return this.lost();
      this.send({ op: 'ping', ...(this.cursor === undefined ? {} : { cursor: this.cursor }) });
      this.beat();
    });
  }

  private ended(socket: SocketLike, code: number): void {
    if (socket !== this.socket) return;
    const expired = code === CLOSE.tokenExpired && !this.tokenRefused;
    if (expired) this.tokenRefused = true;
    if (expired || mayReconnect(code)) return this.lost();
    this.close(new ClosedError(`the server closed the connection for good (${code})`, code));
  }

  private lost(): void {
    this.drop();
    const limitMs = Math.min(RECONNECT.maxMs, RECONNECT.firstMs * 2 ** this.attempts++);
    const retryInMs = Math.round(this.options.random() * Math.max(limitMs, this.drainMs ?? 0));
    this.drainMs = undefined;
    this.time('retry', retryInMs, () => this.connect());
    this.enter('waiting', { retryInMs });
  }

  private drop(): void {
    this.attempt += 1;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    const socket = this.socket;
    this.socket = undefined;
    socket?.close(1000);
  }

  private time(name: 'open' | 'beat' | 'retry', ms: number, act: () => void): void {
    this.timers.get(name)?.();
    this.timers.set(name, this.options.clock.after(ms, act));
  }

  private enter(state: ConnectionState, why: { retryInMs?: number; error?: ClosedError } = {}): void {
    this.state = state;
    this.options.onState(state, why);
  }
}
