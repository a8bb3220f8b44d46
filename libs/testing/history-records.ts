/**
 * What is written down while a platform is used, or broken, for the history checker: what each client sent and received,
 * the log, and what the read models answered. Plain records, so that a history can be kept, cut down and printed.
 *
 * Every time (`at`, `sentAt`, `answeredAt`) is in ms since 1970 by the recorder's one clock, which never goes back:
 * `recordedNow()`. Positions are those of the frames and messages themselves: a room, and a sequence or a message's id.
 */
import type { InboxEntry, MemberView, MessageView, RoomView, ServerFrame, UserView } from '#contract';
import type { StoredEntry } from '#event-log';
import type { Span } from './history-copies.js';

/** The clock of all records of one process: finer than Date.now(), and steady. */
export const recordedNow = (): number => performance.timeOrigin + performance.now();

export type SendOutcome =
  /** From an ack; a skip frame that stood in for a lost ack names no id and no position. */
  | { readonly kind: 'acknowledged'; readonly seq: number; readonly id?: string; readonly position?: string }
  | { readonly kind: 'refused'; readonly code: string }
  /** No answer came: stored or not, nobody knows. */
  | { readonly kind: 'unknown' };

/** One send, however often it was repeated with its key. `content` is unique over the whole history: it identifies the send in the log. */
export interface SendRecord {
  readonly room: string;
  readonly key: string;
  readonly content: string;
  readonly outcome: SendOutcome;
  /** Of its first attempt. */
  readonly sentAt: number;
  /** Of the acknowledgement or refusal; undefined while there is none. */
  readonly answeredAt?: number | undefined;
}

