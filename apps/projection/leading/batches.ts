/**
 * What happens to a batch that cannot be applied. Only an event that fails alone, with a decoding error or with data that the
 * database does not take (SQLSTATE class 22 or 23), and does so again and again, is poison: it is recorded as a dead letter in
 * the transaction that steps over it, and the rest goes on. Everything else (a database that is away, a serialization failure,
 * a missing table) is no event's fault and is waited out.
 *
 *   batch --data error--> halves --...--> one event --RETRY_ATTEMPTS data errors--> dead letter
 *   batch --any other error--> the same batch again, later
 */
import type { LoggerService } from '@nestjs/common';
import { formatPosition } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { CheckpointMovedError, type DeadLetterRow, isDataError, type PartitionWriter } from '#read-models';
import { pause } from './pause.js';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

export interface BatchesPort {
  readonly log: EventLog;
  readonly retryAttempts: number;
  readonly logger: LoggerService;
  /** After a commit: queries up to here see it. */
  onApplied(checkpoint: { readonly partition: number; readonly epoch: string; readonly seq: number }): void;
  onDeadLetter(letter: DeadLetterRow): void;
}

export class Batches {
  /** Why the batch at hand waits; undefined when nothing does. */
  waitsFor: string | undefined;

  constructor(
    private readonly port: BatchesPort,
    private readonly partition: PartitionWriter,
  ) {}

  /** Applies a batch, however long it takes; throws only when this process may not write any more. */
  async apply(entries: readonly StoredEntry[], signal: AbortSignal): Promise<void> {
    const unreadable = entries.filter(({ decoded }) => decoded.kind === 'unreadable');
    if (unreadable.length === 0) return this.applyOrSplit(entries, [], signal);
    const again = await this.readAgain(unreadable, signal);
    const settled = entries.map((entry) => again.get(entry.seq) ?? entry);
    await this.applyOrSplit(settled, settled.flatMap(deadIfUnreadable), signal);
  }

  private async applyOrSplit(
    entries: readonly StoredEntry[],
    dead: readonly DeadLetterRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const error = await this.attempt(entries, dead);
      if (error === undefined) return;
      if (signal.aborted || error instanceof CheckpointMovedError) throw error;
      if (isDataError(error) && entries.length > 1) return this.applyHalves(entries, dead, signal);
      const [entry] = entries;
      if (isDataError(error) && entry !== undefined && attempt >= this.port.retryAttempts)
        return this.applyOrSplit(entries, [letterOf(entry, error.message)], signal);
      await this.wait(attempt, error.message, signal);
    }
  }

  private async applyHalves(
    entries: readonly StoredEntry[],
    dead: readonly DeadLetterRow[],
    signal: AbortSignal,
  ): Promise<void> {
    const middle = entries.length >> 1;
    for (const half of [entries.slice(0, middle), entries.slice(middle)]) {
      const seqs = new Set(half.map(({ seq }) => seq));
      const deadInHalf = dead.filter(({ seq }) => seqs.has(seq));
      await this.applyOrSplit(half, deadInHalf, signal);
    }
  }

  /** @returns what went wrong */
  private async attempt(entries: readonly StoredEntry[], dead: readonly DeadLetterRow[]): Promise<Error | undefined> {
    try {
      await this.partition.apply(entries, dead);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error), { cause: error });
    }
    this.waitsFor = undefined;
    for (const letter of dead) {
      this.port.logger.error(`dead letter at ${formatPosition(letter)} (${letter.subject}): ${letter.reason}`);
      this.port.onDeadLetter(letter);
    }
    const { epoch, seq } = this.partition.checkpoint;
    this.port.onApplied({ partition: this.partition.partition, epoch, seq });
    return undefined;
  }

  /** A payload that cannot be read is fetched again as often as anything else is tried: a fault of the way is no poison. */
  private async readAgain(unreadable: readonly StoredEntry[], signal: AbortSignal): Promise<Map<number, StoredEntry>> {
    const found = new Map<number, StoredEntry>();
    for (let attempt = 1; attempt < this.port.retryAttempts && found.size < unreadable.length; attempt++) {
      await this.wait(attempt, `${unreadable.length - found.size} unreadable events`, signal);
      for (const { partition, seq } of unreadable) {
        if (found.has(seq)) continue;
        const entry = await this.port.log.entry(partition, seq);
        if (entry !== undefined && entry.decoded.kind !== 'unreadable') found.set(seq, entry);
      }
    }
    return found;
  }

  private async wait(attempt: number, reason: string, signal: AbortSignal): Promise<void> {
    const text = `partition ${this.partition.partition} waits: ${reason}`;
    if (text !== this.waitsFor) this.port.logger.warn(text);
    this.waitsFor = text;
    await pause(Math.min(RETRY_FIRST_MS * 2 ** (attempt - 1), RETRY_MAX_MS), signal);
    signal.throwIfAborted();
  }
}

function letterOf(entry: StoredEntry, reason: string): DeadLetterRow {
  const { partition, seq, subject, at } = entry;
  return { partition, seq, subject, reason, at };
}

function deadIfUnreadable(entry: StoredEntry): DeadLetterRow[] {
  return entry.decoded.kind === 'unreadable' ? [letterOf(entry, entry.decoded.reason)] : [];
}
