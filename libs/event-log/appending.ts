/**
 * How an append comes to a definite end, whatever the broker answers. The rules are the same over JetStream and over
 * the memory twin; only the port differs.
 *
 * One append is one or more *tries*, all identical. It ends
 * - stored, by the broker's word;
 * - not stored (FenceMovedError, AppendRefusedError, LogUnavailableError), when every try was answered so;
 * - unknown (AppendUnknownError), when the answer to some try was lost and nothing found out since.
 *
 * Too much in flight already ends an append at once, unless one of its tries was lost: what may be stored has to be
 * found out.
 *
 * A try whose answer was lost is repeated with the same message id: the broker then answers with the first entry. Every
 * append has an id for that, a random one where the caller has none. One server, however, checks the fence before the
 * id, and our own first try may have moved that fence (or its sender has left since), so a fence that has moved after a
 * lost answer is no answer: the entry is looked for on its subject. If it is not there it never will be: a first try
 * that is still on its way meets the same moved fence.
 *
 * A batch has no message id. It is repeated after a lost answer only if it fences a subject that it writes itself: then
 * at most one of its tries can be stored, and each carries the batch's id, by which it is found.
 */
import { encodeEvent, HEADERS } from '#contract';
import { describe, judge, type Answer } from './append-answer.js';
import { LOG_LIMITS } from './limits.js';
import {
  AppendRefusedError,
  AppendUnknownError,
  FenceMovedError,
  LogUnavailableError,
  type Append,
  type Appended,
  type AppendOptions,
  type Fence,
} from './log.js';
import { partitionOfSubject } from './log-subject.js';

/** One message as it goes to the broker. */
export interface OutgoingEntry {
  readonly subject: string;
  readonly payload: string;
  readonly fence: Fence | undefined;
}

/** It stands in a header, where a line break would begin another one, and an empty one counts as none. */
const MESSAGE_ID = /^[\x21-\x7e]{1,256}$/;

/** A mark that every stored entry keeps in its headers, by which a lost append is found again. */
export interface StoredMark {
  readonly header: string;
  readonly fits: (value: string) => boolean;
}

export interface AppendPort {
  publish(entry: OutgoingEntry, messageId: string): Promise<Answer>;
  publishBatch(entries: readonly OutgoingEntry[], batchId: string): Promise<Answer>;
  /** A sequence that the partition had reached by now: whatever is stored from now on comes after it. */
  reached(partition: number): number;
  /**
   * The sequence of the entry with this mark on a subject after `after`, by the leader's word. @throws
   * LogUnavailableError
   */
  findMarked(partition: number, subject: string, after: number, mark: StoredMark): Promise<number | undefined>;
  newId(): string;
  now(): number;
  /** The connection was closed for good: no further try can be made. */
  closed(): boolean;
  /** A growing pause; while the broker is away, until it is back, and never longer than `leftMs` for that. */
  pause(tries: number, leftMs: number): Promise<void>;
}

export async function appendOne(port: AppendPort, append: Append, options: AppendOptions = {}): Promise<Appended> {
  const partition = partitionOfSubject(append.subject);
  const messageId = options.messageId ?? port.newId();
  if (!MESSAGE_ID.test(messageId))
    throw new RangeError('a message id is 1 to 256 printable ASCII characters, no blanks');
  const entry = outgoing(append);
  const stored = await untilDefinite(port, {
    partition,
    subject: append.subject,
    mark: messageIdMark(messageId),
    repeatable: true,
    send: () => port.publish(entry, messageId),
  });
  // A random id was never used before: a broker that knows it has it from our own lost try.
  return { partition, seq: stored.seq, duplicate: stored.duplicate && options.messageId !== undefined };
}

