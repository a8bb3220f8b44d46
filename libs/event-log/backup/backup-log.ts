/**
 * Taking the log and the files into a backup, stream by stream, while everything runs.
 *
 * Each stream is taken at a moment of its own: everything that was acknowledged before that is in it, and of what comes during it
 * the first part. Files are taken after the log, so that no message stands there without its file.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, objectStream, streamName } from '#contract';
import { BROKER_CODES } from '../append-answer.js';
import { ConnectionWatch } from '../connection.js';
import { JetStreamApi, type ApiAnswer } from '../jetstream-api.js';
import { LogMismatchError, LogUnavailableError } from '../log.js';
import { inWords, SnapshotBrokenError, takeSnapshot, type StreamDescription, type StreamState } from './snapshots.js';

/** A stream as it went into a backup. */
export interface TakenStream extends StreamDescription {
  /** The broker's clock when it was begun, ms since 1970: nothing that was acknowledged before that is missing. */
  readonly begunAt: number;
}

/** Where the chunks of one stream go. */
export interface ChunkFile {
  write(chunk: Uint8Array): Promise<void>;
  /** Throws away what was written: the stream is taken again from its beginning. */
  restart(): Promise<void>;
}

const ATTEMPTS_MAX = 4;

interface InfoAnswer extends ApiAnswer {
  readonly state?: StreamState;
  readonly ts?: string;
}

/** The streams that a backup holds: the log's, and the files' when there is one yet. In the order in which they are to be taken. */
export function backupStreams(partitions: number): readonly string[] {
  return [...Array.from({ length: partitions }, (_, partition) => streamName(partition)), FILES];
}

const FILES = objectStream(BUCKETS.attachments);

/**
 * @returns undefined when there is no such stream
 * @throws LogMismatchError, LogUnavailableError, SnapshotBrokenError when it broke off again and again
 */
export async function backupStream(
  nc: NatsConnection,
  stream: string,
  file: ChunkFile,
  signal: AbortSignal,
): Promise<TakenStream | undefined> {
  const api = new JetStreamApi(new ConnectionWatch(nc));
  for (let attempt = 1; ; attempt++) {
    const { ts, error } = await api.ask<InfoAnswer>(`STREAM.INFO.${stream}`);
    if (error?.err_code === BROKER_CODES.streamNotFound) return undefined;
    if (error) throw new LogMismatchError(`${stream}: ${inWords(error)}`);
    try {
      const taken = await takeSnapshot(nc, stream, (chunk) => file.write(chunk), signal);
      return { ...taken, begunAt: Date.parse(ts ?? '') };
    } catch (cause) {
      signal.throwIfAborted();
      const mayHelp = cause instanceof SnapshotBrokenError || cause instanceof LogUnavailableError;
      if (!mayHelp || attempt >= ATTEMPTS_MAX) throw cause;
      await file.restart();
    }
  }
}
