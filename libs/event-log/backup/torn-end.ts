/**
 * The end of a restored partition. A snapshot that was taken while an atomic batch was being stored may hold its beginning only: a
 * roster without the member that it counts. What of a batch stands there without its commit was never acknowledged, and goes.
 */
import { HEADERS, streamName, streamSubjects } from '#contract';
import { BROKER_CODES } from '../append-answer.js';
import type { ApiAnswer, JetStreamApi } from '../jetstream-api.js';
import { LogMismatchError } from '../log.js';
import { headerField } from '../stored-message.js';
import { inWords } from './snapshots.js';

interface MessageAnswer extends ApiAnswer {
  readonly message?: { readonly seq: number; readonly hdrs?: string };
}

interface Last {
  readonly seq: number;
  readonly headers: string;
}

/** @returns the sequences that were removed, the last first */
export async function dropHalfBatch(api: JetStreamApi, partition: number): Promise<readonly number[]> {
  const removed: number[] = [];
  for (;;) {
    const last = await lastEntry(api, partition);
    const isPart = last !== undefined && headerField(last.headers, HEADERS.batchId) !== undefined;
    if (!isPart || headerField(last.headers, HEADERS.batchCommit) !== undefined) return removed;
    const { error } = await api.ask(`STREAM.MSG.DELETE.${streamName(partition)}`, { seq: last.seq, no_erase: true });
    if (error) throw new LogMismatchError(`${streamName(partition)}: entry ${last.seq}: ${inWords(error)}`);
    removed.push(last.seq);
  }
}

/** The last sequence of what people have written, 0 for none. */
export async function lastBeforeMark(api: JetStreamApi, partition: number): Promise<number> {
  return (await lastEntry(api, partition))?.seq ?? 0;
}

/** Of rooms and users; the entry that says that the log was restored stands beside both. */
async function lastEntry(api: JetStreamApi, partition: number): Promise<Last | undefined> {
  const root = streamSubjects(partition).slice(0, -1);
  const [room, user] = await Promise.all(['room.>', 'user.>'].map((rest) => lastOf(api, partition, `${root}${rest}`)));
  return (user?.seq ?? 0) > (room?.seq ?? 0) ? user : room;
}

async function lastOf(api: JetStreamApi, partition: number, subject: string): Promise<Last | undefined> {
  const query = { last_by_subj: subject };
  const { message, error } = await api.ask<MessageAnswer>(`STREAM.MSG.GET.${streamName(partition)}`, query);
  if (error?.err_code === BROKER_CODES.noMessageFound) return undefined;
  if (!message) throw new LogMismatchError(`${subject}: ${error ? inWords(error) : 'an answer without content'}`);
  return { seq: message.seq, headers: Buffer.from(message.hdrs ?? '', 'base64').toString('utf8') };
}
