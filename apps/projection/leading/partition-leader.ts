/** Leads one partition: from its checkpoint on, every event of the log into the read models, in order. */
import type { LoggerService } from '@nestjs/common';
import type { EventLog } from '#event-log';
import { CheckpointMovedError, PartitionWriter, projections, type ReadModel, type Writer } from '#read-models';
import { Batches, type BatchesPort } from './batches.js';

/** Events a transaction, where so many wait: rows that many of them change (a room, a sender) are written once. */
const BATCH_MAX = 2_000;
/** Under load the views are at most this much later, and a batch has many events instead of a few: each costs the database the less. */
const PACE_MS = 20;

export interface LeaderPort extends BatchesPort {
  readonly log: EventLog;
  readonly logger: LoggerService;
  /** Read models that stand elsewhere than the live ones: new ones, which have to be built beside them. */
  onMissing(models: readonly ReadModel[]): void;
}

export class PartitionLeader {
  private batches: Batches | undefined;

  constructor(
    private readonly port: LeaderPort,
    private readonly partition: number,
  ) {}

  get waitsFor(): string | undefined {
    return this.batches?.waitsFor;
  }

  /** Until `signal` aborts; throws when leading has to begin anew. */
  async lead(writer: Writer, signal: AbortSignal): Promise<void> {
    const { log } = this.port;
    const target = new PartitionWriter(writer, this.partition, projections);
    const batches = new Batches(this.port, target);
    this.batches = batches;
    while (!signal.aborted) {
      const missing = await target.load({ epoch: log.epoch, last: await log.lastSequence(this.partition) });
      if (missing.length > 0) this.port.onMissing(missing);
      const { epoch, seq } = target.checkpoint;
      this.port.onApplied({ partition: this.partition, epoch, seq });
      try {
        await log.follow(
          { partition: this.partition, after: seq, batchMax: BATCH_MAX, paceMs: PACE_MS, signal },
          (entries) => batches.apply(entries, signal),
        );
      } catch (error) {
        // A rebuild has swapped the tables: what is known of them is loaded again.
        if (!(error instanceof CheckpointMovedError)) throw error;
      }
    }
  }
}
