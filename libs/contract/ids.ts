/**
 * Ids, positions and cursors: how a place in the log is written down.
 *
 * - A message id is `msg_<n>`, n = sequence x 1024 + partition.
 * - A position is `<partition>-<sequence>`; it is in a command's reply and serves to read one's own write.
 * - A cursor is `<epoch>.<sequence>.<sequence>...`, one sequence a partition; only the gateway makes it.
 */
import { createHash } from 'node:crypto';
import { LIMITS } from './protocol.js';

/** A place in the log. */
export interface Position {
  readonly partition: number;
  readonly seq: number;
}

/** Up to where each partition has been delivered, in one epoch of the log. */
export interface Cursor {
  readonly epoch: string;
  readonly seqs: readonly number[];
}

const MESSAGE_ID = /^msg_([1-9][0-9]{0,15})$/;
const POSITION = /^(0|[1-9][0-9]{0,3})-(0|[1-9][0-9]{0,12})$/;
const CURSOR = /^([A-Za-z0-9_-]{1,32})((?:\.(?:0|[1-9][0-9]{0,12})){1,1024})$/;

export const messageId = (at: Position): string => `msg_${at.seq * LIMITS.partitions + at.partition}`;

export function parseMessageId(id: string): Position | undefined {
  const digits = MESSAGE_ID.exec(id)?.[1];
  const number = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(number)) return undefined;
  const seq = Math.floor(number / LIMITS.partitions);
  return seq > 0 ? { partition: number % LIMITS.partitions, seq } : undefined;
}

export const formatPosition = (at: Position): string => `${at.partition}-${at.seq}`;

export function parsePosition(text: string): Position | undefined {
  const match = POSITION.exec(text);
  return match ? { partition: Number(match[1]), seq: Number(match[2]) } : undefined;
}

export const formatCursor = (cursor: Cursor): string => `${cursor.epoch}.${cursor.seqs.join('.')}`;

/** Undefined when it is no cursor at all; whether it fits the log at hand (epoch, partitions, end) is for the gateway to say. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  if (!match?.[1] || !match[2]) return undefined;
  return { epoch: match[1], seqs: match[2].slice(1).split('.').map(Number) };
}

/** A participant channel is the set of its participants: sorted by code unit, without repeats. */
export function channelParticipants(participants: readonly string[]): string[] {
  return [...new Set(participants)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The room id of a participant channel: the same for every order and repetition of its participants. */
export function channelRoomId(participants: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(channelParticipants(participants)), 'utf8');
  return `dm_${digest.digest('base64url')}`;
}

/** Half of a sha256: nobody finds two commands that share it, and the broker keeps every id for two minutes. */
const KEY_ID_CHARACTERS = 22;

/**
 * A keyed command's message id for the broker, `event.key.id`: the same for the same sender, command, room and key. The handler
 * stores it; the gateway knows by it which of its connections an event came from.
 */
export function commandKeyId(sender: string, command: string, roomId: string, key: string): string {
  const digest = createHash('sha256').update(JSON.stringify([sender, command, roomId, key]), 'utf8');
  return digest.digest('base64url').slice(0, KEY_ID_CHARACTERS);
}

/** Ids of participant channels are derived, so no other room may claim one. */
export const isChannelRoomId = (roomId: string): boolean => roomId.startsWith('dm_');
