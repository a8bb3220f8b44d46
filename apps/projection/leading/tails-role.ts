/**
 * The tails role of the partitions that this process leads. It follows the log by itself, so it never waits for PostgreSQL; and
 * it goes on while the database is away, until somebody else is seen to lead: gateways need the notices then as much as ever.
 */
import type { LoggerService } from '@nestjs/common';
import type { EventLog } from '#event-log';
import { pause } from './pause.js';

const RESTART_MS = 500;

export class TailsRole {
  private readonly running = new Map<number, { readonly ending: AbortController; readonly ended: Promise<void> }>();

  constructor(
    private readonly log: EventLog,
    private readonly logger: LoggerService,
  ) {}

  /** Does nothing where it runs already: a run that goes on leaves no gap between its notices. */
  begin(partition: number): void {
    if (this.running.has(partition)) return;
    const ending = new AbortController();
    this.running.set(partition, { ending, ended: this.run(partition, ending.signal) });
  }

  async end(partition: number): Promise<void> {
    const run = this.running.get(partition);
    this.running.delete(partition);
    run?.ending.abort();
    await run?.ended;
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.running.keys()].map((partition) => this.end(partition)));
  }

  private async run(partition: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.log.publishTails(partition, signal);
      } catch (error) {
        this.logger.warn(`tails of partition ${partition}: ${error instanceof Error ? error.message : String(error)}`);
        await pause(RESTART_MS, signal);
      }
    }
  }
}
