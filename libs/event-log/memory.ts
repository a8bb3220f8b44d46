/**
 * The memory twin: the log without a broker, for interleavings that no real server can be made to show, and for the
 * client's test kit. It passes the same contract suite as the real one, in both orders in which brokers check fence and
 * id.
 *
 * Nothing in it waits for real time. Deliveries go through `defer` (a microtask by default), which is where a scheduler
 * that chooses the interleaving takes hold; pauses between tries pass on a clock of their own.
 */
import { liveSubject } from '#contract';
import { appendAll, appendOne, type AppendPort } from './appending.js';
import { follow } from './follow.js';
import { retryPauseMs } from './limits.js';
import type {
  Append,
  Appended,
  AppendOptions,
  EventLog,
  FollowOptions,
  StoredEntry,
  SubjectRange,
  SubjectRead,
  Subscription,
  TailsNotice,
} from './log.js';
import { isLiteral, matches } from './log-subject.js';
import { MemoryBroker, type CheckOrder, type MemoryFaults } from './memory-broker.js';
import { TailsCollector } from './tails.js';

export type { CheckOrder, MemoryFaults } from './memory-broker.js';

export interface MemoryLogOptions {
  readonly partitions?: number;
  readonly epoch?: string;
  readonly order?: CheckOrder;
  readonly faults?: MemoryFaults;
  /** The broker's clock, in ms. */
  readonly now?: () => number;
  /** Runs a delivery later, in the order given. */
  readonly defer?: (deliver: () => void) => void;
}

export class MemoryLog implements EventLog {
  readonly epoch: string;
  readonly partitions: number;
  readonly #broker: MemoryBroker;
  readonly #faults: MemoryFaults;
  readonly #defer: (deliver: () => void) => void;
  readonly #liveListeners = new Set<{ readonly filter: string; readonly deliver: (entry: StoredEntry) => void }>();
  readonly #tailsListeners = new Set<{ readonly partition: number; readonly deliver: (notice: TailsNotice) => void }>();
  readonly #sleepers = new Set<() => void>();
  #ids = 0;

  constructor(options: MemoryLogOptions = {}) {
    const { partitions = 4, epoch = 'memory', order = 'fence-first', faults = {}, now = Date.now } = options;
    this.epoch = epoch;
    this.partitions = partitions;
    this.#faults = faults;
    this.#defer = options.defer ?? queueMicrotask;
    this.#broker = new MemoryBroker(partitions, order, faults, now, (entries) => this.#republish(entries));
  }

