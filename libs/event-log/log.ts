/**
 * The durable log, as the rest of the platform sees it. Two implementations: JetStream (`jetstream-log.ts`) and the
 * memory twin (`memory.ts`); both pass `log-contract.ts`.
 *
 * Terminology
 * - *partition*: one stream, `CHAT_<p>`. A room lives whole in one, a user's own subjects likewise.
 * - *seq*: an entry's sequence in its partition, from 1. *position*: (partition, seq).
 * - *prev*: the sequence before an entry on its own subject, 0 for the first.
 * - *fence*: the sequence that must still be the last of a subject for an append to be taken.
 * - *epoch*: the log's identity. A restored or new log has another one.
 */
import type { ChatEvent, DecodedEvent } from '#contract';

/** An entry as it stands in the log. */
export interface StoredEntry {
  readonly partition: number;
  readonly seq: number;
  readonly subject: string;
  /** The sequence before it on its subject, in live entries only. */
  readonly prev: number | undefined;
  /** The broker's time of the entry, ms since 1970; rises with `seq`. */
  readonly at: number;
  readonly decoded: DecodedEvent;
}

export interface Fence {
  readonly subject: string;
  /** 0: nothing may stand on the subject yet. */
  readonly seq: number;
}

export interface Append {
  readonly subject: string;
  readonly event: ChatEvent;
  readonly fence?: Fence;
}

export interface AppendOptions {
  /** The broker's message id (`event.key.id` of a keyed command): a repeat is answered with the first entry. */
  readonly messageId?: string;
}

export interface Appended {
  readonly partition: number;
  /** Of the entry; of a batch, the last entry's. */
  readonly seq: number;
  /** The broker had this message id already; `seq` is the first entry's. */
  readonly duplicate: boolean;
}

/** The fence's subject has changed: load the state again from the leader and decide again. */
export class FenceMovedError extends Error {
  override readonly name = 'FenceMovedError';
}

/** Nothing was stored: no stream answered. The same append may be made again. */
export class LogUnavailableError extends Error {
  override readonly name = 'LogUnavailableError';
}

/**
 * The answer was lost: stored or not, nobody knows. Repeat the same append with the same message id and never decide
 * anew; without a message id say so to the caller.
 */
export class AppendUnknownError extends Error {
  override readonly name = 'AppendUnknownError';
}

/** What the broker will never take (payload too large, stream full, unexpected refusals), in its own words. */
export class AppendRefusedError extends Error {
  override readonly name = 'AppendRefusedError';
}

/**
 * The broker or the streams on it are not what is configured, or no longer the log that was opened (a backup was
 * restored under a running process, which then has to be started anew). One message says what differs and what to do.
 */
export class LogMismatchError extends Error {
  override readonly name = 'LogMismatchError';
}

export interface SubjectRange {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  readonly max: number;
  readonly maxBytes?: number;
}

export interface SubjectRead {
  readonly entries: StoredEntry[];
  /** False when the read stopped at `max` or `maxBytes` before it reached `upTo`. */
  readonly complete: boolean;
}

export interface Subscription {
  /** Resolves when nothing more will be delivered. */
  stop(): Promise<void>;
}

export interface FollowOptions {
  readonly partition: number;
  /** Entries after this sequence are delivered. */
  readonly after: number;
  /** Entries a batch at most. */
  readonly batchMax?: number;
  /**
   * Reads of a follower that has caught up begin at least this far apart; 0 by default. What comes after a rest is read at once, so
   * this delays nothing at rest; under load it makes few large batches of many small ones.
   */
  readonly paceMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Published by the tails role on `tails.<p>`: the last sequence of every subject that moved between `from` (exclusive)
 * and `to`.
 */
export interface TailsNotice {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly last: readonly (readonly [subject: string, seq: number])[];
}

export interface EventLog {
  readonly epoch: string;
  /**
   * Aborts, with a LogMismatchError as its reason, when the log turns out to be another one than was opened. Nothing of this object
   * works any more then: the process has to start anew.
   */
  readonly replaced: AbortSignal;
  /**
   * When it was restored from a backup, ms since 1970; 0 for never. The broker knows the message ids of entries from before that
   * only by their entries, not for its de-duplication.
   */
  readonly restoredAt: number;
  readonly partitions: number;

  /**
   * Appends one entry. Retries by itself what is known to be safe, with jitter, until `LOG_LIMITS.appendMs` has passed:
   * "in flight" refusals (10164, 10158), lost answers (each append has an id, a random one when none is given), nobody
   * there.
   * @throws FenceMovedError, LogUnavailableError, AppendUnknownError, AppendRefusedError
   */
  append(append: Append, options?: AppendOptions): Promise<Appended>;

  /**
   * Appends all entries or none, next to each other, in one partition (an atomic batch). A batch carries no message id:
   * its fences make a repeat fail, and the caller finds the first result by `event.key.id` in the last values.
   * @throws as `append`
   */
  appendBatch(appends: readonly Append[]): Promise<Appended & { readonly seqs: readonly number[] }>;

  /** The last entry of a subject, from the stream's leader: what stands there now, not what a replica knew. */
  last(subject: string): Promise<StoredEntry | undefined>;

  /**
   * The last entries of several subjects of one partition (wildcards allowed). For start-up and rare loads only: it
   * holds the stream's lock.
   */
  lastOf(partition: number, subjects: readonly string[], upToSeq?: number): Promise<StoredEntry[]>;

  /** The partition's last sequence, from the leader; 0 when empty. */
  lastSequence(partition: number): Promise<number>;

  /**
   * Entries of one subject (wildcards allowed) after `after` up to `upTo`, oldest first, without a hole. Stops early at `max` entries or
   * `maxBytes` of payload; `complete` says whether it reached `upTo`, which has to be no later than the log's end.
   */
  readSubject(partition: number, subject: string, range: SubjectRange): Promise<SubjectRead>;

  /** One entry by its place; undefined when there is none (erased, or beyond the end). */
  entry(partition: number, seq: number): Promise<StoredEntry | undefined>;

  /**
   * Follows a partition in order, without hole or repeat, for ever: calls `onBatch` and waits for it before the next
   * one. Resolves when `signal` aborts; rejects with what `onBatch` threw. A broker that is away is waited for.
   * @param onBatch entries in order, and the partition's last sequence as known when they were read.
   */
  follow(options: FollowOptions, onBatch: (entries: StoredEntry[], last: number) => Promise<void>): Promise<void>;

  /**
   * Stored entries as the broker republishes them on `live.>`: at once, but not reliably (a killed leader, a cut
   * route). Takes a live subject (`LIVE.room(...)`, ...). Ready (known to the server) when the promise resolves; it
   * outlives the connection's breaks.
   * @throws LogUnavailableError
   */
  live(liveSubject: string, onEntry: (entry: StoredEntry) => void): Promise<Subscription>;

  /** The tails notices of one partition. */
  tails(partition: number, onNotice: (notice: TailsNotice) => void): Promise<Subscription>;

  /**
   * Runs the tails role for one partition from the log's present end until `signal` aborts: follows and publishes a
   * notice every `tailsMs` in which something happened.
   */
  publishTails(partition: number, signal: AbortSignal): Promise<void>;
}
