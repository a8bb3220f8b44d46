/**
 * Opening the log: creates it where there is none (the set-up job alone asks for that), and refuses to work on one that is not as configured.
 *
 * Creating: `CHAT_0` first. Its metadata hold the new log's epoch, and the broker creates a stream once, so of
 * processes that start together one decides the epoch and the others read it back. Then the other streams (creating the
 * same one twice is no error), then `CHAT_0` is marked complete. An unmarked log was interrupted while it was created,
 * so nobody has written to it, and whoever comes next goes on; from a marked log a missing stream was lost.
 */
import { randomBytes } from 'node:crypto';
import { errors, type NatsConnection, type ServerInfo } from '@nats-io/transport-node';
import { STREAM_METADATA, streamName } from '#contract';
import { BROKER_CODES } from './append-answer.js';
import { ConnectionWatch } from './connection.js';
import { JetStreamApi, type ApiAnswer, type ApiError } from './jetstream-api.js';
import { JetStreamLog } from './jetstream-log.js';
import { LOG_LIMITS } from './limits.js';
import { LogMismatchError, LogUnavailableError } from './log.js';
import { pause } from './pause.js';
import { differences, streamConfig, type LogShape, type StreamConfig } from './streams.js';

export interface OpenOptions extends LogShape {
  /** Create the log where there is none. Without it, one is waited for, for `openMs`. */
  readonly create?: boolean;
}

const OLDEST_SERVER = [2, 12] as const;
const POLL_MS = 100;
/** Readings in a row that find the same log wrong. */
const MISMATCHES_MAX = 10;

/**
 * @throws LogMismatchError one message: what is wrong and what to do.
 * @throws LogUnavailableError when the broker cannot be asked.
 */
export async function openEventLog(nc: NatsConnection, options: OpenOptions): Promise<JetStreamLog> {
  const connection = new ConnectionWatch(nc);
  await connection.untilUp(LOG_LIMITS.openMs);
  if (!nc.info) throw new LogUnavailableError(`no connection to ${nc.getServer()}`);
  await checkServer(nc, nc.info);
  const settled = await settleIdentity(new JetStreamApi(connection, LOG_LIMITS.openMs), options);
  return new JetStreamLog({ ...settled, partitions: options.partitions }, connection, new JetStreamApi(connection));
}

/** @throws LogMismatchError when it is too old, or runs without JetStream */
export async function checkServer(nc: NatsConnection, info: ServerInfo): Promise<void> {
  const { version, server_name: name } = info;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor < OLDEST_SERVER[1]))
    throw new LogMismatchError(
      `nats-server ${name} is ${version}, Parley needs ${OLDEST_SERVER.join('.')} or newer (atomic batches): upgrade it`,
    );
  if (!(await hasJetStream(nc)))
    throw new LogMismatchError(
      `nats-server ${name} runs without JetStream: start it with -js, or with a jetstream block`,
    );
}

/** Only a clear no counts: a cluster that is still electing answers nothing for a while. */
async function hasJetStream(nc: NatsConnection): Promise<boolean> {
  const offCodes = new Set([10039, 10076]);
  try {
    const { error } = (await nc.request('$JS.API.INFO', '', { timeout: LOG_LIMITS.readTryMs })).json<ApiAnswer>();
    return !error || !offCodes.has(error.err_code);
  } catch (error) {
    const nobody =
      error instanceof errors.NoRespondersError ||
      (error instanceof Error && error.cause instanceof errors.NoRespondersError);
    return !nobody || nc.info?.jetstream === true;
  }
}

interface InfoAnswer extends ApiAnswer {
  readonly config?: StreamConfig;
}

async function settleIdentity(
  api: JetStreamApi,
  options: OpenOptions,
): Promise<{ readonly epoch: string; readonly restoredAt: number }> {
  const until = performance.now() + LOG_LIMITS.openMs;
  for (let mismatches = 0; ;) {
    const streams = await readStreams(api, options.partitions);
    const { epoch, restoredAt = 0, mismatch } = checkStreams(streams, options);
    if (epoch !== undefined) return { epoch, restoredAt };
    // What is read while another process creates the log can look torn, on a cluster for some time: only what stays counts.
    mismatches = mismatch === undefined ? 0 : mismatches + 1;
    if (mismatch !== undefined && mismatches >= MISMATCHES_MAX) throw new LogMismatchError(mismatch);
    if (mismatch !== undefined) await pause(POLL_MS);
    else if (options.create) await createStreams(api, options, streams[0]);
    else if (performance.now() >= until)
      throw new LogMismatchError(`there is no log (stream ${streamName(0)}): run parley setup, which makes it`);
    else await pause(POLL_MS);
  }
}

async function readStreams(api: JetStreamApi, partitions: number): Promise<(StreamConfig | undefined)[]> {
  return Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const { config, error } = await api.ask<InfoAnswer>(`STREAM.INFO.${streamName(partition)}`);
      if (error && error.err_code !== BROKER_CODES.streamNotFound) throw apiRefusal(streamName(partition), error);
      return config;
    }),
  );
}

