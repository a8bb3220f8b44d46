/**
 * What a broker does with an append, in memory: fences, ids, batches, sequences. It answers as nats-server does, so
 * that everything above it (`appending.ts`, `follow.ts`, `tails.ts`) is the code that runs over JetStream.
 */
import { decodeEvent, HEADERS, LIMITS } from '#contract';
import { BROKER_CODES, type Answer } from './append-answer.js';
import type { OutgoingEntry, StoredMark } from './appending.js';
import type { StoredEntry } from './log.js';
import { partitionOfSubject } from './log-subject.js';

/**
 * - `fence-first`: a single nats-server checks the fence before the id.
 * - `id-first`: a cluster checks the id before the fence.
 */
export type CheckOrder = 'fence-first' | 'id-first';

/** Broker behaviour that a test plants. Each is asked once for every message, in order. */
export interface MemoryFaults {
  /** Stored, and the acknowledgement lost. */
  readonly loseAck?: (entry: OutgoingEntry) => boolean;
  /** Lost on the way: not stored, and no answer. */
  readonly loseAppend?: (entry: OutgoingEntry) => boolean;
  /** Refused because something with this fence is in flight (10164). */
  readonly inFlight?: (entry: OutgoingEntry) => boolean;
  /** No stream answers. */
  readonly unavailable?: () => boolean;
  /** Stored, and the republished copy lost. */
  readonly dropLive?: (entry: StoredEntry) => boolean;
}

interface MemoryEntry extends StoredEntry {
  readonly prev: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: number;
}

interface MemoryStream {
  /** Index is the sequence minus one; undefined where an entry was erased. */
  readonly entries: (MemoryEntry | undefined)[];
  readonly last: Map<string, number>;
  readonly ids: Map<string, { readonly seq: number; readonly at: number }>;
}

export class MemoryBroker {
  readonly #streams: readonly MemoryStream[];
  #lastAt = 0;

  constructor(
    partitions: number,
    private readonly order: CheckOrder,
    private readonly now: () => number,
    private readonly onStored: (entries: readonly StoredEntry[]) => void,
  ) {
    this.#streams = Array.from({ length: partitions }, () => ({ entries: [], last: new Map(), ids: new Map() }));
  }

  publish(entry: OutgoingEntry, messageId: string, faults: MemoryFaults): Answer {
    const fault = faultOf([entry], faults);
    if (fault) return fault;
    const refusal = this.#check(entry, messageId);
    if (refusal) return refusal;
    const seq = this.#store([entry], (i) => (i === 0 ? [HEADERS.messageId, messageId] : undefined));
    return acknowledgement([entry], seq, faults);
  }

  publishBatch(entries: readonly OutgoingEntry[], batchId: string, faults: MemoryFaults): Answer {
    const fault = faultOf(entries, faults);
    if (fault) return fault;
    for (const entry of entries) {
      const moved = this.#fenceMoved(entry);
      if (moved) return moved;
    }
    const seq = this.#store(entries, () => [HEADERS.batchId, batchId]);
    return acknowledgement(entries, seq, faults);
  }

  lastSequence(partition: number): number {
    return this.#stream(partition).entries.length;
  }

  at(partition: number, seq: number): MemoryEntry | undefined {
    return this.#stream(partition).entries[seq - 1];
  }

  /** Entries after `after` up to `upTo`, oldest first. */
  *range(partition: number, after: number, upTo: number): Generator<MemoryEntry> {
    const { entries } = this.#stream(partition);
    for (let seq = after + 1; seq <= Math.min(upTo, entries.length); seq++) {
      const entry = entries[seq - 1];
      if (entry) yield entry;
    }
  }

