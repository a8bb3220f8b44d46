/** Requests to the JetStream API, with its errors as values, and repeated while nobody can answer. */
import { errors, type NatsConnection } from '@nats-io/transport-node';
import type { ConnectionWatch } from './connection.js';
import { LOG_LIMITS, retryPauseMs } from './limits.js';
import { LogUnavailableError } from './log.js';
import { pause, random } from './pause.js';

export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

export interface ApiAnswer {
  readonly error?: ApiError;
}

export class JetStreamApi {
  readonly #nc: NatsConnection;

  constructor(
    private readonly connection: ConnectionWatch,
    private readonly patienceMs: number = LOG_LIMITS.readMs,
  ) {
    this.#nc = connection.nc;
  }

  /**
   * The answer, or the API's error in it. No leader (503), no responder, and silence are asked again for `patienceMs`.
   * @throws LogUnavailableError
   */
  async ask<T extends ApiAnswer>(subject: string, body?: object): Promise<T> {
    const until = performance.now() + this.patienceMs;
    for (let tries = 0; ; tries++) {
      const { answer, why } = await this.#tryOnce<T>(subject, body);
      if (answer) return answer;
      if (performance.now() >= until || this.#nc.isClosed())
        throw new LogUnavailableError(`$JS.API.${subject}: ${why}`);
      await pause(retryPauseMs(tries, random));
    }
  }

  async #tryOnce<T extends ApiAnswer>(
    subject: string,
    body: object | undefined,
  ): Promise<{ readonly answer?: T; readonly why?: string }> {
    if (!this.connection.up) return { why: 'not connected' };
    try {
      const message = await this.#nc.request(`$JS.API.${subject}`, body ? JSON.stringify(body) : '', {
        timeout: LOG_LIMITS.readTryMs,
      });
      const answer = message.json<T>();
      return answer.error?.code === 503
        ? { why: `${answer.error.description} (${answer.error.err_code})` }
        : { answer };
    } catch (error) {
      if (error instanceof errors.PermissionViolationError) throw error;
      return { why: error instanceof Error ? error.message : String(error) };
    }
  }
}
