/**
 * Direct gets: reads that any replica answers, many entries at a time. The answers to one request arrive in order and
 * each names the one before it, so that an answer lost on the way (a route cut between two nodes) is seen: what comes
 * after it is dropped and the batch counts as cut short, never as complete.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { HEADERS, streamName } from '#contract';
import { ownInbox, type ConnectionWatch } from './connection.js';
import { LOG_LIMITS } from './limits.js';
import { headerBlock, headerField, statusCode, storedMessage, type StoredMessage } from './stored-message.js';

export interface DirectGet {
  readonly seq?: number;
  readonly batch?: number;
  readonly max_bytes?: number;
  readonly next_by_subj?: string;
  readonly multi_last?: readonly string[];
  readonly up_to_seq?: number;
}

export interface DirectAnswer {
  readonly entries: readonly StoredMessage[];
  /** Everything that the answering server had for this request has arrived; otherwise the answer was cut short. */
  readonly whole: boolean;
  /** More subjects match than the broker answers in one piece. */
  readonly tooMany: boolean;
  /** How many more entries that server has for the request. */
  readonly pending: number;
  /** `multi_last` only: the last sequence of the answering server, or what was asked for. */
  readonly upTo: number;
}

interface Collecting {
  readonly entries: StoredMessage[];
  broken: boolean;
  /** When it counts as cut short unless something more has arrived. */
  deadline: number;
  readonly finish: (ending: Ending) => void;
}

type Ending = Pick<DirectAnswer, 'whole'> & Partial<DirectAnswer>;

const SWEEP_MS = 100;

export class DirectGets {
  readonly #nc: NatsConnection;
  readonly #inbox: string;
  readonly #collecting = new Map<string, Collecting>();
  #sweep: NodeJS.Timeout | undefined;
  #asked = 0;

  constructor(private readonly connection: ConnectionWatch) {
    this.#nc = connection.nc;
    this.#inbox = `${ownInbox(this.#nc)}.`;
    this.#nc.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => this.#take(error, message),
    });
    connection.onDown(() => this.#cutAll());
  }

  /** Never rejects: what cannot be had arrives as an answer that is not whole. */
  ask(partition: number, request: DirectGet): Promise<DirectAnswer> {
    const entries: StoredMessage[] = [];
    if (!this.connection.up) return Promise.resolve({ entries, whole: false, tooMany: false, pending: 0, upTo: 0 });
    const token = (this.#asked++).toString(36);
    return new Promise<DirectAnswer>((resolve) => {
      this.#collecting.set(token, {
        entries,
        broken: false,
        deadline: performance.now() + LOG_LIMITS.directIdleMs,
        finish: ({ whole, tooMany = false, pending = 0, upTo = 0 }) => {
          this.#collecting.delete(token);
          resolve({ entries, whole, tooMany, pending, upTo });
        },
      });
      this.#sweep ??= setInterval(() => this.#sweepOld(), SWEEP_MS);
      this.#nc.publish(`$JS.API.DIRECT.GET.${streamName(partition)}`, JSON.stringify(request), {
        reply: this.#inbox + token,
      });
    });
  }

  #take(error: Error | null, message: Msg): void {
    if (error) return this.#cutAll();
    const collecting = this.#collecting.get(message.subject.slice(this.#inbox.length));
    if (!collecting) return;
    const stored = storedMessage(message);
    if (!stored) return end(collecting, headerBlock(message));
    const before = collecting.entries[collecting.entries.length - 1]?.seq ?? 0;
    if (collecting.broken || stored.lastSequence !== before) {
      collecting.broken = true;
      return;
    }
    collecting.deadline = performance.now() + LOG_LIMITS.directIdleMs;
    collecting.entries.push(stored);
  }

  #sweepOld(): void {
    const now = performance.now();
    for (const collecting of [...this.#collecting.values()])
      if (collecting.deadline <= now) collecting.finish({ whole: false });
    if (this.#collecting.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #cutAll(): void {
    for (const collecting of [...this.#collecting.values()]) collecting.finish({ whole: false });
  }
}

/**
 * A status ends the answer: 204 after the last entry, 404 when there is none, 413 for too many, 503 when nobody serves
 * the stream.
 */
function end(collecting: Collecting, block: string): void {
  const code = statusCode(block);
  if (code === 404) return collecting.finish({ whole: collecting.entries.length === 0 && !collecting.broken });
  if (code === 413) return collecting.finish({ whole: false, tooMany: true });
  if (code !== 204) return collecting.finish({ whole: false });
  const number = (name: string): number => Number(headerField(block, name) ?? 0);
  const last = collecting.entries[collecting.entries.length - 1]?.seq ?? 0;
  const whole = !collecting.broken && number(HEADERS.lastSequence) === last;
  collecting.finish({ whole, pending: number(HEADERS.pending), upTo: number(HEADERS.upToSequence) });
}
