/**
 * What the broker says to an append, and what that means. Each of these answers was provoked on a real server; see
 * `broker-answers.int.spec.ts`.
 */

/** One answer, not yet judged. */
export type Answer =
  | { readonly kind: 'stored'; readonly seq: number; readonly duplicate: boolean }
  /** An error of the JetStream API: HTTP-like status, error code, the broker's words. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: number; readonly description: string }
  /** Nobody took it: no stream listens there (no responders), or we are not connected and sent nothing. */
  | { readonly kind: 'nobody' }
  /** Too much is waiting for the broker already: it was not sent. */
  | { readonly kind: 'overloaded'; readonly description: string }
  /** It was sent and nothing came back in time: stored or not, nobody knows. */
  | { readonly kind: 'silent' };

/**
 * - `fence-moved`: the fence's subject has another last sequence. Not stored.
 * - `again`: not stored, and the same append may be taken a moment later.
 * - `refused`: not stored, and it never will be.
 * - `overloaded`: not stored; to try again at once would make it worse.
 * - `unknown`: stored or not.
 */
export type Verdict = 'stored' | 'fence-moved' | 'again' | 'refused' | 'overloaded' | 'unknown';

export const BROKER_CODES = {
  wrongLastSequence: 10071,
  /** Something with this fence is in flight on a cluster's leader: it says nothing about the fence. */
  fenceInFlight: 10164,
  /** The same message id is in flight. */
  idInFlight: 10158,
  /**
   * A batch of which the leader has not seen every part: some went to a leader that is gone, or were refused
   * themselves.
   */
  batchIncomplete: 10176,
  /** More batches open than the broker keeps (50 a stream). */
  batchesInFlight: 10210,
  /** No node to place a copy on, yet. */
  noPeers: 10005,
  streamNotFound: 10059,
  noMessageFound: 10037,
  streamNameInUse: 10058,
} as const;

const AGAIN: ReadonlySet<number> = new Set([
  BROKER_CODES.fenceInFlight,
  BROKER_CODES.idInFlight,
  BROKER_CODES.batchIncomplete,
  BROKER_CODES.batchesInFlight,
]);

export function judge(answer: Answer): Verdict {
  switch (answer.kind) {
    case 'stored':
      return 'stored';
    case 'nobody':
      return 'again';
    case 'overloaded':
      return 'overloaded';
    case 'silent':
      return 'unknown';
    case 'refused':
      if (answer.code === BROKER_CODES.wrongLastSequence) return 'fence-moved';
      // 503: no leader, no quorum, no room on the disk; 429: too many at once. All of them before anything was stored.
      return AGAIN.has(answer.code) || answer.status === 503 || answer.status === 429 ? 'again' : 'refused';
  }
}

export function describe(answer: Answer): string {
  switch (answer.kind) {
    case 'stored':
      return `stored at ${answer.seq}`;
    case 'nobody':
      return 'no stream answers';
    case 'overloaded':
      return answer.description;
    case 'silent':
      return 'no answer came';
    case 'refused':
      return `${answer.description} (${answer.code})`;
  }
}
