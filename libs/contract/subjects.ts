/**
 * Every subject, stream, header, bucket and queue name, from one place. Nothing else in the tree spells one out.
 *
 * Terminology: a *token* is what stands for an id between two dots of a subject. Room ids are their own token; user ids
 * outside the token alphabet (an external issuer's) are hashed, and events carry the id itself.
 */
import { createHash } from 'node:crypto';

export const STREAM_PREFIX = 'CHAT_';
export const streamName = (partition: number): string => `${STREAM_PREFIX}${partition}`;
export const streamSubjects = (partition: number): string => `chat.${partition}.>`;
/** One entry each time that a partition was restored from a backup, which says from which. Of no room and no user: everybody skips it. */
export const restoredSubject = (partition: number): string => `chat.${partition}.restored`;
/** There only while a partition is being restored. */
export const restoreStreamName = (partition: number): string => `RESTORE_${partition}`;
/** Where JetStream keeps an object store's bucket. */
export const objectStream = (bucket: string): string => `OBJ_${bucket}`;
/** The broker republishes what it stored, and only that, below this root (with the partition's token dropped). */
export const LIVE_ROOT = 'live';

/** Headers of JetStream, as the broker spells them. */
export const HEADERS = {
  messageId: 'Nats-Msg-Id',
  expectedLastSubjectSequence: 'Nats-Expected-Last-Subject-Sequence',
  expectedLastSubjectSequenceSubject: 'Nats-Expected-Last-Subject-Sequence-Subject',
  batchId: 'Nats-Batch-Id',
  batchSequence: 'Nats-Batch-Sequence',
  batchCommit: 'Nats-Batch-Commit',
  stream: 'Nats-Stream',
  subject: 'Nats-Subject',
  sequence: 'Nats-Sequence',
  lastSequence: 'Nats-Last-Sequence',
  timestamp: 'Nats-Time-Stamp',
  pending: 'Nats-Num-Pending',
  upToSequence: 'Nats-UpTo-Sequence',
} as const;

/** Keys of the streams' metadata: the log's identity and its shape, chosen once when the log is created. */
export const STREAM_METADATA = {
  epoch: 'parley-epoch',
  partitions: 'parley-partitions',
  schema: 'parley-schema',
  /** On the first stream, `true` once all the others were there: from then on a stream that is missing was lost. */
  complete: 'parley-complete',
  /** While a backup is being restored, which one: a log with this mark is opened by nobody. */
  restoring: 'parley-restoring',
  /** When the log was restored, ms since 1970. */
  restoredAt: 'parley-restored-at',
} as const;

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;

/** A user's token in subjects: the id where it fits, else `~` + base64url(sha256(id)). */
export function userToken(userId: string): string {
  return TOKEN.test(userId) ? userId : `~${createHash('sha256').update(userId, 'utf8').digest('base64url')}`;
}

/**
 * The partition that a room, or a user's own subjects, live in: FNV-1a (32 bit) of the token, finished as Murmur3 does
 * (FNV's low bits alone depend on the characters' low bits alone), modulo the partitions. Never change it: it is the
 * layout of every log there is.
 */
export function partitionOf(token: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i++) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

export type LogSubject =
  | { readonly kind: 'config' | 'roster' | 'timeline'; readonly partition: number; readonly roomId: string }
  | { readonly kind: 'member'; readonly partition: number; readonly roomId: string; readonly userToken: string }
  | { readonly kind: 'status' | 'profile'; readonly partition: number; readonly userToken: string };

export type LogSubjectKind = LogSubject['kind'];

/** Builds the subjects of the log for a given number of partitions. */
export class Subjects {
  constructor(readonly partitions: number) {}

  partitionOfRoom(roomId: string): number {
    return partitionOf(roomId, this.partitions);
  }

  partitionOfUser(userId: string): number {
    return partitionOf(userToken(userId), this.partitions);
  }

  config(roomId: string): string {
    return `chat.${this.partitionOfRoom(roomId)}.room.${roomId}.config`;
  }

  roster(roomId: string): string {
    return `chat.${this.partitionOfRoom(roomId)}.room.${roomId}.roster`;
  }

  timeline(roomId: string): string {
    return `chat.${this.partitionOfRoom(roomId)}.room.${roomId}.timeline`;
  }

  member(roomId: string, userId: string): string {
    return `chat.${this.partitionOfRoom(roomId)}.room.${roomId}.member.${userToken(userId)}`;
  }

