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
/** A partition that we could not lead is tried again after this, doubling; one that we led for a while begins at the first again. */
const RETRY_MAX_MS = 2_000;
const PROVEN_MS = 1_000;
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
  private readonly failed = new Map<number, { readonly text: string; readonly waitMs: number; readonly at: number }>();
  private blindness: string | undefined;

  constructor(
    private readonly database: Database,
    private readonly partitions: number,
    private readonly role: Lead,
    private readonly logger: LoggerService,
  ) {}

  get led(): readonly number[] {
    return [...this.ours.keys()].sort((a, b) => a - b);
  }

  /** What keeps us from seeing who leads, and from leading what nobody does. */
  get troubles(): readonly string[] {
    const failures = [...this.failed.values()].map(({ text }) => text);
    return this.blindness === undefined ? failures : [this.blindness, ...failures];
  }

  /** Resolves when `signal` has aborted and every leadership has ended. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.look(signal);
        this.blindness = undefined;
      } catch (error) {
        const text = `cannot see who leads: ${reasonOf(error)}`;
        if (text !== this.blindness) this.logger.warn(text);
        this.blindness = text;
      }
      await pause(STANDBY_POLL_MS, signal);
    }
    await Promise.all(this.ours.values());
  }

  private async look(signal: AbortSignal): Promise<void> {
    const held = await heldPartitions(this.database);
    if (signal.aborted) return;
    for (let partition = 0; partition < this.partitions; partition++) {
      if (this.ours.has(partition)) continue;
      if (held.has(partition)) {
        this.failed.delete(partition);
        this.role.onOther(partition);
      } else if (this.mayTry(partition)) {
        const leading = this.tryToLead(partition, signal)
          .catch((error: unknown) => this.onFailure(partition, error))
          .finally(() => this.ours.delete(partition));
        this.ours.set(partition, leading);
      }
    }
  }

  private async tryToLead(partition: number, signal: AbortSignal): Promise<void> {
    const writer = await this.database.writer(`parley projection ${partition}`);
    const ending = AbortSignal.any([signal, writer.lost]);
    let proven: NodeJS.Timeout | undefined;
    try {
      const [lock] = await writer.query<{ taken: boolean }>('lead', 'select pg_try_advisory_lock($1, $2) as taken', [
        LEADER_LOCK,
        partition,
      ]);
      if (lock?.taken !== true) return;
      this.logger.log(`leads partition ${partition}`);
      proven = setTimeout(() => this.failed.delete(partition), PROVEN_MS);
      await this.role.lead(partition, writer, ending);
    } finally {
      clearTimeout(proven);
      await writer.release();
    }
  }

  private mayTry(partition: number): boolean {
    const failure = this.failed.get(partition);
    return failure === undefined || performance.now() >= failure.at + failure.waitMs;
  }

  private onFailure(partition: number, error: unknown): void {
    const text = `partition ${partition} is not led: ${reasonOf(error)}`;
    const before = this.failed.get(partition);
    if (text !== before?.text) this.logger.warn(text);
    const waitMs = before === undefined ? STANDBY_POLL_MS : Math.min(2 * before.waitMs, RETRY_MAX_MS);
    this.failed.set(partition, { text, waitMs, at: performance.now() });
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

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
