/** Queries about messages. A page is found by its place in an index, never by counting what stands before it. */
import { DomainError, messageId, type MessageType, type MessageView, type Page, parseMessageId } from '#contract';
import type { Db } from '../database.js';
import { decodeCursor, encodeCursor, pageOf } from '../page-cursor.js';
import { NAMES_OF, USERNAME } from '../users/queries.js';

export interface MessageRow {
  readonly room_id: string;
  readonly seq: number;
  readonly partition: number;
  readonly ordinal: number;
  readonly at: number;
  readonly sender: string;
  readonly type: MessageType;
  readonly content: string;
  readonly metadata: Record<string, string> | null;
  readonly mentions: string[] | null;
  readonly reply_to: string | null;
}

export const COLUMNS = 'room_id, seq, partition, ordinal, at, sender, type, content, metadata, mentions, reply_to';

export function messageView(row: MessageRow): MessageView {
  return {
    id: messageId(row),
    roomId: row.room_id,
    seq: row.seq,
    ordinal: row.ordinal,
    sender: row.sender,
    content: row.content,
    type: row.type,
    metadata: row.metadata ?? {},
    mentions: row.mentions ?? [],
    replyTo: row.reply_to,
    reactions: {},
    editedAt: null,
    deletedAt: null,
    createdAt: new Date(row.at).toISOString(),
  };
}

export interface MessagePageOptions {
  readonly limit: number;
  /** Message ids; neither is on the page. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  readonly order: 'desc' | 'asc';
  /** A page's `next`; it knows the other bounds and the order. */
  readonly cursor?: string | undefined;
}

/** Messages with a sequence between the two. */
interface Bounds {
  readonly above: number;
  readonly below: number;
  readonly order: 'desc' | 'asc';
}

const PAGES = {
  asc: `select ${COLUMNS} from messages where room_id = $1 and seq > $2 and seq < $3 order by seq limit $4`,
  desc: `select ${COLUMNS} from messages where room_id = $1 and seq > $2 and seq < $3 order by seq desc limit $4`,
};

/**
 * A page of a room's messages.
 * @throws DomainError `invalid_cursor`; `message_not_found` for a `before` or `after` that is no message's id
 */
export async function pageMessages(db: Db, roomId: string, options: MessagePageOptions): Promise<Page<MessageView>> {
  const { above, below, order } = boundsOf(options);
  const rows = await db.query<MessageRow>(`messages-${order}`, PAGES[order], [roomId, above, below, options.limit + 1]);
  return pageOf(rows, options.limit, messageView, ({ seq }) =>
    encodeCursor(order === 'asc' ? [order, seq, below] : [order, above, seq]),
  );
}

function boundsOf({ cursor, before, after, order }: MessagePageOptions): Bounds {
  if (cursor === undefined) return { above: seqOf(after) ?? 0, below: seqOf(before) ?? Number.MAX_SAFE_INTEGER, order };
  const [cursorOrder, above, below] = decodeCursor(cursor, ['', 0, 0]);
  if (cursorOrder !== 'asc' && cursorOrder !== 'desc') throw new DomainError('invalid_cursor');
  return { above, below, order: cursorOrder };
}

function seqOf(id: string | undefined): number | undefined {
  if (id === undefined) return undefined;
  const position = parseMessageId(id);
  if (position === undefined) throw new DomainError('message_not_found');
  return position.seq;
}

/**
 * The sequence of a room's message by its ordinal. Both rise together, so halving the sequences finds it in some 20 looks at
 * the one index that there is; a second index, on ordinals, would make every message dearer for the sake of these pages.
 */
const SEQ_OF_ORDINAL = `with recursive tail as (
    select last_seq, last_ordinal from room_tails where room_id = $1),
  wanted as (select case when $4 then $2::bigint + 1 else last_ordinal - $2::bigint end as ordinal from tail),
  halving (below, upto) as (
    select 0::bigint, last_seq from tail
    union all
    select case when found.ordinal < wanted.ordinal then middle.seq else below end,
      case when found.ordinal < wanted.ordinal then upto else middle.seq end
    from halving cross join wanted
    cross join lateral (select (below + upto) / 2 as seq) middle
    cross join lateral (select coalesce((select ordinal from messages where room_id = $1 and messages.seq <= middle.seq
      order by messages.seq desc limit 1), 0) as ordinal) found
    where upto - below > 1),
  place as (select upto as seq from halving, wanted, tail
    where upto - below <= 1 and wanted.ordinal between 1 and last_ordinal)`;

const OFFSET_PAGES = {
  asc: `${SEQ_OF_ORDINAL} select ${COLUMNS} from messages
    where room_id = $1 and seq >= (select seq from place) order by seq limit $3`,
  desc: `${SEQ_OF_ORDINAL} select ${COLUMNS} from messages
    where room_id = $1 and seq <= (select seq from place) order by seq desc limit $3`,
};

/** A page that begins `offset` messages from the oldest (`asc`) or the newest: at any depth at the same cost. */
export async function pageMessagesByOffset(
  db: Db,
  roomId: string,
  { offset, limit, order }: { offset: number; limit: number; order: 'desc' | 'asc' },
): Promise<MessageView[]> {
  const params = [roomId, offset, limit, order === 'asc'];
  const rows = await db.query<MessageRow>(`messages-offset-${order}`, OFFSET_PAGES[order], params);
  return rows.map(messageView);
}

export async function getMessage(db: Db, roomId: string, id: string): Promise<MessageView | undefined> {
  const position = parseMessageId(id);
  if (position === undefined) return undefined;
  const [row] = await db.query<MessageRow>(
    'message-get',
    `select ${COLUMNS} from messages where room_id = $1 and seq = $2 and partition = $3`,
    [roomId, position.seq, position.partition],
  );
  return row && messageView(row);
}

export async function countMessages(db: Db, roomId: string): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    'messages-count',
    'select last_ordinal as count from room_tails where room_id = $1',
    [roomId],
  );
  return row?.count ?? 0;
}

/** What happened in a room, as its newcomers are shown it. */
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

/** The last messages, joins and leaves of a room, oldest first: the ends of three ordered lists, merged. */
export async function roomHistory(db: Db, roomId: string, limit: number): Promise<HistoryItem[]> {
  return db.query<HistoryItem>(
    'room-history',
    `select person.kind, person.seq, person.user_id as "userId", ${USERNAME} as username, person.text, person.at
     from (
       (select 'message' as kind, seq, sender as user_id, content as text, at from messages
        where room_id = $1 order by seq desc limit $2)
       union all
       (select 'join', from_seq, user_id, '', from_at from member_periods
        where room_id = $1 order by from_seq desc limit $2)
       union all
       (select 'leave', to_seq, user_id, '', to_at from member_periods
        where room_id = $1 and to_seq is not null order by to_seq desc limit $2)
       order by seq desc limit $2) person ${NAMES_OF}
     order by person.seq`,
    [roomId, limit],
  );
}
