/**
 * The log over JetStream: its parts, put together. What each does stands in its own file. It lives as long as its
 * connection, which is its opener's to close, once nothing is being appended any more.
 */
import { randomBytes } from 'node:crypto';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { TRANSIENT } from '#contract';
import { appendAll, appendOne, type AppendPort } from './appending.js';
import type { ConnectionWatch } from './connection.js';
import { DirectGets } from './direct-gets.js';
import { follow, type FollowPort } from './follow.js';
import type { JetStreamApi } from './jetstream-api.js';
import { LastValues } from './last-values.js';
import { LeaderReads } from './leader-reads.js';
import { LOG_LIMITS, retryPauseMs } from './limits.js';
import { LogIdentity } from './log-identity.js';
import { partitionOfSubject } from './log-subject.js';
import { LogReads } from './log-reads.js';
import {
  LogUnavailableError,
  type Append,
  type Appended,
  type AppendOptions,
  type EventLog,
  type FollowOptions,
  type StoredEntry,
  type SubjectRange,
  type SubjectRead,
  type Subscription,
  type TailsNotice,
} from './log.js';
import { pause, random } from './pause.js';
import { Publisher } from './publisher.js';
import { storedMessage, toEntry } from './stored-message.js';
import { parseNotice, TailsCollector } from './tails.js';
import { WakeUps } from './wake-ups.js';

export class JetStreamLog implements EventLog {
  readonly #connection: ConnectionWatch;
  readonly #nc: NatsConnection;
  readonly #identity: LogIdentity;
  readonly #publisher: Publisher;
  readonly #direct: DirectGets;
  readonly #leader: LeaderReads;
  readonly #reads: LogReads;
  readonly #lastValues: LastValues;
  readonly #wakeUps: WakeUps;
  readonly #port: AppendPort;
  /** Per partition, the greatest sequence that this process has seen. */
  readonly #reached: number[];

  readonly epoch: string;
  readonly restoredAt: number;
  readonly partitions: number;

  constructor(
    { epoch, restoredAt, partitions }: Pick<EventLog, 'epoch' | 'restoredAt' | 'partitions'>,
    connection: ConnectionWatch,
    api: JetStreamApi,
  ) {
    this.epoch = epoch;
    this.restoredAt = restoredAt;
    this.partitions = partitions;
    this.#connection = connection;
    this.#nc = connection.nc;
    this.#identity = new LogIdentity(epoch, api, connection);
    this.#publisher = new Publisher(connection);
    this.#direct = new DirectGets(connection);
    this.#leader = new LeaderReads(api);
    this.#reads = new LogReads(connection, this.#direct, this.#leader);
    this.#lastValues = new LastValues(this.#direct, this.#leader, this.#reads);
    this.#wakeUps = new WakeUps(this.#nc, partitions);
    this.#reached = new Array<number>(partitions).fill(0);
    this.#port = this.#appendPort();
  }

  get replaced(): AbortSignal {
    return this.#identity.replaced;
  }

