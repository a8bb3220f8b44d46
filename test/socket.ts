/** A raw WebSocket against a running platform: every frame as it came, and waiting for one with a deadline. */
import { WebSocket } from 'ws';
import { waitUntil } from '#embedded';
import { checkFrame, checkPlainMessage } from './described.js';
import type { Fields } from './http.js';

/** A frame as it came. */
export interface Frame extends Fields {
  readonly op: string;
}

export interface SocketOptions {
  readonly token?: string | undefined;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly onOpen?: () => void;
  readonly onFrame?: (frame: Frame) => unknown;
  /** Once, however the connection ended or failed to be made. */
  readonly onClose?: (closed: Closed) => unknown;
  /** False: frames go to `onFrame` alone. */
  readonly keep?: boolean;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export const WAIT_MS = 60_000;

export class Socket {
  readonly frames: Frame[] = [];
  readonly #socket: WebSocket;
  #closed: Closed | undefined;
  #refused: number | undefined;
  #requests = 0;

  constructor(
    readonly url: string,
    options: SocketOptions = {},
  ) {
    const headers = {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    };
    this.#socket = new WebSocket(url, [...(options.protocols ?? [])], { headers, perMessageDeflate: false });
    this.#socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame;
      if (this.protocol === '') checkPlainMessage(frame);
      else checkFrame(frame);
      if (options.keep !== false) this.frames.push(frame);
      options.onFrame?.(frame);
    });
    this.#socket.on('open', () => options.onOpen?.());
    const ended = (closed: Closed): void => {
      if (this.#closed) return;
      this.#closed = closed;
      options.onClose?.(closed);
    };
    this.#socket.on('close', (code, reason) => ended({ code, reason: reason.toString('utf8') }));
    this.#socket.on('unexpected-response', (request, response) => {
      this.#refused = response.statusCode ?? 0;
      response.resume();
      request.destroy();
      ended({ code: 1006, reason: `refused with ${this.#refused}` });
    });
    // What matters of an error is the close that follows it; before the upgrade none does.
    this.#socket.on('error', (error) => {
      if (this.#socket.readyState === WebSocket.CONNECTING) ended({ code: 1006, reason: error.message });
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Resolves when the upgrade is done. */
  async opened(): Promise<this> {
    await waitUntil(
      `an upgrade at ${this.url}`,
      WAIT_MS,
      () => this.#socket.readyState === WebSocket.OPEN || this.#closed,
    );
    if (this.#closed) throw new Error(`no upgrade at ${this.url}: ${this.#closed.reason}`);
    return this;
  }

  /** The HTTP status that refused the upgrade. */
  async refused(): Promise<number> {
    return waitUntil(`a refusal at ${this.url}`, WAIT_MS, () => this.#refused);
  }

  async closed(withinMs = WAIT_MS): Promise<Closed> {
    return waitUntil(`a close at ${this.url}`, withinMs, () => this.#closed);
  }

  /** Objects are sent as JSON, text and bytes as they stand. */
  send(frame: object | string): void {
    this.#socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** The first frame that fits, of those already there or to come. */
  async frame(what: string, fits: (frame: Frame) => boolean, withinMs = WAIT_MS): Promise<Frame> {
    try {
      return await waitUntil(`a frame: ${what}`, withinMs, () => this.frames.find(fits));
    } catch (error) {
      const last = this.frames.slice(-8).map((frame) => JSON.stringify(frame));
      throw new Error(`${String(error)}; closed: ${JSON.stringify(this.#closed)}; last frames:\n${last.join('\n')}`, {
        cause: error,
      });
    }
  }

  /** Sends a request frame with an id of its own; resolves with its ack or error. */
  async request(frame: object): Promise<Frame> {
    const id = `q${(this.#requests += 1)}`;
    this.send({ ...frame, id });
    return this.frame(
      `answer to ${JSON.stringify(frame)}`,
      (each) => (each.op === 'ack' || each.op === 'error') && each.id === id,
    );
  }

  /** Everything that was sent before has been read by the server, and answered. */
  async pong(): Promise<Frame> {
    const count = (): number => this.frames.filter(({ op }) => op === 'pong').length;
    const before = count();
    this.send({ op: 'ping' });
    await waitUntil('a pong', WAIT_MS, () => count() > before);
    return this.frames.findLast(({ op }) => op === 'pong') as Frame;
  }

  events(room?: string): Frame[] {
    return this.frames.filter((frame) => frame.op === 'event' && (room === undefined || frame.room === room));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed();
  }

  /** Takes nothing more from the network, until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** As if the cable were cut. */
  cut(): void {
    this.#socket.terminate();
  }
}

/** A `parley.v1` socket that has been welcomed and has caught up. */
export async function connect(url: string, token: string, hello: object = {}): Promise<Socket> {
  const socket = await new Socket(url, { token, protocols: ['parley.v1'] }).opened();
  socket.send({ op: 'hello', ...hello });
  await socket.frame('caught_up', ({ op }) => op === 'caught_up');
  return socket;
}