export async function appendAll(
  port: AppendPort,
  appends: readonly Append[],
): Promise<Appended & { readonly seqs: readonly number[] }> {
  const [first] = appends;
  if (!first || appends.length > LOG_LIMITS.batchEntriesMax)
    throw new RangeError(`a batch has 1 to ${LOG_LIMITS.batchEntriesMax} entries, not ${appends.length}`);
  const partition = partitionOfSubject(first.subject);
  if (appends.some((append) => partitionOfSubject(append.subject) !== partition))
    throw new RangeError('a batch stays within one partition');
  const entries = appends.map(outgoing);
  const batchId = port.newId();
  const { seq } = await untilDefinite(port, {
    partition,
    // The last one: its sequence is the batch's, whether acknowledged or found.
    subject: entries[entries.length - 1]!.subject,
    mark: { header: HEADERS.batchId, fits: (value) => value.startsWith(`${batchId}.`) },
    repeatable: fencesItself(entries),
    send: (tries) => port.publishBatch(entries, `${batchId}.${tries}`),
  });
  return { partition, seq, seqs: entries.map((_, i) => seq - (entries.length - 1 - i)), duplicate: false };
}

const messageIdMark = (messageId: string): StoredMark => ({
  header: HEADERS.messageId,
  fits: (value) => value === messageId,
});

interface Attempt {
  readonly partition: number;
  readonly subject: string;
  readonly mark: StoredMark;
  /** The same thing sent twice is stored once. */
  readonly repeatable: boolean;
  readonly send: (tries: number) => Promise<Answer>;
}

async function untilDefinite(
  port: AppendPort,
  attempt: Attempt,
): Promise<{ readonly seq: number; readonly duplicate: boolean }> {
  const after = port.reached(attempt.partition);
  const until = port.now() + LOG_LIMITS.appendMs;
  let lost = false;
  for (let tries = 0; ; tries++) {
    const answer = await attempt.send(tries);
    if (answer.kind === 'stored') return answer;
    const verdict = judge(answer);
    if (verdict === 'unknown') lost = true;
    const final = verdict === 'fence-moved' || verdict === 'refused';
    if (!lost && verdict === 'overloaded') throw givenUp(lost, attempt.subject, answer);
    if (!lost && final) throw refusal(verdict, attempt.subject, answer);
    if (lost && (final || !attempt.repeatable)) {
      const seq = await findOwn(port, attempt, after);
      if (typeof seq === 'number') return { seq, duplicate: true };
      if (seq === 'absent' && final) throw refusal(verdict, attempt.subject, answer);
      if (!attempt.repeatable) throw new AppendUnknownError(`${attempt.subject}: ${describe(answer)}`);
    }
    const leftMs = port.closed() ? 0 : until - port.now();
    if (leftMs <= 0) throw givenUp(lost, attempt.subject, answer);
    await port.pause(tries, leftMs);
  }
}

/** `unreachable` is no answer: the same question may be asked again. */
async function findOwn(port: AppendPort, attempt: Attempt, after: number): Promise<number | 'absent' | 'unreachable'> {
  try {
    return (await port.findMarked(attempt.partition, attempt.subject, after, attempt.mark)) ?? 'absent';
  } catch (error) {
    if (error instanceof LogUnavailableError) return 'unreachable';
    throw error;
  }
}

function refusal(verdict: 'fence-moved' | 'refused', subject: string, answer: Answer): Error {
  const words = `${subject}: ${describe(answer)}`;
  return verdict === 'fence-moved' ? new FenceMovedError(words) : new AppendRefusedError(words);
}

function givenUp(lost: boolean, subject: string, answer: Answer): Error {
  const words = `${subject}: given up, ${describe(answer)}`;
  return lost ? new AppendUnknownError(words) : new LogUnavailableError(words);
}

const outgoing = (append: Append): OutgoingEntry => ({
  subject: append.subject,
  payload: encodeEvent(append.event),
  fence: append.fence,
});

const fencesItself = (entries: readonly OutgoingEntry[]): boolean =>
  entries.some(({ fence }) => fence !== undefined && entries.some(({ subject }) => subject === fence.subject));
