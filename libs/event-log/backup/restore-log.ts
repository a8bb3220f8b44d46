/**
 * Making a log of a backup, on a broker that has none.
 *
 * Until the very last step every stream carries a mark (`parley-restoring`), and while one does, nobody opens this log. So a restore
 * that was interrupted is seen as such, and whoever runs it again throws away what it has left.
 *
 *   empty --begin--> marked streams, `CHAT_0` last --finish: the new epoch on all, then CHAT_0 unmarked--> a log
 *
 * How a partition's next sequence is moved on without writing what lies between: a mirror keeps its origin's sequences. The snapshot
 * is restored as a mirror of a stream that begins far ahead (`RESTORE_<p>`) and holds one entry, which says that the log was restored.
 * The broker copies that entry, at its sequence, and then the mirror is made a stream of its own.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, objectStream, restoreStreamName, restoredSubject, STREAM_METADATA, streamName } from '#contract';
import { ConnectionWatch } from '../connection.js';
import { JetStreamApi, type ApiAnswer } from '../jetstream-api.js';
import { LogMismatchError, LogUnavailableError } from '../log.js';
import { pause } from '../pause.js';
import { streamConfig, type LogShape, type StreamConfig } from '../streams.js';
import { inWords, restoreSnapshot, type StreamDescription, type StreamState } from './snapshots.js';
import { dropHalfBatch, lastBeforeMark } from './torn-end.js';

export interface RestoreOptions {
  readonly partitions: number;
  readonly replicas: number;
  /** Names the backup, in the marks and in the entry that says what happened. */
  readonly backupId: string;
}

export interface RestoredPartition {
  /** The last sequence that the backup had. */
  readonly endSeq: number;
  /** Where the partition goes on: the entry that says that it was restored. */
  readonly markSeq: number;
}

interface InfoAnswer extends ApiAnswer {
  readonly config?: StreamConfig;
  readonly state?: StreamState;
  readonly cluster?: { readonly replicas?: readonly { readonly current: boolean }[] };
}

interface NamesAnswer extends ApiAnswer {
  readonly streams?: readonly string[] | null;
  readonly total?: number;
}

const POLL_MS = 50;
const COPY_MS = 60_000;
const REPLICAS_MS = 10 * 60_000;
const FILES = objectStream(BUCKETS.attachments);

export class LogRestore {
  readonly #api: JetStreamApi;
  readonly #shape: LogShape;

  constructor(
    private readonly nc: NatsConnection,
    private readonly options: RestoreOptions,
  ) {
    this.#api = new JetStreamApi(new ConnectionWatch(nc));
    this.#shape = options;
  }