  last(subject: string): MemoryEntry | undefined {
    const partition = partitionOfSubject(subject);
    return this.at(partition, this.#stream(partition).last.get(subject) ?? 0);
  }

  /** What stands before an entry on its subject now: its own `prev` may have been erased since. */
  before({ partition, seq, subject }: StoredEntry): number {
    for (let before = seq - 1; before > 0; before--) if (this.at(partition, before)?.subject === subject) return before;
    return 0;
  }

  findMarked(subject: string, after: number, mark: StoredMark): MemoryEntry | undefined {
    const partition = partitionOfSubject(subject);
    const marked = [...this.range(partition, after, Infinity)].filter(
      (entry) => entry.subject === subject && mark.fits(entry.headers.get(mark.header) ?? ''),
    );
    return marked[marked.length - 1];
  }

  /** Leaves a hole, as a secure delete does. */
  erase(partition: number, seq: number): void {
    const stream = this.#stream(partition);
    const entry = stream.entries[seq - 1];
    if (!entry) return;
    stream.entries[seq - 1] = undefined;
    if (stream.last.get(entry.subject) !== seq) return;
    // The value before it becomes the last again, which is why state events are never erased.
    const before = this.before(entry);
    if (before > 0) stream.last.set(entry.subject, before);
    else stream.last.delete(entry.subject);
  }

  #check(entry: OutgoingEntry, messageId: string): Answer | undefined {
    const moved = this.#fenceMoved(entry);
    const known = this.#known(entry, messageId);
    return this.order === 'fence-first' ? (moved ?? known) : (known ?? moved);
  }

  #fenceMoved({ fence }: OutgoingEntry): Answer | undefined {
    if (!fence) return undefined;
    const last = this.last(fence.subject)?.seq ?? 0;
    return last === fence.seq ? undefined : refused(BROKER_CODES.wrongLastSequence, `wrong last sequence: ${last}`);
  }

  #known({ subject }: OutgoingEntry, messageId: string): Answer | undefined {
    const known = this.#stream(partitionOfSubject(subject)).ids.get(messageId);
    if (!known || known.at < this.now() - LIMITS.dedupeWindowMs) return undefined;
    return { kind: 'stored', seq: known.seq, duplicate: true };
  }

  #store(entries: readonly OutgoingEntry[], header: (i: number) => readonly [string, string] | undefined): number {
    const stored = entries.map((entry, i) => this.#storeOne(entry, header(i)));
    this.onStored(stored);
    return stored[stored.length - 1]?.seq ?? 0;
  }

  #storeOne({ subject, payload }: OutgoingEntry, header: readonly [string, string] | undefined): MemoryEntry {
    const partition = partitionOfSubject(subject);
    const stream = this.#stream(partition);
    const seq = stream.entries.length + 1;
    // The broker's time never goes back, whatever the clock does.
    const at = Math.max(this.now(), this.#lastAt);
    this.#lastAt = at;
    const entry: MemoryEntry = {
      partition,
      seq,
      subject,
      prev: stream.last.get(subject) ?? 0,
      at,
      decoded: decodeEvent(payload),
      headers: new Map(header ? [header] : []),
      bytes: payload.length,
    };
    stream.entries.push(entry);
    stream.last.set(subject, seq);
    if (header?.[0] === HEADERS.messageId) stream.ids.set(header[1], { seq, at });
    return entry;
  }

  #stream(partition: number): MemoryStream {
    const stream = this.#streams[partition];
    if (!stream) throw new RangeError(`there is no partition ${partition}`);
    return stream;
  }
}

const refused = (code: number, description: string): Answer => ({ kind: 'refused', status: 400, code, description });

function faultOf(entries: readonly OutgoingEntry[], faults: MemoryFaults): Answer | undefined {
  if (faults.unavailable?.()) return { kind: 'nobody' };
  for (const entry of entries) {
    if (faults.inFlight?.(entry)) return refused(BROKER_CODES.fenceInFlight, 'wrong last sequence');
    if (faults.loseAppend?.(entry)) return { kind: 'silent' };
  }
  return undefined;
}

function acknowledgement(entries: readonly OutgoingEntry[], seq: number, faults: MemoryFaults): Answer {
  if (entries.some((entry) => faults.loseAck?.(entry))) return { kind: 'silent' };
  return { kind: 'stored', seq, duplicate: false };
}
