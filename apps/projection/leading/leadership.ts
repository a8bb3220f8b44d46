/**
 * Who leads a partition: whoever holds its advisory lock in PostgreSQL, on the very connection that it writes with. A lost
 * connection ends the session, the session's end frees the lock, and nothing more can be written by it.
 *
 * States of a partition, as one process sees it: *ours* (lock held, `lead` runs), *another's* (somebody holds the lock), *free*
 * (we try to take it). A standby looks every 100 ms which locks are held, with one query for all partitions. Waiting on the lock
 * itself would be no faster, and would hold a snapshot open for as long as the other leads: nothing could be vacuumed.
 */
import type { LoggerService } from '@nestjs/common';
import type { Database, Writer } from '#read-models';
import { pause } from './pause.js';

const STANDBY_POLL_MS = 100;
/** First key of our advisory locks; the second is the partition. Any number that nobody else uses. */
export const LEADER_LOCK = 0x70726f6a;

export interface Lead {
  /**
   * Leads until `signal` aborts: the process stops, or the connection is lost. Returning or throwing ends the leadership.
   */
  lead(partition: number, writer: Writer, signal: AbortSignal): Promise<void>;
  /** Somebody else leads this partition now. */
  onOther(partition: number): void;
}

export class Leadership {
  private readonly ours = new Map<number, Promise<void>>();
  /** Why the last look at the locks, or the last attempt to lead, failed; undefined when all is well. */
  failure: string | undefined;

  constructor(
    private readonly database: Database,
    private readonly partitions: number,
    private readonly role: Lead,
    private readonly logger: LoggerService,
  ) {}

  get led(): readonly number[] {
    return [...this.ours.keys()].sort((a, b) => a - b);
  }

  /** Resolves when `signal` has aborted and every leadership has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look(signal);
        this.failure = undefined;
      } catch (error) {
        this.failed('cannot see who leads', error);
      }
      await pause(STANDBY_POLL_MS, signal);
    }
    await Promise.all(this.ours.values());
  }

  private async look(signal: AbortSignal): Promise<void> {
    const held = await heldPartitions(this.database);
    for (let partition = 0; partition < this.partitions; partition++) {
      if (this.ours.has(partition)) continue;
      if (held.has(partition)) {
        this.role.onOther(partition);
        continue;
      }
      const leading = this.tryToLead(partition, signal)
        .catch((error: unknown) => this.failed(`leadership of partition ${partition} ended`, error))
        .finally(() => this.ours.delete(partition));
      this.ours.set(partition, leading);
    }
  }

  private async tryToLead(partition: number, signal: AbortSignal): Promise<void> {
    const writer = await this.database.writer(`parley projection ${partition}`);
    const ending = AbortSignal.any([signal, writer.lost]);
    try {
      const [lock] = await writer.query<{ taken: boolean }>('lead', 'select pg_try_advisory_lock($1, $2) as taken', [
        LEADER_LOCK,
        partition,
      ]);
      if (lock?.taken !== true) return;
      this.logger.log(`leads partition ${partition}`);
      await this.role.lead(partition, writer, ending);
    } finally {
      await writer.release();
    }
  }

  private failed(what: string, error: unknown): void {
    const failure = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (failure !== this.failure) this.logger.warn(failure);
    this.failure = failure;
  }
}

async function heldPartitions(database: Database): Promise<Set<number>> {
  const rows = await database.query<{ partition: number }>(
    'leaders',
    `select objid::int as partition from pg_locks
     where locktype = 'advisory' and classid = $1::oid and objsubid = 2 and granted
       and database = (select oid from pg_database where datname = current_database())`,
    [LEADER_LOCK],
  );
  return new Set(rows.map(({ partition }) => partition));
}