  /**
   * Makes sure that nothing is there which a restore could hurt, and removes what an interrupted one has left.
   * @returns what was removed
   * @throws LogMismatchError when there is a log, or a store of files with something in it
   */
  async begin(): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const name of await this.#ownStreams()) {
      const { config, state } = await this.#info(name);
      const interrupted = config?.metadata?.[STREAM_METADATA.restoring] !== undefined;
      const isEmptyStore = name === FILES && state?.messages === 0;
      if (!interrupted && !isEmptyStore)
        throw new LogMismatchError(
          `the broker has a stream ${name} with ${state?.messages ?? 0} entries: a backup is restored into an empty broker. ` +
            'Nothing was changed. Give it another broker, or remove the streams of the old log by hand if they are of no use any more',
        );
    }
    for (const name of await this.#ownStreams()) {
      await this.#change(`STREAM.DELETE.${name}`);
      removed.push(name);
    }
    return removed;
  }

  /**
   * @param taken as the backup describes it
   * @param markSeq from `sequenceAfterRestore`
   * @param entry the payload of the entry that says that the log was restored
   */
  async partition(
    partition: number,
    taken: StreamDescription,
    chunks: AsyncIterable<Uint8Array>,
    { markSeq, entry }: { readonly markSeq: number; readonly entry: string },
  ): Promise<RestoredPartition> {
    const origin = restoreStreamName(partition);
    const subject = restoredSubject(partition);
    await this.#change(`STREAM.CREATE.${origin}`, {
      name: origin,
      subjects: [subject],
      storage: 'file',
      retention: 'limits',
      num_replicas: 1,
      first_seq: markSeq,
      metadata: this.#mark,
    });
    await this.#writeMark(subject, entry, markSeq);
    const name = streamName(partition);
    const config = {
      ...streamConfig(partition, this.#shape, ''),
      // What a mirror may not have, and gets when it is made a stream of its own.
      ...{ subjects: undefined, republish: undefined, allow_atomic: undefined },
      ...{ num_replicas: 1, mirror: { name: origin }, metadata: this.#mark },
    };
    await restoreSnapshot(this.nc, { config, state: taken.state }, chunks);
    await this.#until(name, `${origin} is copied`, COPY_MS, ({ state }) => state?.last_seq === markSeq);
    await this.#change(`STREAM.DELETE.${origin}`);
    await this.#makeOwn(partition);
    await dropHalfBatch(this.#api, partition);
    return { endSeq: await lastBeforeMark(this.#api, partition), markSeq };
  }

  /** The files, as they were. */
  async files(taken: StreamDescription, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { config, state } = taken;
    const metadata = { ...config.metadata, ...this.#mark };
    const restored = { ...config, num_replicas: this.options.replicas, metadata };
    await restoreSnapshot(this.nc, { config: restored, state }, chunks);
  }

  /** The last step: from here on it is a log, with this epoch. */
  async finish(epoch: string, restoredAt: number): Promise<void> {
    const { partitions } = this.options;
    const metadataOf = (partition: number): Record<string, string> => ({
      ...streamConfig(partition, this.#shape, epoch).metadata,
      [STREAM_METADATA.restoredAt]: String(restoredAt),
    });
    for (let partition = partitions - 1; partition > 0; partition--)
      await this.#describe(streamName(partition), { ...metadataOf(partition), ...this.#mark });
    await this.#describe(streamName(0), { ...metadataOf(0), [STREAM_METADATA.complete]: 'true' });
    for (let partition = partitions - 1; partition > 0; partition--)
      await this.#describe(streamName(partition), metadataOf(partition));
    const { config } = await this.#info(FILES);
    if (!config) return;
    const kept = Object.entries(config.metadata ?? {}).filter(([key]) => key !== STREAM_METADATA.restoring);
    await this.#describe(FILES, Object.fromEntries(kept));
  }

  get #mark(): Record<string, string> {
    return { [STREAM_METADATA.restoring]: this.options.backupId };
  }

  /** Until the broker has the entry: a stream that was made a moment ago may not have its leader yet. */
  async #writeMark(subject: string, entry: string, markSeq: number): Promise<void> {
    const until = performance.now() + COPY_MS;
    for (;;) {
      try {
        const { seq, error } = (await this.nc.request(subject, entry, { timeout: 2_000 })).json<
          ApiAnswer & { readonly seq?: number }
        >();
        if (seq === markSeq) return;
        const what = error ? inWords(error) : `it stands at ${seq}`;
        throw new LogMismatchError(`${subject}: the entry was to stand at ${markSeq}: ${what}`);
      } catch (cause) {
        if (cause instanceof LogMismatchError || performance.now() >= until) throw cause;
        await pause(POLL_MS);
      }
    }
  }

  /** The mirror becomes a stream of the log; nobody opens it yet, because of the mark. */
  async #makeOwn(partition: number): Promise<void> {
    const config = streamConfig(partition, this.#shape, '');
    const own = { ...config, num_replicas: 1, metadata: this.#mark };
    await this.#change(`STREAM.UPDATE.${config.name}`, own);
    if (config.num_replicas === 1) return;
    await this.#change(`STREAM.UPDATE.${config.name}`, { ...own, num_replicas: config.num_replicas });
    await this.#until(config.name, 'all replicas have it', REPLICAS_MS, ({ cluster }) => {
      const others = cluster?.replicas ?? [];
      return others.length === config.num_replicas - 1 && others.every(({ current }) => current);
    });
  }

  async #describe(name: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const { config } = await this.#info(name);
    await this.#change(`STREAM.UPDATE.${name}`, { ...config, metadata });
  }

  async #until(name: string, what: string, ms: number, holds: (info: InfoAnswer) => boolean): Promise<void> {
    const until = performance.now() + ms;
    while (!holds(await this.#info(name))) {
      if (performance.now() >= until) throw new LogUnavailableError(`${name}: waited in vain until ${what}`);
      await pause(POLL_MS);
    }
  }

  /** The log's streams, those of an interrupted restore, and the files'. `CHAT_0` is the last: what is without it is no log. */
  async #ownStreams(): Promise<string[]> {
    const own = new Set([FILES]);
    for (let partition = 0; partition < 1_024; partition++)
      own.add(streamName(partition)).add(restoreStreamName(partition));
    const found: string[] = [];
    for (let offset = 0, total = 1; offset < total;) {
      const { streams, total: all = 0, error } = await this.#api.ask<NamesAnswer>('STREAM.NAMES', { offset });
      if (error) throw new LogUnavailableError(`STREAM.NAMES: ${inWords(error)}`);
      found.push(...(streams ?? []).filter((name) => own.has(name)));
      offset += streams?.length ?? total;
      total = all;
    }
    const first = streamName(0);
    return [...found.filter((name) => name !== first), ...found.filter((name) => name === first)];
  }

  #info(name: string): Promise<InfoAnswer> {
    return this.#api.ask<InfoAnswer>(`STREAM.INFO.${name}`);
  }

  async #change(subject: string, body?: object): Promise<void> {
    const { error } = await this.#api.ask(subject, body);
    if (error) throw new LogMismatchError(`the broker refuses ${subject}: ${inWords(error)}`);
  }
}
