/**
 * Reads that a stream's leader answers, and nobody else (`STREAM.MSG.GET`, `STREAM.INFO`): what stands there now. A
 * direct get may come from a replica that is a moment behind.
 */
import { decodeEvent, streamName } from '#contract';
import { BROKER_CODES } from './append-answer.js';
import type { ApiAnswer, JetStreamApi } from './jetstream-api.js';
import { LogUnavailableError, type StoredEntry } from './log.js';

interface MessageAnswer extends ApiAnswer {
  readonly message?: { readonly subject: string; readonly seq: number; readonly data?: string; readonly time: string };
}

interface InfoAnswer extends ApiAnswer {
  readonly state?: { readonly last_seq: number };
}

type Query =
  | { readonly last_by_subj: string }
  | { readonly seq: number }
  | { readonly seq: number; readonly next_by_subj: string };

export class LeaderReads {
  constructor(private readonly api: JetStreamApi) {}

  /** The last entry of a subject. */
  last(partition: number, subject: string): Promise<StoredEntry | undefined> {
    return this.#get(partition, { last_by_subj: subject });
  }

  at(partition: number, seq: number): Promise<StoredEntry | undefined> {
    return this.#get(partition, { seq });
  }

  /** The first entry after `after` on a subject (wildcards allowed); `>` for any. */
  next(partition: number, subject: string, after: number): Promise<StoredEntry | undefined> {
    return this.#get(partition, { seq: after + 1, next_by_subj: subject });
  }

  async lastSequence(partition: number): Promise<number> {
    const { state, error } = await this.api.ask<InfoAnswer>(`STREAM.INFO.${streamName(partition)}`);
    if (!state) throw unexpected(partition, error);
    return state.last_seq;
  }

  async #get(partition: number, query: Query): Promise<StoredEntry | undefined> {
    const { message, error } = await this.api.ask<MessageAnswer>(`STREAM.MSG.GET.${streamName(partition)}`, query);
    if (message) {
      const payload = Buffer.from(message.data ?? '', 'base64').toString('utf8');
      const { subject, seq, time } = message;
      return { partition, seq, subject, prev: undefined, at: Date.parse(time), decoded: decodeEvent(payload) };
    }
    if (error?.err_code === BROKER_CODES.noMessageFound) return undefined;
    throw unexpected(partition, error);
  }
}

function unexpected(partition: number, error: ApiAnswer['error']): LogUnavailableError {
  const words = error ? `${error.description} (${error.err_code})` : 'an answer without content';
  return new LogUnavailableError(`${streamName(partition)}: ${words}`);
}