  append(append: Append, options?: AppendOptions): Promise<Appended> {
    return appendOne(this.#appendPort(), append, options);
  }

  appendBatch(appends: readonly Append[]): Promise<Appended & { readonly seqs: readonly number[] }> {
    return appendAll(this.#appendPort(), appends);
  }

  async last(subject: string): Promise<StoredEntry | undefined> {
    return unchained(this.#broker.last(subject));
  }

  async lastOf(partition: number, subjects: readonly string[], upToSeq = Infinity): Promise<StoredEntry[]> {
    const last = new Map<string, StoredEntry>();
    for (const entry of this.#broker.range(partition, 0, upToSeq))
      if (subjects.some((filter) => matches(filter, entry.subject)))
        last.set(entry.subject, { ...entry, prev: undefined });
    return [...last.values()].sort((a, b) => a.seq - b.seq);
  }

  async lastSequence(partition: number): Promise<number> {
    return this.#broker.lastSequence(partition);
  }

  async readSubject(partition: number, subject: string, range: SubjectRange): Promise<SubjectRead> {
    const { after, upTo, max, maxBytes = Infinity } = range;
    const entries: StoredEntry[] = [];
    let bytes = 0;
    for (const entry of this.#broker.range(partition, after, upTo)) {
      if (!matches(subject, entry.subject)) continue;
      bytes += entry.bytes;
      if (entries.length === max || (bytes > maxBytes && entries.length > 0)) return { entries, complete: false };
      const prev = entries[entries.length - 1]?.seq ?? this.#broker.before(entry);
      entries.push({ ...entry, prev: isLiteral(subject) ? prev : undefined });
    }
    return { entries, complete: true };
  }

  async entry(partition: number, seq: number): Promise<StoredEntry | undefined> {
    return unchained(this.#broker.at(partition, seq));
  }

  follow(options: FollowOptions, onBatch: (entries: StoredEntry[], last: number) => Promise<void>): Promise<void> {
    const step = async (partition: number, after: number, max: number) => {
      const entries: StoredEntry[] = [];
      for (const entry of this.#broker.range(partition, after, Infinity)) {
        if (entries.length === max) break;
        entries.push({ ...entry, prev: undefined });
      }
      const last = entries[entries.length - 1]?.seq ?? after;
      return { entries, pending: Math.max(0, this.#broker.lastSequence(partition) - last) };
    };
    return follow(
      { step, more: (partition, after, _, signal) => this.#more(partition, after, signal) },
      options,
      onBatch,
    );
  }

  async live(filter: string, onEntry: (entry: StoredEntry) => void): Promise<Subscription> {
    const listener = { filter, deliver: onEntry };
    this.#liveListeners.add(listener);
    return { stop: async () => void this.#liveListeners.delete(listener) };
  }

  async tails(partition: number, onNotice: (notice: TailsNotice) => void): Promise<Subscription> {
    const listener = { partition, deliver: onNotice };
    this.#tailsListeners.add(listener);
    return { stop: async () => void this.#tailsListeners.delete(listener) };
  }

  async publishTails(partition: number, signal: AbortSignal): Promise<void> {
    const after = this.#broker.lastSequence(partition);
    const collector = new TailsCollector(this.epoch, after, (notice) => {
      for (const listener of this.#tailsListeners)
        if (listener.partition === partition)
          this.#defer(() => this.#tailsListeners.has(listener) && listener.deliver(notice));
      return true;
    });
    await this.follow({ partition, after, signal }, async (entries) => {
      collector.add(entries);
      collector.flush();
    });
  }

  /** Leaves a hole, as a secure delete does. */
  erase(partition: number, seq: number): void {
    this.#broker.erase(partition, seq);
  }

  #republish(entries: readonly StoredEntry[]): void {
    for (const entry of entries) {
      if (!this.#faults.dropLive?.(entry)) this.#deliver(entry);
    }
    for (const wake of [...this.#sleepers]) this.#defer(wake);
  }

  #deliver(entry: StoredEntry): void {
    const subject = liveSubject(entry.subject);
    for (const listener of this.#liveListeners)
      if (matches(listener.filter, subject))
        this.#defer(() => this.#liveListeners.has(listener) && listener.deliver(entry));
  }

  async #more(partition: number, after: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#broker.lastSequence(partition) <= after)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#sleepers.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#sleepers.add(wake);
        signal.addEventListener('abort', wake);
      });
  }

  /** One for each append, because each has a clock of its own. */
  #appendPort(): AppendPort {
    let clockMs = 0;
    return {
      publish: async (entry, messageId) => this.#broker.publish(entry, messageId),
      publishBatch: async (entries, batchId) => this.#broker.publishBatch(entries, batchId),
      reached: (partition) => this.#broker.lastSequence(partition),
      findMarked: async (_, subject, after, mark) => this.#broker.findMarked(subject, after, mark)?.seq,
      newId: () => `memory-${++this.#ids}`,
      now: () => clockMs,
      closed: () => false,
      pause: async (tries) => {
        clockMs += retryPauseMs(tries, () => 0);
      },
    };
  }
}

/** As a read that does not know what stood before it. */
const unchained = (entry: StoredEntry | undefined): StoredEntry | undefined => entry && { ...entry, prev: undefined };
