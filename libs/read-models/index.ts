/** The read side in PostgreSQL. Signatures first (bodies follow within the hour); this file will only re-export. */
import type { DataSource } from 'typeorm';
import type {
  Cursor,
  InboxEntry,
  MemberRole,
  MemberState,
  MemberView,
  MessageView,
  Page,
  Position,
  RoomView,
  UserView,
} from '#contract';

/** Whatever runs a prepared statement: the pool, or one connection. `name` is the statement's, one SQL text each. */
export interface Db {
  query<R extends object>(name: string, sql: string, params?: readonly unknown[]): Promise<R[]>;
}
export interface Database extends Db {
  readonly url: string;
  /** For entities (accounts) and one-off SQL: `database.source.query(sql, params)`. */
  readonly source: DataSource;
  close(): Promise<void>;
}
export declare function openDatabase(url: string, options?: { poolMax?: number; migrate?: boolean }): Promise<Database>;

export interface UserRoom {
  readonly roomId: string;
  readonly kind: 'room' | 'channel';
  readonly name: string;
  readonly role: MemberRole;
  readonly participants?: readonly string[];
  readonly isPrivate: boolean;
  /** Sequence of the membership event. */
  readonly memberSeq: number;
  /** Sequence of the last timeline entry, 0 for none. */
  readonly lastSeq: number;
  readonly lastOrdinal: number;
  readonly memberCount: number;
}
export declare function getRoom(db: Db, roomId: string): Promise<RoomView | undefined>;
export declare function listRooms(
  db: Db,
  viewerId: string | undefined,
  options: { q?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<RoomView>>;
export declare function roomsOfUser(
  db: Db,
  userId: string,
): Promise<{ rooms: UserRoom[]; checkpoints: number[]; epoch: string | undefined }>;
export declare function roomAnchor(
  db: Db,
  roomId: string,
  seq: number,
): Promise<{ seq: number; ordinal: number } | undefined>;

export interface Membership extends MemberState {
  /** Sequence of the membership event. */
  readonly seq: number;
  readonly joinedAt: string | undefined;
}
export declare function listMembers(db: Db, roomId: string): Promise<MemberView[]>;
export declare function getMember(db: Db, roomId: string, userId: string): Promise<Membership | undefined>;
/** Both ends belong to the period: the joining event and the one that ended it. */
export declare function membershipPeriods(
  db: Db,
  roomId: string,
  userId: string,
): Promise<{ from: number; to: number | undefined }[]>;

export interface HistoryItem {
  readonly kind: 'message' | 'join' | 'leave';
  readonly seq: number;
  readonly userId: string;
  readonly username: string;
  /** Of a message, else empty. */
  readonly text: string;
  /** ms since 1970 */
  readonly at: number;
}
export declare function pageMessages(
  db: Db,
  roomId: string,
  options: {
    limit: number;
    /** Message ids, both exclusive. */
    before?: string | undefined;
    after?: string | undefined;
    order: 'desc' | 'asc';
    cursor?: string | undefined;
  },
): Promise<Page<MessageView>>;
export declare function pageMessagesByOffset(
  db: Db,
  roomId: string,
  options: { offset: number; limit: number; order: 'desc' | 'asc' },
): Promise<MessageView[]>;
export declare function getMessage(db: Db, roomId: string, messageId: string): Promise<MessageView | undefined>;
export declare function countMessages(db: Db, roomId: string): Promise<number>;
export declare function roomHistory(db: Db, roomId: string, limit: number): Promise<HistoryItem[]>;

export declare function inboxOf(
  db: Db,
  userId: string,
  options: { cursor?: string | undefined; limit: number },
): Promise<Page<InboxEntry>>;

export type StoredUser = Omit<UserView, 'online' | 'lastSeen'> & {
  /** What the last status command said, and when (ms since 1970). */
  readonly statusOnline?: boolean;
  readonly statusAt?: number;
};
export declare function getUser(db: Db, userId: string): Promise<StoredUser | undefined>;
export declare function getUsers(db: Db, ids: readonly string[]): Promise<StoredUser[]>;

/** The last event of the first command that used the key. */
export interface StoredKey {
  readonly partition: number;
  readonly seq: number;
  /** Hash of the command's body. */
  readonly body: string;
}
export declare function findKey(db: Db, partition: number, id: string): Promise<StoredKey | undefined>;

export interface Checkpoint {
  readonly epoch: string;
  readonly seq: number;
  /** ms since 1970 of the event at `seq`, 0 for none. */
  readonly at: number;
}
/** The lowest checkpoint of the read models that are live. */
export declare function checkpointOf(db: Db, partition: number): Promise<Checkpoint | undefined>;

/** Wakes queries that wait for a position. One a process; `start` subscribes to the notices, `stop` ends it. */
export declare class PositionWaiter {
  constructor(db: Db, nats: import('@nats-io/transport-node').NatsConnection);
  /** @throws DomainError `behind` after `withinMs` (LIMITS.positionWaitMs), `invalid_cursor` for a cursor of another epoch or shape */
  waitFor(target: Position | Cursor, withinMs?: number): Promise<void>;
  close(): void;
}
