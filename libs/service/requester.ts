/**
 * Requests to services, many at a time. The library's own `request` costs a timer, two errors with their stacks and a write to
 * the broker each: about 20 us of an edge's CPU. Here one inbox takes all answers, the last token of the reply subject says whose
 * it is, and one sweep serves all time-outs: requests wait in the order in which they were made and all for the same time.
 *
 * What is asked in one turn of the event loop, by however many connections, goes out together at its end (`setImmediate`: nothing
 * waits for a timer), so that a busy edge writes to the broker once a turn and an idle one at once.
 *
 * The token also says when the request was made (request-age.ts): a service leaves undecided what reaches it too late.
 *
 * States of a request: outgoing -> asked -> answered | silent. It is silent when nobody listens there, after `waitMs`, or when the
 * connection is closed.
 */
import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { Stamps } from './request-age.js';

/** What it needs of a connection. */
export type RequestConnection = Pick<NatsConnection, 'publish' | 'subscribe' | 'closed'>;

const SWEEP_MS = 250;
/** The status of an answer that the broker gives itself: nobody listens. */
const NO_RESPONDERS = 503;

interface Asked {
  readonly subject: string;
  readonly payload: string;
  readonly deadlineMs: number;
  readonly settle: (answer: Msg | undefined) => void;
  readonly fail: (error: unknown) => void;
}

export class Requester {
  private readonly waiting = new Map<string, Asked>();
  private outgoing: string[] = [];
  private inbox: string | undefined;
  private sweep: NodeJS.Timeout | undefined;
  private asked = 0;
  private readonly stamps = new Stamps();

  /** @param waitMs how long an answer is waited for */
  constructor(
    private readonly nats: RequestConnection,
    private readonly waitMs: number,
  ) {}

  /**
   * Undefined: nobody answered.
   * @param firstAskedAtMs `performance.now()` of when the same was asked first; now, when not given
   * @throws Error when the connection is closed or draining
   */
  ask(subject: string, payload: string, firstAskedAtMs?: number): Promise<Msg | undefined> {
    return new Promise((settle, fail) => {
      const nowMs = performance.now();
      const token = `${(this.asked++).toString(36)}-${this.stamps.of(nowMs, firstAskedAtMs ?? nowMs)}`;
      this.waiting.set(token, { subject, payload, deadlineMs: nowMs + this.waitMs, settle, fail });
      this.sweep ??= setInterval(() => this.sweepOld(), SWEEP_MS);
      if (this.outgoing.length === 0) setImmediate(() => this.send());
      this.outgoing.push(token);
    });
  }

  private send(): void {
    const tokens = this.outgoing;
    this.outgoing = [];
    for (const token of tokens) {
      const asked = this.waiting.get(token);
      if (asked === undefined) continue;
      try {
        this.inbox ??= this.listen();
        this.nats.publish(asked.subject, asked.payload, { reply: this.inbox + token });
      } catch (error) {
        this.waiting.delete(token);
        asked.fail(error);
      }
    }
  }

  /** @returns what reply subjects begin with */
  private listen(): string {
    const inbox = `${inboxOf(this.nats)}.`;
    this.nats.subscribe(`${inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.take(message.subject.slice(inbox.length), message);
      },
    });
    void this.nats.closed().then(() => this.silence(Infinity));
    return inbox;
  }

  private take(token: string, message: Msg): void {
    const asked = this.waiting.get(token);
    if (asked === undefined) return;
    this.waiting.delete(token);
    asked.settle(message.data.length === 0 && message.headers?.code === NO_RESPONDERS ? undefined : message);
  }

  private sweepOld(): void {
    this.silence(performance.now());
    if (this.waiting.size > 0) return;
    clearInterval(this.sweep);
    this.sweep = undefined;
  }

  private silence(nowMs: number): void {
    for (const [token, asked] of this.waiting) {
      if (asked.deadlineMs > nowMs) return;
      this.waiting.delete(token);
      asked.settle(undefined);
    }
  }
}

/** Under the connection's own prefix: a service may subscribe to its own inboxes only. */
function inboxOf(nats: RequestConnection): string {
  // `options` is there at run time and missing from the public type.
  const options: unknown = 'options' in nats ? nats.options : undefined;
  const prefix =
    typeof options === 'object' && options !== null && 'inboxPrefix' in options ? options.inboxPrefix : undefined;
  return createInbox(typeof prefix === 'string' ? prefix : undefined);
}
