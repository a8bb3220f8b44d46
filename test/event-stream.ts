/** A raw reader of `GET /api/events`: every event as it came, by the rules that a browser's EventSource parses by. */
import { get, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { waitUntil } from '#embedded';
import { checkFrame } from './described.js';
import { type Frame, WAIT_MS } from './socket.js';

/** One event: its name, its id where it has one, and its data. */
export interface StreamEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly frame: Frame;
}

export interface StreamOptions {
  readonly token?: string | undefined;
  readonly lastEventId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Behind `/api/events`. */
  readonly query?: string;
  readonly onFrame?: (frame: Frame) => unknown;
  /** A comment is a sign of life. */
  readonly onComment?: () => unknown;
  /** Once, however the stream ended or failed to begin; with its status, where there was an answer. */
  readonly onClose?: (status: number | undefined) => unknown;
  /** False: events go to `onFrame` alone. */
  readonly keep?: boolean;
}

export class EventStream {
  readonly events: StreamEvent[] = [];
  /** What the last `retry:` said, ms. */
  retryMs: number | undefined;
  /** The last `id:`: what a browser would come back with. */
  lastEventId = '';
  comments = 0;
  #answer: IncomingMessage | undefined;
  #text = '';
  #closed = false;
  readonly #request: ClientRequest;

  constructor(
    readonly url: string,
    private readonly options: StreamOptions = {},
  ) {
    const { token, lastEventId, headers, query = '' } = options;
    const all = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      ...headers,
    };
    this.#request = get(`${url}/api/events${query}`, { headers: all, agent: false }, (answer) => {
      this.#answer = answer;
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => this.#take(text));
      answer.on('close', () => this.#ended());
      // What matters of an error is the close that follows it.
      answer.on('error', () => undefined);
    });
    this.#request.on('error', () => this.#ended());
  }

  get frames(): Frame[] {
    return this.events.map(({ frame }) => frame);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when the answer has begun. */
  async opened(): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders }> {
    const answer = await waitUntil(`an answer of ${this.url}`, WAIT_MS, () => this.#answer);
    return { status: answer.statusCode ?? 0, headers: answer.headers };
  }

  async event(what: string, fits: (frame: Frame) => boolean, withinMs = WAIT_MS): Promise<StreamEvent> {
    try {
      return await waitUntil(`an event: ${what}`, withinMs, () => this.events.find(({ frame }) => fits(frame)));
    } catch (error) {
      const last = this.frames.slice(-8).map((frame) => JSON.stringify(frame));
      throw new Error(`${String(error)}; closed: ${this.#closed}; last events:\n${last.join('\n')}`, { cause: error });
    }
  }

  async caughtUp(): Promise<this> {
    await this.event('caught_up', ({ op }) => op === 'caught_up');
    return this;
  }

  async closed(withinMs = WAIT_MS): Promise<void> {
    await waitUntil(`the end of ${this.url}`, withinMs, () => this.#closed);
  }

  /** Takes nothing more from the network, until `resume`. */
  pause(): void {
    this.#answer?.pause();
  }

  resume(): void {
    this.#answer?.resume();
  }

  /** As if the cable were cut. */
  cut(): void {
    this.#request.destroy();
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.options.onClose?.(this.#answer?.statusCode);
  }

  /** Blocks end with an empty line; one may come in several pieces. */
  #take(text: string): void {
    const blocks = (this.#text + text).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) this.#takeBlock(block);
  }

  #takeBlock(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === '') this.#commented();
      else fields.set(name, value);
    }
    const retry = fields.get('retry');
    if (retry !== undefined) this.retryMs = Number(retry);
    const data = fields.get('data');
    if (data === undefined) return;
    const id = fields.get('id');
    if (id !== undefined) this.lastEventId = id;
    const frame = JSON.parse(data) as Frame;
    checkFrame(frame);
    if (this.options.keep !== false) this.events.push({ name: fields.get('event') ?? 'message', id, frame });
    this.options.onFrame?.(frame);
  }

  #commented(): void {
    this.comments += 1;
    this.options.onComment?.();
  }
}
