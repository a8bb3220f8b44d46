/** What the test client does over HTTP: asking, and reading a room back to where its feed stopped. */
import { randomInt } from 'node:crypto';
import { parsePosition } from '#contract';
import type { Fetched } from '#testing';
import type { Reply } from './client-requests.js';
import type { ClientOptions } from './client.js';
import { Http, listAt, type Answer, type Fields } from './http.js';

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 400;
const PAGE = 100;
/** Longer than the platform takes to say that it cannot answer; a frozen one says nothing. */
const ANSWER_MAX_MS = 20_000;

/** The platform cannot answer now. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

type Method = 'POST' | 'PUT' | 'DELETE';

export class ClientHttp {
  readonly #http: Http;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  /** Requests that have no answer yet. */
  pending = 0;

  constructor(
    { http, token, random }: Pick<ClientOptions, 'http' | 'token' | 'random'>,
    private readonly onFault: (fault: string) => void,
  ) {
    this.#http = new Http(http, token);
    this.#retryMs = () => random?.between(RETRY_MIN_MS, RETRY_MAX_MS) ?? randomInt(RETRY_MIN_MS, RETRY_MAX_MS);
  }

  readonly #retryMs: () => number;

  stop(): void {
    this.#stopped = true;
    this.#timers.forEach((timer) => clearTimeout(timer));
  }

  /** What a frame would ask for. */
  request({ op, room, key, ...fields }: Fields & { readonly op: string }): Promise<Reply> {
    const [path, at] = [String(key ?? ''), `/api/rooms/${String(room)}`];
    const keyed = path === '' ? {} : { key: path };
    switch (op) {
      case 'send':
        return this.command('POST', room === undefined ? '/api/messages' : `${at}/messages`, fields, keyed);
      case 'join':
      case 'leave':
        return this.command('POST', `${at}/${op}`, fields);
      case 'read':
        return this.command('PUT', `${at}/read`, fields);
      default:
        throw new Error(`the test client has no route for ${op}`);
    }
  }

  /** Repeats it, with the same key, until there is an answer that is not temporary. */
  async command(
    method: Method,
    path: string,
    body: object | undefined,
    { key }: { key?: string } = {},
  ): Promise<Reply> {
    this.pending += 1;
    try {
      return replyOf(await this.#repeat(method, path, body, key));
    } finally {
      this.pending -= 1;
    }
  }

  /**
   * The messages after `after`, newest first, in whole pages, read at a position (or a cursor) or later; as they are, without one.
   * @throws Unavailable
   */
  async readBack(room: string, after: number, at: string, page?: string): Promise<Fetched[] | 'refused'> {
    const path = `/api/rooms/${room}/messages?limit=${PAGE}${page === undefined ? '' : `&cursor=${page}`}`;
    const answer = await this.#call('GET', path, undefined, at === '' ? {} : { 'parley-position': at });
    if (answer === undefined || answer.status >= 500) throw new Unavailable(answer?.text ?? 'no answer');
    if (answer.status === 403 || answer.status === 404) return 'refused';
    const items = listAt(answer.json, 'items') as unknown as Fetched[];
    const { next } = answer.json;
    if ((items.at(-1)?.seq ?? 0) <= after || typeof next !== 'string') return items;
    const older = await this.readBack(room, after, at, encodeURIComponent(next));
    return older === 'refused' ? older : [...items, ...older];
  }

  /** Undefined when the client was stopped before there was an answer. */
  async #repeat(
    method: Method,
    path: string,
    body: object | undefined,
    key: string | undefined,
  ): Promise<Answer | undefined> {
    if (this.#stopped) return undefined;
    const answer = await this.#call(method, path, body, key === undefined ? {} : { 'idempotency-key': key });
    if (answer && answer.status < 500 && answer.status !== 429) return answer;
    if (answer?.status === 500) this.onFault(`an internal error: ${answer.text}`);
    return new Promise((resolve, reject) => {
      const again = (): void => {
        this.#timers.delete(timer);
        this.#repeat(method, path, body, key).then(resolve, reject);
      };
      const timer = setTimeout(again, this.#retryMs());
      this.#timers.add(timer);
    });
  }

  #call(
    method: Method | 'GET',
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer | undefined> {
    return this.#http
      .call(method, path, { body, headers, signal: AbortSignal.timeout(ANSWER_MAX_MS) })
      .catch(unreachable);
  }
}

/** fetch rejects with a TypeError (of another realm, in Jest) when no answer came; anything else is our own mistake. */
function unreachable(error: unknown): undefined {
  if (!['TypeError', 'TimeoutError'].includes((error as Error).name)) throw error;
}

/** Where there is no answer, because the client has stopped, nothing is known. */
function replyOf(answer: Answer | undefined): Reply {
  if (answer === undefined) return { kind: 'unanswered' };
  const { status, json } = answer;
  if (status !== 202 && status !== 200) return { kind: 'refused', code: `${status} ${String(json['code'])}` };
  const text = (name: string): string | undefined => (typeof json[name] === 'string' ? json[name] : undefined);
  const position = text('position');
  const seq = position === undefined ? undefined : parsePosition(position)?.seq;
  const frame = {
    ...(json['messageId'] === undefined && text('id') === undefined
      ? {}
      : { messageId: text('messageId') ?? text('id') }),
    ...(position === undefined ? {} : { position }),
    ...(seq === undefined ? {} : { seq }),
    ...(typeof json['changed'] === 'boolean' ? { changed: json['changed'] } : {}),
  };
  return { kind: 'acknowledged', frame: frame as Extract<Reply, { kind: 'acknowledged' }>['frame'] };
}