/** A join or a leave that was acknowledged, and its position; `changed: false` where there was nothing to do. */
export interface MoveRecord {
  readonly room: string;
  readonly what: 'join' | 'leave';
  readonly position: string;
  readonly changed: boolean;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** A message as a query answers it; what is not recorded is not compared. */
export type Fetched = Pick<MessageView, 'id' | 'seq' | 'ordinal' | 'sender' | 'content'> &
  Partial<Pick<MessageView, 'type' | 'metadata' | 'mentions' | 'replyTo' | 'createdAt'>>;

/**
 * What happened at a client, in its order.
 *
 * A client of frames (`parley.v1`, over sockets or server-sent events) has `frame` steps, in which a `welcome` begins a
 * connection. A client of messages (gRPC streams, plain sockets) has `opened`, `shown`, `message` and `member` steps: it knows
 * no chain and no sequence, so what it was due is found by the ids of what it got.
 */
export type ClientStep =
  | { readonly kind: 'frame'; readonly at: number; readonly frame: ServerFrame }
  /** A connection of messages begins; `since` is the cursor that it came with, `recovered` what it was told about that. */
  | { readonly kind: 'opened'; readonly at: number; readonly since?: string; readonly recovered?: boolean }
  /** From here on the stream shows the room (gRPC: the answer to `join`). One that came with a cursor, and a plain socket, show all. */
  | { readonly kind: 'shown'; readonly at: number; readonly room: string }
  | {
      readonly kind: 'message';
      readonly at: number;
      readonly room: string;
      readonly id: string;
      readonly sender: string;
      readonly content: string;
    }
  | {
      readonly kind: 'member';
      readonly at: number;
      readonly room: string;
      readonly user: string;
      readonly what: 'joined' | 'left';
    }
  | { readonly kind: 'closed'; readonly at: number; readonly code: number }
  /**
   * Read over HTTP: because a resume was not recovered, or at any time; refused when the user had left in the meantime. `after`
   * is the sequence up to which the room was read back, `position` (a position or a cursor) what the answer had to include.
   */
  | {
      readonly kind: 'refetched';
      readonly at: number;
      readonly room: string;
      readonly messages: readonly Fetched[] | 'refused';
      readonly after?: number;
      readonly position?: string;
    };

/** How a client reads. A `plain` socket has the messages of participant channels, and not its own user's. */
export type Via = 'socket' | 'events' | 'grpc' | 'plain' | 'http';

export interface ClientHistory {
  readonly client: string;
  readonly user: string;
  /** `socket` when it is not said. */
  readonly via?: Via;
  readonly sends: readonly SendRecord[];
  readonly moves?: readonly MoveRecord[];
  readonly steps: readonly ClientStep[];
  /** It was connected and caught up when the log ended; else only what it did see is judged. */
  readonly complete: boolean;
}

/** A room as the read models answer it: every message, oldest first. */
export interface RoomViewRecord {
  readonly room: string;
  readonly memberCount: number;
  readonly members: readonly (Pick<MemberView, 'userId' | 'role'> & Partial<Pick<MemberView, 'muted' | 'joinedAt'>>)[];
  readonly messages: readonly Fetched[];
  /** What is recorded of the room itself. */
  readonly view?: Partial<RoomView>;
}

/** A user's inbox as the read models answer it. */
export interface InboxRecord {
  readonly user: string;
  readonly entries: readonly {
    readonly room: string;
    readonly unread: number;
    readonly lastMessageId: string | null;
    readonly readUpTo: InboxEntry['readUpTo'];
  }[];
}

/** A user as the read models answer it: what they said of themselves last. What is not recorded is not compared. */
export interface UserRecord {
  readonly user: string;
  readonly status?: UserView['status'];
  readonly profile?: Pick<UserView, 'username' | 'displayName' | 'avatarUrl'>;
}

/** A row of the view of idempotency keys. */
export interface KeyRecord {
  readonly id: string;
  readonly partition: number;
  readonly seq: number;
  readonly body: string;
}

export interface History {
  /** The whole log: each partition's entries in order. */
  readonly log: readonly StoredEntry[];
  readonly clients: readonly ClientHistory[];
  readonly rooms: readonly RoomViewRecord[];
  readonly inboxes: readonly InboxRecord[];
  readonly users?: readonly UserRecord[];
  /** Every row of the view, where it was read. */
  readonly keys?: readonly KeyRecord[];
  /** `rooms` are all that the read models have: one that the log has and they lack is missing. */
  readonly allRooms?: boolean;
  /**
   * When live copies may have been lost (history-copies.ts). What came after a leaving of such a time is forgiven until the client was
   * told of it, or was given a cursor that covers it; to a client of messages, for a bounded time. Nothing is otherwise.
   */
  readonly copiesLost?: readonly Span[];
}

export type ViolationKind =
  // What was sent
  | 'lost' // acknowledged, and not in the log
  | 'stored-twice'
  | 'stored-elsewhere' // not where its acknowledgement says
  | 'stored-though-refused'
  | 'unsent' // in the log, and nobody sent it
  | 'overtaken' // acknowledged before another was sent, and behind it in the log
  | 'not-moved' // a join or leave that was acknowledged, and of which the log says nothing there
  // The log by itself
  | 'unreadable' // an entry of the log that this version cannot read
  | 'out-of-order' // a partition's sequences or times do not rise
  | 'without-membership'
  | 'over-capacity'
  | 'roster-differs' // the roster does not count the members, or not the seats of the room
  // What a client received
  | 'no-start' // a feed that did not begin with a welcome, or at a wrong place
  | 'not-in-log' // received, and not in the room's part of the log
  | 'differs' // received with other contents than the log's
  | 'too-early' // received before it was sent
  | 'repeat' // twice on one connection
  | 'hole' // received ahead of something that was not there yet
  | 'missing' // never received
  | 'state-missing' // the last word about a membership or the room never came
  | 'outside-membership'
  | 'skipped-foreign' // the echo mode held back what somebody else wrote
  | 'cursor-ahead' // a cursor covers what was not delivered
  | 'not-recovered' // told `recovered: true`, and the replay lacks something
  | 'not-refetched' // told `recovered: false`, and never read again what it lacked
  | 'refetch-short' // a query that does not include the position that it was asked with
  // The read models
  | 'view-room'
  | 'view-messages'
  | 'view-members'
  | 'view-count'
  | 'view-inbox'
  | 'view-users'
  | 'view-keys';

/** Which part of a history a violation is about; `shortestHistory` looks for the same one in what is left. */
export interface Where {
  readonly client?: string;
  readonly user?: string;
  readonly room?: string;
  /** Of an entry of the log. */
  readonly seq?: number;
}

export interface Violation {
  readonly kind: ViolationKind;
  readonly where: Where;
  /** Which client or user, room and place, in a sentence. */
  readonly what: string;
  /** The fewest records that show it. */
  readonly evidence: readonly unknown[];
}
