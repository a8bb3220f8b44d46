/**
 * The memory twin: the log without a broker, for interleavings that no real server can be made to show, and for the
 * client's test kit. It passes the same contract suite as the real one, in both orders in which brokers check fence and
 * id.
 *
 * Nothing in it waits for real time; pauses between tries pass on a clock of their own. Whatever passes between a process and
 * the broker passes over a `MemoryWire`, which is where a scheduler that chooses the interleaving takes hold.
 */
import { liveSubject } from '#contract';
import { appendAll, appendOne, type AppendPort, type OutgoingEntry } from './appending.js';
import { follow, type Step } from './follow.js';
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
import { matches, partitionOfSubject } from './log-subject.js';
import { MemoryBroker, type CheckOrder, type MemoryFaults } from './memory-broker.js';
import { TailsCollector } from './tails.js';

export { matches } from './log-subject.js';
export type { CheckOrder, MemoryFaults } from './memory-broker.js';

/** A question on its way to the broker. */
export interface MemoryAsked {
  readonly name: 'append' | 'find' | 'last' | 'end' | 'read' | 'entry' | 'follow' | 'subscribe';
  /** Undefined: all. */
  readonly partition: number | undefined;
  /** Subjects (of the log, also where live copies are asked for) that are read, fenced or written. */
  readonly subjects: readonly string[];
}

/** What passes between one process and the broker. */
export interface MemoryWire {
  /** Takes the question there, has it answered by `run`, and brings the answer back. */
  ask<T>(asked: MemoryAsked, run: () => T): Promise<T>;
  /** Brings a copy or a notice to a listener, behind what that listener was brought before. */
  deliver(listener: object, what: string, take: () => void): void;
}

/** What all connections of one log have together. */
interface MemoryServer {
  readonly broker: MemoryBroker;
  readonly live: Set<{ readonly filter: string; readonly deliver: (entry: StoredEntry) => void }>;
  readonly tails: Set<{ readonly partition: number; readonly deliver: (notice: TailsNotice) => void }>;
  readonly sleepers: Set<() => void>;
  connections: number;
}

export interface MemoryLogOptions {
  readonly partitions?: number;
  readonly epoch?: string;
  readonly restoredAt?: number;
  readonly replaced?: AbortSignal;
  readonly order?: CheckOrder;
  readonly faults?: MemoryFaults;
  /** The broker's clock, in ms. */
  readonly now?: () => number;
  /** Runs a delivery later, in the order given. */
  readonly defer?: (deliver: () => void) => void;
  readonly wire?: MemoryWire;
}

export class MemoryLog implements EventLog {
  readonly epoch: string;
  readonly restoredAt: number;
  readonly replaced: AbortSignal;
  readonly partitions: number;
  readonly #server: MemoryServer;
  readonly #faults: MemoryFaults;
  readonly #defer: (deliver: () => void) => void;
  readonly #wire: MemoryWire;
  readonly #connection: number;
  #ids = 0;

  constructor(
    private readonly options: MemoryLogOptions = {},
    server?: MemoryServer,
  ) {
    const { partitions = 4, epoch = 'memory', faults = {}, defer = queueMicrotask } = options;
    this.epoch = epoch;
    this.restoredAt = options.restoredAt ?? 0;
    this.replaced = options.replaced ?? new AbortController().signal;
    this.partitions = partitions;
    this.#faults = faults;
    this.#defer = defer;
    this.#wire = options.wire ?? { ask: async (_, run) => run(), deliver: (_, __, take) => defer(take) };
    this.#server = server ?? newServer(options, partitions);
    this.#connection = ++this.#server.connections;
  }

  /** The same log, as another process is connected to it. */
  connect(own: Pick<MemoryLogOptions, 'wire' | 'faults'>): MemoryLog {
    return new MemoryLog({ ...this.options, ...own }, this.#server);
  }

  append(append: Append, options?: AppendOptions): Promise<Appended> {
    return appendOne(this.#appendPort(), append, options);
  }

  appendBatch(appends: readonly Append[]): Promise<Appended & { readonly seqs: readonly number[] }> {
    return appendAll(this.#appendPort(), appends);
  }

  last(subject: string): Promise<StoredEntry | undefined> {
    const asked = { name: 'last', partition: partitionOfSubject(subject), subjects: [subject] } as const;
    return this.#wire.ask(asked, () => unchained(this.#broker.last(subject)));
  }

  lastOf(partition: number, subjects: readonly string[], upToSeq = Infinity): Promise<StoredEntry[]> {
    return this.#wire.ask({ name: 'last', partition, subjects }, () => {
      const last = new Map<string, StoredEntry>();
      for (const entry of this.#broker.range(partition, 0, upToSeq))
        if (subjects.some((filter) => matches(filter, entry.subject)))
          last.set(entry.subject, { ...entry, prev: undefined });
      return [...last.values()].sort((a, b) => a.seq - b.seq);
    });
  }

  lastSequence(partition: number): Promise<number> {
    return this.#wire.ask({ name: 'end', partition, subjects: [EVERYTHING] }, () =>
      this.#broker.lastSequence(partition),
    );
  }

  readSubject(partition: number, subject: string, range: SubjectRange): Promise<SubjectRead> {
    return this.#wire.ask({ name: 'read', partition, subjects: [subject] }, () =>
      this.#read(partition, subject, range),
    );
  }

  entry(partition: number, seq: number): Promise<StoredEntry | undefined> {
    return this.#wire.ask({ name: 'entry', partition, subjects: [] }, () => unchained(this.#broker.at(partition, seq)));
  }