  async append(append: Append, options?: AppendOptions): Promise<Appended> {
    const appended = await appendOne(this.#port, append, options);
    this.#saw(appended.partition, appended.seq);
    return appended;
  }

  async appendBatch(appends: readonly Append[]): Promise<Appended & { readonly seqs: readonly number[] }> {
    const appended = await appendAll(this.#port, appends);
    this.#saw(appended.partition, appended.seq);
    return appended;
  }

  async last(subject: string): Promise<StoredEntry | undefined> {
    const partition = partitionOfSubject(subject);
    const entry = await this.#leader.last(partition, subject);
    if (entry) this.#saw(partition, entry.seq);
    return entry;
  }

  lastOf(partition: number, subjects: readonly string[], upToSeq?: number): Promise<StoredEntry[]> {
    return this.#lastValues.lastOf(partition, subjects, upToSeq);
  }

  async lastSequence(partition: number): Promise<number> {
    const seq = await this.#leader.lastSequence(partition);
    this.#saw(partition, seq);
    return seq;
  }

  readSubject(partition: number, subject: string, range: SubjectRange): Promise<SubjectRead> {
    return this.#reads.readSubject(partition, subject, range);
  }

  entry(partition: number, seq: number): Promise<StoredEntry | undefined> {
    return this.#reads.entry(partition, seq);
  }

  follow(options: FollowOptions, onBatch: (entries: StoredEntry[], last: number) => Promise<void>): Promise<void> {
    return this.#follow(options, (partition, after, max) => this.#reads.step(partition, after, max), onBatch);
  }

  async #follow<E extends { readonly seq: number }>(
    options: FollowOptions,
    read: FollowPort<E>['step'],
    onBatch: (entries: E[], last: number) => Promise<void>,
  ): Promise<void> {
    this.#wakeUps.join();
    try {
      await follow(
        {
          step: async (partition, after, max) => {
            this.#identity.assertSame();
            return read(partition, after, max);
          },
          more: (partition, after, emptySteps, signal) => this.#wakeUps.more(partition, after, emptySteps, signal),
        },
        options,
        onBatch,
      );
    } finally {
      this.#wakeUps.leave();
    }
  }

  async live(liveSubject: string, onEntry: (entry: StoredEntry) => void): Promise<Subscription> {
    return this.#listen(liveSubject, (message) => {
      const stored = storedMessage(message);
      if (stored) onEntry(toEntry(stored, stored.lastSequence));
    });
  }

  async tails(partition: number, onNotice: (notice: TailsNotice) => void): Promise<Subscription> {
    return this.#listen(TRANSIENT.tails(partition), (message) => {
      const notice = parseNotice(message.string());
      if (notice) onNotice(notice);
    });
  }

  async publishTails(partition: number, signal: AbortSignal): Promise<void> {
    const after = await this.lastSequence(partition);
    const subject = TRANSIENT.tails(partition);
    const collector = new TailsCollector(this.epoch, after, (notice) => {
      if (!this.#connection.up) return false;
      this.#nc.publish(subject, JSON.stringify(notice));
      return true;
    });
    const timer = setInterval(() => collector.flush(), LOG_LIMITS.tailsMs);
    try {
      // What moved is told by the subjects: no payload is read.
      await this.#follow(
        { partition, after, signal, paceMs: LOG_LIMITS.tailsPaceMs },
        (...range) => this.#reads.rawStep(...range),
        async (entries) => collector.add(entries),
      );
    } finally {
      clearInterval(timer);
      collector.flush();
    }
  }

  async #listen(subject: string, onMessage: (message: Msg) => void): Promise<Subscription> {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (!error) onMessage(message);
      },
    });
    try {
      await this.#connection.confirm(LOG_LIMITS.readMs);
    } catch (cause) {
      subscription.unsubscribe();
      throw new LogUnavailableError(`${subject}: the broker did not confirm the subscription`, { cause });
    }
    return { stop: async () => subscription.unsubscribe() };
  }

  #saw(partition: number, seq: number): void {
    if (seq > (this.#reached[partition] ?? 0)) this.#reached[partition] = seq;
  }

  #appendPort(): AppendPort {
    return {
      publish: async (entry, messageId) => {
        this.#identity.assertSame();
        return this.#publisher.publish(entry, messageId);
      },
      publishBatch: async (entries, batchId) => {
        this.#identity.assertSame();
        return this.#publisher.publishBatch(entries, batchId);
      },
      reached: (partition) => this.#reached[partition] ?? 0,
      findMarked: async (partition, subject, after, mark) =>
        (await this.#reads.findMarked(partition, subject, after, mark))?.seq,
      newId: () => randomBytes(12).toString('base64url'),
      now: () => performance.now(),
      closed: () => this.#nc.isClosed(),
      pause: async (tries, leftMs) => {
        await this.#connection.untilUp(leftMs);
        await pause(retryPauseMs(tries, random));
      },
    };
  }
}
