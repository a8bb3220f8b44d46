/** What a broker and its log are like, without waiting for a log and without changing it. */
import type { NatsConnection } from '@nats-io/transport-node';
import { streamName } from '#contract';
import { BROKER_CODES } from './append-answer.js';
import { ConnectionWatch } from './connection.js';
import { type ApiAnswer, JetStreamApi } from './jetstream-api.js';
import { LogUnavailableError } from './log.js';
import { checkServer, checkStreams } from './open.js';
import type { LogShape, StreamConfig } from './streams.js';

export interface LogFacts {
  readonly server: string;
  readonly version: string;
  /** The broker's clock less ours, ms: how far they differ, give or take half of the time that the question took. */
  readonly clockAheadMs: number | undefined;
  readonly epoch: string | undefined;
  readonly streams: readonly StreamFacts[];
  /** Why the log cannot be worked on; undefined when it can, or when there is none yet. */
  readonly mismatch: string | undefined;
}

export interface StreamFacts {
  readonly name: string;
  readonly isThere: boolean;
  readonly entries: number;
  readonly bytes: number;
  readonly lastSeq: number;
  /** Replicas that are not up to date, of those that there should be. */
  readonly behind: readonly string[];
}

interface InfoAnswer extends ApiAnswer {
  readonly config?: StreamConfig;
  readonly state?: { readonly messages: number; readonly bytes: number; readonly last_seq: number };
  readonly cluster?: {
    readonly replicas?: readonly { readonly name: string; readonly current: boolean; readonly offline?: boolean }[];
  };
  readonly ts?: string;
}

const ANSWER_WITHIN_MS = 5_000;

/** @throws LogMismatchError when the server is too old or has no JetStream; LogUnavailableError */
export async function inspectLog(
  nc: NatsConnection,
  shape: LogShape,
  answerWithinMs = ANSWER_WITHIN_MS,
): Promise<LogFacts> {
  if (!nc.info) throw new LogUnavailableError(`no connection to ${nc.getServer()}`);
  await checkServer(nc, nc.info);
  const api = new JetStreamApi(new ConnectionWatch(nc), answerWithinMs);
  const askedAt = Date.now();
  const answers = await Promise.all(
    Array.from({ length: shape.partitions }, (_, partition) =>
      api.ask<InfoAnswer>(`STREAM.INFO.${streamName(partition)}`),
    ),
  );
  const middle = (askedAt + Date.now()) / 2;
  const refusal = answers.find(({ error }) => error !== undefined && error.err_code !== BROKER_CODES.streamNotFound);
  const { epoch, mismatch } = checkStreams(
    answers.map(({ config }) => config),
    shape,
  );
  const told = answers.find(({ ts }) => ts !== undefined)?.ts;
  return {
    server: nc.info.server_name,
    version: nc.info.version,
    clockAheadMs: told === undefined ? undefined : Date.parse(told) - middle,
    epoch,
    streams: answers.map(streamFacts),
    mismatch: refusal?.error === undefined ? mismatch : `${refusal.error.description} (${refusal.error.err_code})`,
  };
}

function streamFacts({ state, cluster, config }: InfoAnswer, partition: number): StreamFacts {
  const behind = cluster?.replicas?.filter(({ current, offline }) => !current || offline === true) ?? [];
  return {
    name: streamName(partition),
    isThere: config !== undefined,
    entries: state?.messages ?? 0,
    bytes: state?.bytes ?? 0,
    lastSeq: state?.last_seq ?? 0,
    behind: behind.map(({ name }) => name),
  };
}
