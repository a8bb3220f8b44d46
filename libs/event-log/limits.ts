/** Every limit and delay of the log's client side. Units stand last; times are milliseconds. */
export const LOG_LIMITS = {
  /** How long an append repeats itself, by the rules of `appending.ts`, before it gives up with a named error. */
  appendMs: 10_000,
  /**
   * How long one try waits for its acknowledgement. A synced append takes well under a second, a new leader some
   * seconds.
   */
  ackMs: 2_000,
  /**
   * Appends without an answer, per process. Over it an append is refused at once instead of queued: at 7,000 synced
   * appends a second this is already more than half a second of waiting, and a queue in front would only hide that.
   */
  inFlightMax: 4_096,
  /** The same in bytes: what a broker that has stopped leaves in this process's memory. */
  inFlightBytesMax: 64 * 1024 * 1024,
  /**
   * Batches without an answer, per process; more wait for their turn. The broker stages each in files of its own, one
   * after the other (1 ms when the disk is idle, 30 ms when it is not) and keeps 50 a stream: more at once only time
   * out.
   */
  batchesInFlightMax: 8,
  batchesWaitingMax: 1_024,
  /** The broker's own limit of an atomic batch. */
  batchEntriesMax: 1_000,
  /** An entry as the broker takes it: four times the largest body, for a JSON escape of every character. */
  entryBytesMax: 256 * 1024,
  /** How long a read repeats itself before it gives up with LogUnavailableError, and how long one try waits. */
  readMs: 10_000,
  readTryMs: 2_000,
  /** A direct get of which nothing more has come for so long is repeated: the node that answered it may be dead. */
  directIdleMs: 1_000,
  /** One direct get: entries and bytes at most. */
  readBatchMax: 1_000,
  readBatchBytesMax: 4 * 1024 * 1024,
  /** Literal subjects in one `multi_last`: the broker refuses more than 1,024 matches. */
  multiLastSubjectsMax: 1_000,
  /** A follower that heard nothing looks again after this. */
  followIdleMs: 250,
  followBatchMax: 500,
  /** The tails role says what moved this often, and earlier when a notice would get larger than this. */
  tailsMs: 50,
  /** Under load the tails role reads this often. */
  tailsPaceMs: 25,
  tailsNoticeBytesMax: 256 * 1024,
  /** How long `openEventLog` waits for JetStream, for a meta leader, or for whoever creates the log. */
  openMs: 30_000,
} as const;

/**
 * Pauses between tries: doubling, capped, each shortened at random by up to half so that writers do not march in step.
 */
export const RETRY_PAUSE = { firstMs: 2, maxMs: 250 } as const;

export function retryPauseMs(tries: number, random: () => number): number {
  const full = Math.min(RETRY_PAUSE.maxMs, RETRY_PAUSE.firstMs * 2 ** Math.min(tries, 16));
  return full * (1 - random() / 2);
}
