/** Requests on a socket: sent again, as they are, over every loss of the connection, until there is an answer that is not temporary. */
import type { ServerFrameOf } from '#contract';
import type { Fields } from './http.js';

/** What a request came to, however often it was repeated. */
export type Reply =
  | { readonly kind: 'acknowledged'; readonly frame: Omit<ServerFrameOf<'ack'>, 'op' | 'id'> }
  | { readonly kind: 'skipped'; readonly seq: number }
  | { readonly kind: 'refused'; readonly code: string }
  /** The client was stopped first. */
  | { readonly kind: 'unanswered' };

interface Pending {
  readonly frame: Fields & { readonly id: string; readonly op: string };
  readonly resolve: (reply: Reply) => void;
  sentAt: number;
  /** How often it was sent on this connection: so many answers may come. */
  times: number;
}

const RETRY_MS = 100;

export interface RequestsHost {
  /** False while there is no connection that takes it. */
  transmit(frame: object): boolean;
  later(work: () => void, afterMs: number): void;
  fault(what: string): void;
}

export class SocketRequests {
  readonly #pending = new Map<string, Pending>();
  /** Those of this connection that have their answer, and may get another. */
  readonly #repeated = new Set<string>();
  #count = 0;

  constructor(private readonly host: RequestsHost) {}

  get unanswered(): number {
    return this.#pending.size;
  }

  ask(fields: Fields & { readonly op: string }): Promise<Reply> {
    const frame = { ...fields, id: `r${(this.#count += 1)}` };
    return new Promise((resolve) => {
      const pending = { frame, resolve, sentAt: 0, times: 0 };
      this.#pending.set(frame.id, pending);
      this.#transmit(pending);
    });
  }

  /** On a new connection. */
  again(): void {
    this.#repeated.clear();
    for (const pending of this.#pending.values()) {
      pending.times = 0;
      this.#transmit(pending);
    }
  }

  /** False: it answers nothing that was asked. */
  answered(frame: ServerFrameOf<'ack'> | ServerFrameOf<'error'>): boolean {
    const pending = this.#pending.get(String(frame.id));
    if (!pending) return frame.op === 'ack' || this.#repeated.has(String(frame.id)) || this.#mayComeLate(frame);
    if (frame.op === 'ack') this.#settle(pending, { kind: 'acknowledged', frame });
    else if (!frame.temporary) this.#settle(pending, { kind: 'refused', code: frame.code });
    else
      this.host.later(() => this.#pending.has(pending.frame.id) && this.#transmit(pending), frame.retryMs ?? RETRY_MS);
    return true;
  }

  /** That nothing is known of a request yet may be said after its echo has told. */
  #mayComeLate({ id, temporary }: ServerFrameOf<'error'>): boolean {
    const number = Number(/^r(\d+)$/.exec(String(id))?.[1]);
    return temporary && number <= this.#count;
  }

  /** The acknowledgement was lost; the echo that was held back stands for it. */
  answeredBySkip(key: string, seq: number): void {
    for (const pending of this.#pending.values())
      if (pending.frame['key'] === key) this.#settle(pending, { kind: 'skipped', seq });
  }

  /** Those that have waited for longer than this, which are sent again. */
  overdue(maxMs: number): object[] {
    const now = Date.now();
    const late = [...this.#pending.values()].filter(({ sentAt }) => sentAt > 0 && now - sentAt >= maxMs);
    late.forEach((pending) => this.#transmit(pending));
    return late.map(({ frame }) => frame);
  }

  #transmit(pending: Pending): void {
    if (!this.host.transmit(pending.frame)) return;
    pending.sentAt = Date.now();
    pending.times += 1;
  }

  #settle(pending: Pending, reply: Reply): void {
    this.#pending.delete(pending.frame.id);
    if (pending.times > 1) this.#repeated.add(pending.frame.id);
    if (reply.kind === 'refused' && reply.code === 'internal')
      this.host.fault(`an internal error for ${JSON.stringify(pending.frame)}`);
    pending.resolve(reply);
  }
}
