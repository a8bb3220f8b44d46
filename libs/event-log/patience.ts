import { streamName } from '#contract';
import { LOG_LIMITS, retryPauseMs } from './limits.js';
import { LogUnavailableError } from './log.js';
import { pause, random } from './pause.js';

/** How often a read is repeated: with growing pauses, until `readMs` have passed without progress. */
export class Patience {
  #tries = 0;
  #until = performance.now() + LOG_LIMITS.readMs;

  constructor(private readonly partition: number) {}

  /** Something has come: begin anew. */
  renew(): void {
    this.#tries = 0;
    this.#until = performance.now() + LOG_LIMITS.readMs;
  }

  /** @throws LogUnavailableError */
  async wait(): Promise<void> {
    if (performance.now() >= this.#until)
      throw new LogUnavailableError(`${streamName(this.partition)}: not readable for ${LOG_LIMITS.readMs} ms`);
    await pause(retryPauseMs(this.#tries++, random));
  }
}
