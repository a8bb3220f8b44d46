/** Rebuilds that are asked for, by an operator or by a read model that is new: one at a time in a process, and (by a lock) in all. */
import type { LoggerService } from '@nestjs/common';
import { Observable, type Subscriber } from 'rxjs';
import { z } from 'zod';
import { DomainError, formatPosition, parseOrRefuse, parsePosition } from '#contract';
import type { EventLog } from '#event-log';
import { checkpointsOf, type Database, projections, type ReadModel, withNeeds } from '#read-models';
import { pause } from '../leading/pause.js';
import { rebuild } from './rebuild.js';

/** What an operator asks for: some read models (all, if none is named), or a dead letter's position. */
const rebuildRequest = z.object({ models: z.array(z.string()).optional(), replay: z.string().optional() });

/** Sent while a rebuild runs; the last one says how it ended. */
export type RebuildReport =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string };

/** A report at least this often, so that whoever asked knows that we are still there. */
const REPORT_EVERY_MS = 1_000;

const MISSING_RETRY_MS = 2_000;

export interface RebuildsPort {
  readonly database: Database;
  readonly log: EventLog;
  readonly retryAttempts: number;
  readonly logger: LoggerService;
}

export class Rebuilds {
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private building: Promise<void> | undefined;

  constructor(private readonly port: RebuildsPort) {}

  /** Reports of a rebuild that runs until its end, whether somebody listens or not. */
  requested(request: unknown): Observable<RebuildReport> {
    return new Observable((subscriber) => {
      const run = this.report(request, subscriber);
      this.running.add(run);
      void run.finally(() => this.running.delete(run));
    });
  }

  /** Read models that are new are built at once, by whichever process comes first. */
  missing(models: readonly ReadModel[]): void {
    if (this.building !== undefined) return;
    const build = this.buildMissing(models.map(({ name }) => name));
    this.building = build;
    this.running.add(build);
    void build.finally(() => {
      this.running.delete(build);
      this.building = undefined;
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort(new Error('projection stops; the live read models are as they were'));
    await Promise.all(this.running);
  }

  /** Again and again, until they are there: another process may build them, or be ended while it does. */
  private async buildMissing(names: readonly string[]): Promise<void> {
    const { database, log, logger } = this.port;
    while (!this.stopping.signal.aborted) {
      try {
        const partitions = Array.from({ length: log.partitions }, (_, partition) => checkpointsOf(database, partition));
        const there = await Promise.all(partitions);
        if (names.every((name) => there.every((stored) => stored.some(({ model }) => model === name)))) return;
        const progress = (text: string): void => logger.log(`building ${names.join(', ')}: ${text}`);
        await rebuild({ ...this.port, progress }, withNeeds(names), this.stopping.signal);
      } catch (error) {
        logger.warn(`building ${names.join(', ')}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await pause(MISSING_RETRY_MS, this.stopping.signal);
    }
  }

  private async report(request: unknown, subscriber: Subscriber<RebuildReport>): Promise<void> {
    let latest: RebuildReport = { kind: 'progress', text: 'beginning' };
    subscriber.next(latest);
    const again = setInterval(() => subscriber.next(latest), REPORT_EVERY_MS);
    try {
      const models = await this.modelsOf(request);
      const progress = (text: string): void => subscriber.next((latest = { kind: 'progress', text }));
      const done = await rebuild({ ...this.port, progress }, models, this.stopping.signal);
      const rate = Math.round((done.events / done.ms) * 1000);
      const text =
        `${done.models.join(', ')} rebuilt from ${done.events} events in ${Math.round(done.ms)} ms (${rate}/s), ` +
        `swapped in with leaders held for ${Math.round(done.heldMs)} ms`;
      subscriber.next({ kind: 'done', text });
    } catch (error) {
      subscriber.next({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
    } finally {
      clearInterval(again);
      subscriber.complete();
    }
  }

  private async modelsOf(request: unknown): Promise<readonly ReadModel[]> {
    const { models, replay } = parseOrRefuse(rebuildRequest, request);
    if (replay === undefined) return models === undefined || models.length === 0 ? projections : withNeeds(models);
    const position = parsePosition(replay);
    if (position === undefined || position.partition >= this.port.log.partitions)
      throw new DomainError('invalid_body', `${replay} is no position: they look like 0-15`);
    const entry = await this.port.log.entry(position.partition, position.seq);
    if (entry === undefined) throw new Error(`there is no event at ${formatPosition(position)}`);
    if (entry.decoded.kind === 'unreadable')
      throw new Error(`the event at ${replay} cannot be read by this version either: ${entry.decoded.reason}`);
    // Later events were counted without this one, so it cannot be put in afterwards: everything is built again with it.
    return projections;
  }
}
