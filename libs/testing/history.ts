/**
 * The history checker: given what every client did and saw, the log, and the read models, it says whether the platform kept
 * its promises. Pure functions over plain records: whoever breaks the platform records, and afterwards asks once.
 *
 * - An acknowledged send is in the log exactly once and where its acknowledgement says; one without an answer at most once; a
 *   refused one never. Nothing is in the log that nobody sent.
 * - Every message stands after a valid membership of its sender, and no room holds more members than its limit.
 * - A client has every timeline entry of its periods of membership from its start to the log's end, in the log's order, and
 *   nothing else; a cursor never runs ahead of what it was sent.
 * - The read models are a fold of the log.
 */
import type { InboxEntry, MemberView, MessageView, ServerFrame } from '#contract';
import type { StoredEntry } from '#event-log';
import { checkFeed } from './history-feeds.js';
import { checkLog, foldLog } from './history-log.js';
import { checkSends } from './history-sends.js';
import { checkInbox, checkRoomView } from './history-views.js';

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
}

/** What happened at a client, in its order. A `welcome` among the frames begins a connection. */
export type ClientStep =
  | { readonly kind: 'frame'; readonly frame: ServerFrame }
  | { readonly kind: 'closed'; readonly code: number }
  /** Read over HTTP, because a resume was not recovered; refused when the user had left in the meantime. */
  | { readonly kind: 'refetched'; readonly room: string; readonly messages: readonly Fetched[] | 'refused' };

export type Fetched = Pick<MessageView, 'id' | 'seq' | 'ordinal' | 'sender' | 'content'>;

export interface ClientHistory {
  readonly client: string;
  readonly user: string;
  readonly sends: readonly SendRecord[];
  readonly steps: readonly ClientStep[];
  /** It was connected and caught up when the log ended; else only what it did see is judged. */
  readonly complete: boolean;
}

/** A room as the read models answer it: every message, oldest first. */
export interface RoomViewRecord {
  readonly room: string;
  readonly memberCount: number;
  readonly members: readonly Pick<MemberView, 'userId' | 'role'>[];
  readonly messages: readonly Fetched[];
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

export interface History {
  /** The whole log: each partition's entries in order. */
  readonly log: readonly StoredEntry[];
  readonly clients: readonly ClientHistory[];
  readonly rooms: readonly RoomViewRecord[];
  readonly inboxes: readonly InboxRecord[];
  /**
   * A broker was killed, so live copies were lost. Delivery does not wait for what a copy may have told (design.md, section
   * 2): where the copy of a user's leaving was lost, the room goes on for them until the next notice. So what came after a
   * leaving is forgiven until the client was told of it, or was given a cursor that covers it; and nothing is later.
   */
  readonly copiesWereLost?: boolean;
}

export type ViolationKind =
  | 'lost' // acknowledged, and not in the log
  | 'stored-twice'
  | 'stored-elsewhere' // not where its acknowledgement says
  | 'stored-though-refused'
  | 'unsent' // in the log, and nobody sent it
  | 'unreadable' // an entry of the log that this version cannot read
  | 'out-of-order' // a partition's sequences or times do not rise
  | 'without-membership'
  | 'over-capacity'
  | 'roster-differs' // the roster's count is not the number of members
  | 'no-start' // a feed that did not begin with a welcome, or at a wrong place
  | 'not-in-log' // received, and not on the room's timeline
  | 'differs' // received with other contents than the log's
  | 'repeat' // twice on one connection
  | 'hole' // received ahead of something that was not there yet
  | 'missing' // never received
  | 'state-missing' // the last word about a membership never came
  | 'outside-membership'
  | 'skipped-foreign' // the echo mode held back what somebody else wrote
  | 'cursor-ahead' // a cursor covers what was not delivered
  | 'view-messages'
  | 'view-members'
  | 'view-count'
  | 'view-inbox';

export interface Violation {
  readonly kind: ViolationKind;
  /** Which client or user, room and place, in a sentence. */
  readonly what: string;
  /** The fewest records that show it. */
  readonly evidence: readonly unknown[];
}

/** Every promise that was broken; empty when all were kept. */
export function checkHistory(history: History): Violation[] {
  const truth = foldLog(history.log);
  return [
    ...checkLog(history.log),
    ...checkSends(truth, history.clients),
    ...history.clients.flatMap((client) => checkFeed(truth, client, history.copiesWereLost)),
    ...history.rooms.flatMap((view) => checkRoomView(truth, view)),
    ...history.inboxes.flatMap((inbox) => checkInbox(truth, inbox)),
  ];
}

const VIOLATIONS_SHOWN = 20;

/** For the message of a failed test: one violation a paragraph, its evidence below. */
export function describeViolations(violations: readonly Violation[]): string {
  const shown = violations.slice(0, VIOLATIONS_SHOWN).map(({ kind, what, evidence }) => {
    return [`${kind}: ${what}`, ...evidence.map((item) => `    ${JSON.stringify(item)}`)].join('\n');
  });
  const left = violations.length - shown.length;
  return [...shown, ...(left > 0 ? [`... and ${left} more`] : [])].join('\n');
}
