/**
 * The streams of the log, all of them, and what of an existing one must be as configured.
 *
 * `CHAT_<p>` holds `chat.<p>.>` for ever. What it stores it republishes on `live.>`, without the partition's token, so
 * that whoever listens needs to know neither partitions nor streams.
 */
import { LIMITS, LIVE_ROOT, STREAM_METADATA, streamName, streamSubjects } from '#contract';
import { LOG_LIMITS } from './limits.js';

/** Raised when the layout of subjects or the events' envelope changes so that older code cannot read it. */
export const LOG_SCHEMA = '1';

/** The part of JetStream's stream configuration that Parley cares about, in the broker's own names. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: string;
  readonly storage: string;
  readonly num_replicas: number;
  readonly discard: string;
  readonly max_age: number;
  readonly max_msgs: number;
  readonly max_bytes: number;
  readonly max_msgs_per_subject: number;
  readonly max_msg_size: number;
  /** Nanoseconds. */
  readonly duplicate_window: number;
  readonly allow_direct: boolean;
  readonly allow_atomic: boolean;
  readonly allow_rollup_hdrs?: boolean;
  readonly allow_msg_ttl?: boolean;
  readonly republish?: { readonly src: string; readonly dest: string; readonly headers_only?: boolean };
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface LogShape {
  readonly partitions: number;
  /** Copies of each stream; undefined takes an existing log's as it is, and 1 for a new one. */
  readonly replicas?: number | undefined;
}

export function streamConfig(partition: number, shape: LogShape, epoch: string): StreamConfig {
  return {
    name: streamName(partition),
    subjects: [streamSubjects(partition)],
    retention: 'limits',
    storage: 'file',
    num_replicas: shape.replicas ?? 1,
    // No limit is set. Should an operator set one, the broker must refuse the new and never drop the old.
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    max_msg_size: LOG_LIMITS.entryBytesMax,
    duplicate_window: LIMITS.dedupeWindowMs * 1_000_000,
    allow_direct: true,
    allow_atomic: true,
    republish: { src: streamSubjects(partition), dest: `${LIVE_ROOT}.>` },
    metadata: {
      [STREAM_METADATA.epoch]: epoch,
      [STREAM_METADATA.partitions]: String(shape.partitions),
      [STREAM_METADATA.schema]: LOG_SCHEMA,
    },
  };
}

/**
 * What of an existing stream is not as configured, one line each; empty when all is well. `max_bytes` is the
 * operator's.
 */
export function differences(found: StreamConfig, shape: LogShape): string[] {
  const wanted = streamConfig(partitionNumber(found), shape, '');
  const lines: string[] = [];
  const compare = (what: string, is: unknown, should: unknown): void => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      lines.push(
        `${found.name}: ${what} is ${JSON.stringify(is) ?? 'missing'}, configured is ${JSON.stringify(should)}`,
      );
  };
  const { src, dest, headers_only } = found.republish ?? {};
  compare('partitions', Number(found.metadata?.[STREAM_METADATA.partitions]), shape.partitions);
  compare('schema', found.metadata?.[STREAM_METADATA.schema], LOG_SCHEMA);
  compare('subjects', found.subjects, wanted.subjects);
  compare('storage', found.storage, wanted.storage);
  if (shape.replicas !== undefined) compare('replicas', found.num_replicas, shape.replicas);
  compare('retention', found.retention, wanted.retention);
  compare('max_age', found.max_age, wanted.max_age);
  compare('max_msgs_per_subject', found.max_msgs_per_subject, wanted.max_msgs_per_subject);
  compare('max_msg_size', found.max_msg_size, wanted.max_msg_size);
  compare('discard', found.discard, wanted.discard);
  compare('dedupe window (ms)', found.duplicate_window / 1_000_000, LIMITS.dedupeWindowMs);
  compare('allow_direct', found.allow_direct, true);
  compare('allow_atomic', found.allow_atomic ?? false, true);
  compare('allow_rollup_hdrs', found.allow_rollup_hdrs ?? false, false);
  compare('republish', found.republish && { src, dest, ...(headers_only ? { headers_only } : {}) }, wanted.republish);
  return lines;
}

const partitionNumber = (found: StreamConfig): number => Number(found.name.slice(found.name.lastIndexOf('_') + 1));