export interface Finding {
  /** Of a log that is complete and as configured. */
  readonly epoch?: string | undefined;
  /** When that log was restored from a backup, ms since 1970; 0 for never. */
  readonly restoredAt?: number;
  /** Why this log cannot be worked on. Neither: there is no log, or not all of it yet. */
  readonly mismatch?: string;
}

export function checkStreams(streams: readonly (StreamConfig | undefined)[], shape: LogShape): Finding {
  const [first] = streams;
  const found = streams.filter((stream) => stream !== undefined);
  if (found.length === 0) return {};
  const restoring = found.find(({ metadata }) => metadata?.[STREAM_METADATA.restoring])?.metadata;
  if (restoring && first?.metadata?.[STREAM_METADATA.complete] !== 'true')
    return {
      mismatch:
        `a backup (${restoring[STREAM_METADATA.restoring]}) is being restored, or its restore was interrupted: start no service ` +
        'before it has ended; if it has not, run parley restore again',
    };
  const foreign = found.flatMap(foreignMetadata);
  if (foreign.length > 0)
    return { mismatch: `${foreign.join('; ')}. Name the right broker, or restore the log from a backup` };
  const logPartitions = Number(first?.metadata?.[STREAM_METADATA.partitions]);
  if (first && logPartitions !== shape.partitions)
    return {
      mismatch:
        `the log was created with ${logPartitions} partitions, configured are ${shape.partitions}: partitions are chosen ` +
        `once; set PARTITIONS=${logPartitions}, or start with an empty store`,
    };
  const epoch = first?.metadata?.[STREAM_METADATA.epoch];
  const complete = first?.metadata?.[STREAM_METADATA.complete] === 'true';
  const lines = found.flatMap((stream) => differences(stream, shape));
  for (const stream of found) {
    const own = stream.metadata?.[STREAM_METADATA.epoch];
    if (first && own !== epoch) lines.push(`${stream.name}: epoch is ${own}, that of ${first.name} is ${epoch}`);
  }
  for (const [partition, stream] of streams.entries())
    if (!stream && (complete || !first)) lines.push(`${streamName(partition)} is missing`);
  const restoredAt = Number(first?.metadata?.[STREAM_METADATA.restoredAt] ?? 0);
  if (lines.length === 0) return complete ? { epoch, restoredAt } : {};
  return {
    mismatch:
      `the log is not as configured; nothing was changed. ${lines.join('; ')}. Set the configuration or the stream ` +
      '(nats stream edit) right; restore a missing stream, or one of another epoch, from a backup of the whole log',
  };
}

/** What every stream of a log has said of itself since it was made. */
const METADATA: readonly (readonly [name: string, form: RegExp, isOptional?: boolean])[] = [
  [STREAM_METADATA.epoch, /^[A-Za-z0-9_-]{1,32}$/],
  [STREAM_METADATA.partitions, /^[1-9][0-9]{0,3}$/],
  [STREAM_METADATA.schema, /./],
  [STREAM_METADATA.restoredAt, /^[0-9]{1,15}$/, true],
];

function foreignMetadata({ name, metadata = {} }: StreamConfig): string[] {
  const wrong = METADATA.filter(([key, form, isOptional = false]) => {
    const value = metadata[key];
    return value === undefined ? !isOptional : !form.test(value);
  });
  if (wrong.length === 0) return [];
  const said = wrong.map(([key]) => `its ${key} is ${JSON.stringify(metadata[key]) ?? 'missing'}`);
  return [`${name} is no stream of a Parley log: ${said.join(', ')}`];
}

async function createStreams(api: JetStreamApi, shape: LogShape, existing: StreamConfig | undefined): Promise<void> {
  const config = existing ?? streamConfig(0, shape, randomBytes(8).toString('hex'));
  // Another process was faster: its stream is read back, and with it the epoch.
  if (!existing && !(await create(api, config))) return;
  const epoch = config.metadata?.[STREAM_METADATA.epoch] ?? '';
  for (let partition = 1; partition < shape.partitions; partition++)
    await create(api, streamConfig(partition, shape, epoch));
  const marked = { ...config, metadata: { ...config.metadata, [STREAM_METADATA.complete]: 'true' } };
  const { error } = await api.ask(`STREAM.UPDATE.${config.name}`, marked);
  if (error) throw apiRefusal(config.name, error);
}

/**
 * False when a stream of that name is there with another configuration. A cluster whose nodes are still joining is
 * waited for.
 */
async function create(api: JetStreamApi, config: StreamConfig): Promise<boolean> {
  const until = performance.now() + LOG_LIMITS.openMs;
  for (;;) {
    const { error } = await api.ask(`STREAM.CREATE.${config.name}`, config);
    if (!error) return true;
    if (error.err_code === BROKER_CODES.streamNameInUse) return false;
    if (error.err_code !== BROKER_CODES.noPeers || performance.now() >= until) throw apiRefusal(config.name, error);
    await pause(POLL_MS);
  }
}

const apiRefusal = (name: string, error: ApiError): LogMismatchError =>
  new LogMismatchError(`the broker refuses stream ${name}: ${error.description} (${error.err_code})`);
