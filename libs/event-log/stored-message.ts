/** An entry as the broker hands it out, whichever way it was read, and its one translation into `StoredEntry`. */
import type { Msg } from '@nats-io/transport-node';
import { decodeEvent, HEADERS, STREAM_PREFIX } from '#contract';
import type { StoredEntry } from './log.js';

/** Headers of a direct get or of a republished copy, read in one pass: the library's `get` walks all of them each time. */
export interface StoredFields {
  readonly subject: string;
  readonly seq: number;
  readonly at: number;
  readonly partition: number;
  /** Live: the sequence before it on its subject. Direct get: the sequence before it in the answer. */
  readonly lastSequence: number;
  /** Direct get: how many more there are. */
  readonly pending: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Undefined when it is not a stored entry (a status, or a message that somebody else published there). */
export function storedFields(message: Msg): StoredFields | undefined {
  if (!message.headers || message.headers.code !== 0) return undefined;
  const fields = new Map<string, string>();
  for (const [name, values] of message.headers) fields.set(name, values[values.length - 1] ?? '');
  const stream = fields.get(HEADERS.stream);
  const subject = fields.get(HEADERS.subject);
  const time = fields.get(HEADERS.timestamp);
  const seq = Number(fields.get(HEADERS.sequence));
  if (!stream?.startsWith(STREAM_PREFIX) || !subject || !time || !(seq > 0)) return undefined;
  return {
    subject,
    seq,
    at: Date.parse(time),
    partition: Number(stream.slice(STREAM_PREFIX.length)),
    lastSequence: Number(fields.get(HEADERS.lastSequence) ?? 0),
    pending: Number(fields.get(HEADERS.pending) ?? 0),
    headers: fields,
  };
}

export function toEntry(stored: StoredFields & { readonly payload: string }, prev: number | undefined): StoredEntry {
  const { partition, seq, subject, at, payload } = stored;
  return { partition, seq, subject, prev, at, decoded: decodeEvent(payload) };
}
