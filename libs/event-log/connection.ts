/**
 * What the log's parts need to know of their NATS connection, in one place because the library does not publish all of
 * it.
 */
import { createInbox, type NatsConnection } from '@nats-io/transport-node';
import { pause } from './pause.js';

/** Between the break and the library's word of it. */
const CONFIRM_PAUSE_MS = 20;

/** A fresh inbox under the connection's own prefix: each service may subscribe to its own only. */
export function ownInbox(nc: NatsConnection): string {
  // `options` is there at run time and missing from the public type.
  const options: unknown = 'options' in nc ? nc.options : undefined;
  const prefix =
    typeof options === 'object' && options !== null && 'inboxPrefix' in options ? options.inboxPrefix : undefined;
  return createInbox(typeof prefix === 'string' ? prefix : undefined);
}

/**
 * Whether the connection is up. While it is down the library keeps some of what is published and drops the rest, so
 * nothing is published then: what was never sent is known not to be stored.
 */
export class ConnectionWatch {
  #up: boolean;
  #clustered = false;
  readonly #waiting = new Set<() => void>();
  readonly #onDown: (() => void)[] = [];
  readonly #onUp: (() => void)[] = [];
  /** Settles when the connection is closed for good. */
  readonly closed: Promise<void>;

  constructor(readonly nc: NatsConnection) {
    this.#up = nc.info !== undefined;
    this.closed = this.#watch();
  }

  get up(): boolean {
    return this.#up && !this.nc.isClosed() && !this.nc.isDraining();
  }

  /** Whether other servers may answer as well as this one. While the connection is down: as it was. */
  get clustered(): boolean {
    if (this.nc.info) this.#clustered = this.nc.info.cluster !== undefined;
    return this.#clustered;
  }

  onDown(listener: () => void): void {
    this.#onDown.push(listener);
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener);
  }

  /** Resolves when the connection is up again, closed, or after `ms`. */
  async untilUp(ms: number): Promise<void> {
    if (this.up || this.nc.isClosed()) return;
    await new Promise<void>((resolve) => {
      const resume = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(resume);
        resolve();
      };
      const timer = setTimeout(resume, ms);
      this.#waiting.add(resume);
    });
  }

  /**
   * Resolves when the server knows all that was sent to it so far, subscriptions above all: those the library sends again
   * to the next server when the connection breaks. Rejects after `ms`, or when the connection is closed.
   */
  async confirm(ms: number): Promise<void> {
    for (const until = performance.now() + ms; ;) {
      await this.untilUp(until - performance.now());
      try {
        return await this.nc.flush();
      } catch (error) {
        if (this.nc.isClosed() || performance.now() >= until) throw error;
        await pause(CONFIRM_PAUSE_MS);
      }
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === 'disconnect' || status.type === 'close') this.#set(false);
      if (status.type === 'reconnect') this.#set(true);
    }
    this.#set(false);
  }

  #set(up: boolean): void {
    const changed = this.#up !== up;
    this.#up = up;
    if (changed) for (const listener of up ? this.#onUp : this.#onDown) listener();
    for (const resume of [...this.#waiting]) resume();
  }
}