  follow(options: FollowOptions, onBatch: (entries: StoredEntry[], last: number) => Promise<void>): Promise<void> {
    const step = (partition: number, after: number, max: number) =>
      this.#wire.ask({ name: 'follow', partition, subjects: [EVERYTHING] }, () => this.#step(partition, after, max));
    return follow(
      { step, more: (partition, after, _, signal) => this.#more(partition, after, signal) },
      options,
      onBatch,
    );
  }

  live(filter: string, onEntry: (entry: StoredEntry) => void): Promise<Subscription> {
    const { live } = this.#server;
    const deliver = (entry: StoredEntry): void =>
      this.#wire.deliver(listener, `live ${entry.subject}@${entry.seq}`, () => live.has(listener) && onEntry(entry));
    const listener = { filter, deliver };
    const subscribe = (): Subscription => {
      live.add(listener);
      return { stop: async () => void live.delete(listener) };
    };
    return this.#wire.ask({ name: 'subscribe', partition: undefined, subjects: [EVERYTHING] }, subscribe);
  }

  tails(partition: number, onNotice: (notice: TailsNotice) => void): Promise<Subscription> {
    const { tails } = this.#server;
    const deliver = (notice: TailsNotice): void =>
      this.#wire.deliver(listener, `notice ${notice.from}-${notice.to}`, () => tails.has(listener) && onNotice(notice));
    const listener = { partition, deliver };
    const subscribe = (): Subscription => {
      tails.add(listener);
      return { stop: async () => void tails.delete(listener) };
    };
    return this.#wire.ask({ name: 'subscribe', partition, subjects: [EVERYTHING] }, subscribe);
  }

  async publishTails(partition: number, signal: AbortSignal): Promise<void> {
    const after = this.#broker.lastSequence(partition);
    const collector = new TailsCollector(this.epoch, after, (notice) => {
      for (const listener of this.#server.tails) if (listener.partition === partition) listener.deliver(notice);
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

  get #broker(): MemoryBroker {
    return this.#server.broker;
  }

  #read(partition: number, subject: string, { after, upTo, max, maxBytes = Infinity }: SubjectRange): SubjectRead {
    const entries: StoredEntry[] = [];
    let bytes = 0;
    for (const entry of this.#broker.range(partition, after, upTo)) {
      if (!matches(subject, entry.subject)) continue;
      bytes += entry.bytes;
      if (entries.length === max || (bytes > maxBytes && entries.length > 0)) return { entries, complete: false };
      entries.push({ ...entry, prev: undefined });
    }
    return { entries, complete: true };
  }

  #step(partition: number, after: number, max: number): Step<StoredEntry> {
    const entries: StoredEntry[] = [];
    for (const entry of this.#broker.range(partition, after, Infinity)) {
      if (entries.length === max) break;
      entries.push({ ...entry, prev: undefined });
    }
    const last = entries[entries.length - 1]?.seq ?? after;
    return { entries, pending: Math.max(0, this.#broker.lastSequence(partition) - last) };
  }

  async #more(partition: number, after: number, signal: AbortSignal): Promise<void> {
    const { sleepers } = this.#server;
    while (!signal.aborted && this.#broker.lastSequence(partition) <= after)
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const sleeper = (): void => this.#defer(wake);
        sleepers.add(sleeper);
        signal.addEventListener('abort', wake);
      });
  }

  /** One for each append, because each has a clock of its own. */
  #appendPort(): AppendPort {
    let clockMs = 0;
    return {
      publish: (entry, messageId) =>
        this.#wire.ask(appending([entry]), () => this.#broker.publish(entry, messageId, this.#faults)),
      publishBatch: (entries, batchId) =>
        this.#wire.ask(appending(entries), () => this.#broker.publishBatch(entries, batchId, this.#faults)),
      reached: (partition) => this.#broker.lastSequence(partition),
      findMarked: (partition, subject, after, mark) =>
        this.#wire.ask(
          { name: 'find', partition, subjects: [subject] },
          () => this.#broker.findMarked(subject, after, mark)?.seq,
        ),
      newId: () => `memory-${this.#connection}-${++this.#ids}`,
      now: () => clockMs,
      closed: () => false,
      pause: async (tries) => {
        clockMs += retryPauseMs(tries, () => 0);
      },
    };
  }
}

/** Every subject. */
const EVERYTHING = '>';

function newServer(
  { order = 'fence-first', faults = {}, now = Date.now }: MemoryLogOptions,
  partitions: number,
): MemoryServer {
  const live: MemoryServer['live'] = new Set();
  const sleepers: MemoryServer['sleepers'] = new Set();
  const republish = (entries: readonly StoredEntry[]): void => {
    for (const entry of entries) {
      if (faults.dropLive?.(entry)) continue;
      const subject = liveSubject(entry.subject);
      for (const listener of live) if (matches(listener.filter, subject)) listener.deliver(entry);
    }
    for (const wake of [...sleepers]) wake();
  };
  return {
    broker: new MemoryBroker(partitions, order, now, republish),
    live,
    tails: new Set(),
    sleepers,
    connections: 0,
  };
}

const appending = (entries: readonly OutgoingEntry[]): MemoryAsked => ({
  name: 'append',
  partition: partitionOfSubject(entries[0]?.subject ?? ''),
  subjects: entries.flatMap(({ subject, fence }) => (fence === undefined ? [subject] : [subject, fence.subject])),
});

/** As a read that does not know what stood before it. */
const unchained = (entry: StoredEntry | undefined): StoredEntry | undefined => entry && { ...entry, prev: undefined };
