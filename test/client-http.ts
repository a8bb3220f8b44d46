/** What the test client does over HTTP: sending, and reading a room back to where its feed stopped. */
import { randomInt } from 'node:crypto';
import type { Fetched, SendOutcome } from '#testing';
import { Http, listAt, textAt, type Answer } from './http.js';

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 400;
const PAGE = 100;

/** The platform cannot answer now. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

export class ClientHttp {
  readonly #http: Http;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  /** Sends that have no answer yet. */
  pending = 0;

  constructor(
    url: string,
    token: string,
    private readonly onFault: (fault: string) => void,
  ) {
    this.#http = new Http(url, token);
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.forEach((timer) => clearTimeout(timer));
  }

  async send(room: string, content: string, key: string): Promise<SendOutcome> {
    this.pending += 1;
    try {
      const answer = await this.#repeat(`/api/rooms/${room}/messages`, { content }, key);
      return answer === undefined ? { kind: 'unknown' } : outcomeOf(answer);
    } finally {
      this.pending -= 1;
    }
  }

  /**
   * The messages after `after`, newest first, in whole pages, read at a cursor or later.
   * @throws Unavailable
   */
  async readBack(room: string, after: number, at: string, page?: string): Promise<Fetched[] | 'refused'> {
    const path = `/api/rooms/${room}/messages?limit=${PAGE}${page === undefined ? '' : `&cursor=${page}`}`;
    const answer = await this.#http.get(path, { headers: { 'parley-position': at } }).catch(unreachable);
    if (answer === undefined || answer.status >= 500) throw new Unavailable(answer?.text ?? 'no answer');
    if (answer.status === 403 || answer.status === 404) return 'refused';
    const items = listAt(answer.json, 'items') as unknown as Fetched[];
    const { next } = answer.json;
    if ((items.at(-1)?.seq ?? 0) <= after || typeof next !== 'string') return items;
    const older = await this.readBack(room, after, at, encodeURIComponent(next));
    return older === 'refused' ? older : [...items, ...older];
  }

  /** Until there is an answer that is not temporary; undefined when the client was stopped before. */
  async #repeat(path: string, body: object, key: string): Promise<Answer | undefined> {
    if (this.#stopped) return undefined;
    const answer = await this.#http.post(path, body, { headers: { 'idempotency-key': key } }).catch(unreachable);
    if (answer && answer.status < 500 && answer.status !== 429) return answer;
    if (answer?.status === 500) this.onFault(`an internal error: ${answer.text}`);
    return new Promise((resolve, reject) => {
      const again = (): void => {
        this.#timers.delete(timer);
        this.#repeat(path, body, key).then(resolve, reject);
      };
      const timer = setTimeout(again, randomInt(RETRY_MIN_MS, RETRY_MAX_MS));
      this.#timers.add(timer);
    });
  }
}

/** fetch rejects with a TypeError (of another realm, in Jest) when no answer came; anything else is our own mistake. */
function unreachable(error: unknown): undefined {
  if ((error as Error).name !== 'TypeError') throw error;
}

function outcomeOf({ status, json }: Answer): SendOutcome {
  if (status !== 202) return { kind: 'refused', code: `${status} ${String(json['code'])}` };
  const position = textAt(json, 'position');
  return { kind: 'acknowledged', id: textAt(json, 'id'), position, seq: Number(position.split('-')[1]) };
}
