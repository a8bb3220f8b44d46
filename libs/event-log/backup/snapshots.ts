/**
 * JetStream's snapshot protocol, which the client library does not have (nats-server 2.12 to 2.14; the `nats` tool speaks the same).
 *
 *   taking: STREAM.SNAPSHOT names an inbox -> the stream's leader answers with configuration and state, and sends the stream to
 *     the inbox in chunks, an s2-compressed tar of its files -> each chunk but the last is acknowledged by its reply subject, whose
 *     last token counts them; the leader is at most a window ahead -> a message without content and with status 204 is the end.
 *   restoring: STREAM.RESTORE gives configuration and state -> the answer names a subject -> the chunks go there, each is answered
 *     -> a message without content is the end, and is answered like the making of a stream.
 *
 * A stream that is written to meanwhile is taken up to some entry after the beginning, and nothing before that is left out.
 */
import { errors, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { ownInbox } from '../connection.js';
import type { ApiAnswer, ApiError } from '../jetstream-api.js';
import { LogUnavailableError } from '../log.js';
import { S2Frames } from './s2-frames.js';

/** What the broker knows of a stream; of the configuration only `name` matters here, and the rest is kept as it is. */
export interface StreamDescription {
  readonly config: { readonly name: string; readonly metadata?: Readonly<Record<string, string>> | undefined };
  readonly state: StreamState;
}

export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly last_seq: number;
}

const CHUNK_BYTES = 128 * 1024;
/** So much the broker may have sent that has not been written down. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** A leader that has died says nothing any more. */
const SILENCE_MS = 15_000;
const ANSWER_MS = 10_000;
/** The end of a restore is answered when the broker has read all of the stream. */
const RECOVERY_MS = 15 * 60_000;
const RESTORE_IN_FLIGHT_MAX = 16;
const END_OF_SNAPSHOT = 204;

/** The snapshot stopped half-way (a new leader, a lost connection): what was written is to be thrown away. */
export class SnapshotBrokenError extends Error {
  override readonly name = 'SnapshotBrokenError';
}

/**
 * @param write gets the chunks in order; the next one waits for it
 * @throws SnapshotBrokenError, LogUnavailableError, or what `write` throws
 */
export async function takeSnapshot(
  nc: NatsConnection,
  stream: string,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<StreamDescription> {
  const inbox = ownInbox(nc);
  const chunks = nc.subscribe(inbox);
  const stop = (): void => chunks.unsubscribe();
  signal.addEventListener('abort', stop);
  try {
    const request = { deliver_subject: inbox, no_consumers: true, chunk_size: CHUNK_BYTES, window_size: WINDOW_BYTES };
    const head = await ask<StreamDescription>(nc, `STREAM.SNAPSHOT.${stream}`, request, ANSWER_MS);
    await writeAll(stream, chunks, write, stop);
    signal.throwIfAborted();
    return head;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

async function writeAll(
  stream: string,
  chunks: AsyncIterable<Msg>,
  write: (chunk: Uint8Array) => Promise<void>,
  stop: () => void,
): Promise<void> {
  let written = 0;
  const frames = new S2Frames();
  const silence = setTimeout(stop, SILENCE_MS);
  try {
    for await (const message of chunks) {
      silence.refresh();
      if (message.data.length === 0) return atTheEnd(stream, message, frames);
      // The last one has no number, and wants no acknowledgement.
      const number = message.reply ? Number(message.reply.split('.').at(-1)) : written + 1;
      if (number !== written + 1)
        throw new SnapshotBrokenError(`${stream}: chunk ${number} came after chunk ${written}: one was lost`);
      await write(message.data);
      frames.take(message.data);
      written = number;
      message.respond();
    }
  } finally {
    clearTimeout(silence);
  }
  throw new SnapshotBrokenError(`${stream}: the broker sends nothing any more, after ${written} chunks`);
}

function atTheEnd(stream: string, { headers }: Msg, frames: S2Frames): void {
  const ended = headers === undefined || headers.code === END_OF_SNAPSHOT;
  if (ended && frames.whole) return;
  if (ended) throw new SnapshotBrokenError(`${stream}: the end of the last chunk is missing`);
  throw new SnapshotBrokenError(`${stream}: the broker gave up: ${headers.description} (${headers.code})`);
}

/**
 * Makes a stream of a snapshot. Sequences and times are those that it had.
 * @param config as it is to be; not all of it may differ from the snapshot's
 * @throws LogUnavailableError what the broker refuses, in its words; there is no such stream then
 */
export async function restoreSnapshot(
  nc: NatsConnection,
  { config, state }: { readonly config: { readonly name: string }; readonly state: StreamState },
  chunks: AsyncIterable<Uint8Array>,
): Promise<StreamDescription> {
  const { name } = config;
  const begun = await ask<{ deliver_subject: string }>(nc, `STREAM.RESTORE.${name}`, { config, state }, ANSWER_MS);
  const inFlight: Promise<void>[] = [];
  for await (const chunk of chunks) {
    if (inFlight.length >= RESTORE_IN_FLIGHT_MAX) await inFlight.shift();
    const sent = send(nc, name, begun.deliver_subject, chunk);
    // It is awaited in its turn; until then its failure must not count as one that nobody sees.
    sent.catch(() => undefined);
    inFlight.push(sent);
  }
  await Promise.all(inFlight);
  return read<StreamDescription>(name, await request(nc, name, begun.deliver_subject, '', RECOVERY_MS));
}

async function send(nc: NatsConnection, name: string, subject: string, chunk: Uint8Array): Promise<void> {
  const answer = await request(nc, name, subject, chunk, ANSWER_MS);
  if (answer.data.length > 0) read(name, answer);
}

async function ask<T>(nc: NatsConnection, subject: string, body: object, timeout: number): Promise<T> {
  return read(subject, await request(nc, subject, `$JS.API.${subject}`, JSON.stringify(body), timeout));
}

async function request(
  nc: NatsConnection,
  what: string,
  subject: string,
  data: Uint8Array | string,
  timeout: number,
): Promise<Msg> {
  try {
    return await nc.request(subject, data, { timeout });
  } catch (cause) {
    if (cause instanceof errors.PermissionViolationError) throw cause;
    throw new LogUnavailableError(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function read<T>(what: string, message: Msg): T {
  const answer = message.json<T & ApiAnswer>();
  if (answer.error) throw new LogUnavailableError(`${what}: ${inWords(answer.error)}`);
  return answer;
}

export const inWords = ({ description, err_code }: ApiError): string => `${description} (${err_code})`;
