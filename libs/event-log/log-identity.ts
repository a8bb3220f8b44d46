/**
 * Whether the log is still the one that was opened. A backup that is restored under a running process makes another log
 * of it, with another epoch, in which the sequences that this process remembers mean nothing: no fence of its holds,
 * and a follower would go on in the wrong place. A restore needs the broker to go away, so it is looked at whenever
 * that comes back.
 */
import { STREAM_METADATA, streamName } from '#contract';
import type { ConnectionWatch } from './connection.js';
import type { ApiAnswer, JetStreamApi } from './jetstream-api.js';
import { LogMismatchError, LogUnavailableError } from './log.js';
import { pause } from './pause.js';
import type { StreamConfig } from './streams.js';

const ABSENT_POLL_MS = 500;

interface InfoAnswer extends ApiAnswer {
  readonly config?: StreamConfig;
}

export class LogIdentity {
  readonly #replaced = new AbortController();

  constructor(
    private readonly epoch: string,
    private readonly api: JetStreamApi,
    private readonly connection: ConnectionWatch,
  ) {
    connection.onUp(() => void this.#look());
  }

  /** @throws LogMismatchError */
  assertSame(): void {
    this.replaced.throwIfAborted();
  }

  get replaced(): AbortSignal {
    return this.#replaced.signal;
  }

  /** Asks until there is an answer, or the connection has gone again, which begins anew. */
  async #look(): Promise<void> {
    while (this.connection.up)
      try {
        const { config } = await this.api.ask<InfoAnswer>(`STREAM.INFO.${streamName(0)}`);
        if (!config) {
          // The broker was emptied. What comes next, a restored log perhaps, is another one.
          await pause(ABSENT_POLL_MS);
          continue;
        }
        const found = config.metadata?.[STREAM_METADATA.epoch];
        if (found !== this.epoch)
          this.#replaced.abort(
            new LogMismatchError(
              `the log was replaced: its epoch is ${found}, it was opened as ${this.epoch}; start this process anew`,
            ),
          );
        return;
      } catch (error) {
        // Nobody leads the stream yet. Anything else is a refusal that every other question meets as well.
        if (!(error instanceof LogUnavailableError)) return;
      }
  }
}
