/**
 * An entry as the broker hands it out, by a direct get or as a republished copy, and its one translation into
 * `StoredEntry`.
 *
 * Header blocks are read as text, each field where it is needed. The library would make a map of arrays of every block,
 * which costs a follower more than everything else it does with an entry.
 */
import type { Msg } from '@nats-io/transport-node';
import { decodeEvent, HEADERS, STREAM_PREFIX } from '#contract';
import type { StoredEntry } from './log.js';

export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly at: number;
  readonly partition: number;
  /** Live: the sequence before it on its subject. Direct get: the sequence before it in the answer. */
  readonly lastSequence: number;
  readonly headerText: string;
  readonly payload: string;
}

/** Undefined when it is not a stored entry: a status, or something that somebody else published there. */
export function storedMessage(message: Msg): StoredMessage | undefined {
  const headerText = headerBlock(message);
  const stream = headerField(headerText, HEADERS.stream);
  const subject = headerField(headerText, HEADERS.subject);
  const seq = Number(headerField(headerText, HEADERS.sequence));
  if (!stream?.startsWith(STREAM_PREFIX) || !subject || !(seq > 0)) return undefined;
  return {
    subject,
    seq,
    at: Date.parse(headerField(headerText, HEADERS.timestamp) ?? ''),
    partition: Number(stream.slice(STREAM_PREFIX.length)),
    lastSequence: Number(headerField(headerText, HEADERS.lastSequence) ?? 0),
    headerText,
    payload: message.string(),
  };
}

export function toEntry(stored: StoredMessage, prev: number | undefined): StoredEntry {
  const { partition, seq, subject, at, payload } = stored;
  return { partition, seq, subject, prev, at, decoded: decodeEvent(payload) };
}

/** The value of a header; the last one, because what the broker adds stands after what the publisher wrote. */
export function headerField(block: string, name: string): string | undefined {
  const beginning = BEGINNINGS.get(name) ?? beginningOf(name);
  const start = block.lastIndexOf(beginning);
  if (start < 0) return undefined;
  const from = start + beginning.length;
  return block.slice(from, block.indexOf('\r\n', from));
}

const beginningOf = (name: string): string => `\r\n${name}: `;

/** Made once: every entry is asked for several. */
const BEGINNINGS: ReadonlyMap<string, string> = new Map(
  Object.values(HEADERS).map((name) => [name, beginningOf(name)]),
);

/** The status code in the block's first line, 0 for none. */
export function statusCode(block: string): number {
  const code = Number(block.slice('NATS/1.0 '.length, 'NATS/1.0 '.length + 3));
  return block.startsWith('NATS/1.0 ') && Number.isInteger(code) ? code : 0;
}

/** A message's header block, empty when it has none. */
export function headerBlock(message: Msg): string {
  // The library keeps the bytes, unread, behind its public type; if it ever stops to, its own reading of them will do.
  const bytes: unknown = '_rdata' in message ? message._rdata : undefined;
  const parts: unknown = '_msg' in message ? message._msg : undefined;
  const length = typeof parts === 'object' && parts !== null && 'hdr' in parts ? parts.hdr : undefined;
  if (Buffer.isBuffer(bytes) && typeof length === 'number') return length > 0 ? bytes.toString('utf8', 0, length) : '';
  return message.headers === undefined ? '' : String(message.headers);
}