  /** A user's memberships of all rooms of one partition. */
  memberships(partition: number, userId: string): string {
    return `chat.${partition}.room.*.member.${userToken(userId)}`;
  }

  /** Every subject of one room. */
  room(roomId: string): string {
    return `chat.${this.partitionOfRoom(roomId)}.room.${roomId}.>`;
  }

  /** The configs of all rooms of one partition. */
  configs(partition: number): string {
    return `chat.${partition}.room.*.config`;
  }

  status(userId: string): string {
    return `chat.${this.partitionOfUser(userId)}.user.${userToken(userId)}.status`;
  }

  profile(userId: string): string {
    return `chat.${this.partitionOfUser(userId)}.user.${userToken(userId)}.profile`;
  }
}

/** What a subject of the log names; undefined for a subject that this version does not know. */
export function parseLogSubject(subject: string): LogSubject | undefined {
  const [root, partitionToken, area, owner, kind, member, rest] = subject.split('.');
  const partition = Number(partitionToken);
  if (
    root !== 'chat' ||
    !Number.isInteger(partition) ||
    String(partition) !== partitionToken ||
    !owner ||
    rest !== undefined
  )
    return undefined;
  if (area === 'room') {
    if (kind === 'member' && member) return { kind, partition, roomId: owner, userToken: member };
    if (member === undefined && (kind === 'config' || kind === 'roster' || kind === 'timeline'))
      return { kind, partition, roomId: owner };
  }
  if (area === 'user' && member === undefined && (kind === 'status' || kind === 'profile'))
    return { kind, partition, userToken: owner };
  return undefined;
}

/** Where the broker republishes what it stored on a log subject. */
export const liveSubject = (logSubject: string): string => `${LIVE_ROOT}.${logSubject.split('.').slice(2).join('.')}`;

export const LIVE = {
  room: (roomId: string): string => `${LIVE_ROOT}.room.${roomId}.>`,
  memberships: (userId: string): string => `${LIVE_ROOT}.room.*.member.${userToken(userId)}`,
  configs: `${LIVE_ROOT}.room.*.config`,
  user: (userId: string): string => `${LIVE_ROOT}.user.${userToken(userId)}.>`,
  everything: `${LIVE_ROOT}.>`,
} as const;

/** Subjects outside the log: core NATS only, nothing here is stored. */
export const TRANSIENT = {
  typing: (roomId: string): string => `typing.${roomId}`,
  typingAll: 'typing.*',
  tails: (partition: number): string => `tails.${partition}`,
  /** Published by `projection` after each commit: `{partition, seq}`; wakes the queries that wait for a position. */
  views: (partition: number): string => `views.${partition}`,
  viewsAll: 'views.*',
  /** A user's read or delivered mark has moved: other devices of that user show it. */
  marked: (userId: string): string => `marked.${userToken(userId)}`,
  markedAll: 'marked.*',
  deadLetter: (partition: number): string => `deadletter.${partition}`,
  /** A session has ended before its tokens do: `{userId, sessionId}`. */
  sessionRevoked: (userId: string): string => `revoked.${userToken(userId)}`,
  sessionsRevokedAll: 'revoked.*',
} as const;

/** Requests that `projection` answers. */
export const REQUESTS = {
  markRead: 'marks.read',
  rebuild: 'projection.rebuild',
} as const;

export const QUEUE_GROUPS = { projection: 'projection' } as const;

/** KV buckets of presence: leases with a TTL (one key a gateway), and connections without. And the object store of files. */
export const BUCKETS = {
  leases: 'presence_leases',
  connections: 'presence_connections',
  attachments: 'attachments',
} as const;

/** Keys of presence: a user's connections at one gateway, and when they were last seen. KV keys take no `~`. */
export const PRESENCE_KEYS = {
  connections: (userId: string, gateway: string): string => `${presenceToken(userId)}.${gateway}`,
  connectionsOfGateway: (gateway: string): string => `*.${gateway}`,
  seen: (userId: string): string => `${presenceToken(userId)}.seen`,
  /** Where the bucket tells that any of a user's keys has changed. */
  changes: (userId: string): string => `$KV.${BUCKETS.connections}.${presenceToken(userId)}.*`,
} as const;

const presenceToken = (userId: string): string => userToken(userId).replace('~', '=');

export const commandSubject = (service: string, command: string): string => `command.${service}.${command}`;
