/**
 * The inbox is a query, not a table: the last message stands on the room, and unread is a subtraction of ordinals, so that a
 * message costs the same however many members have to see it.
 */
import { type InboxEntry, messageId, type Page } from '#contract';
import type { Db } from '../database.js';
import { decodeCursor, encodeCursor, pageOf } from '../page-cursor.js';
import { ROOM_COLUMNS, type RoomRow, roomView } from '../rooms/queries.js';
import { type MessageRow, messageView } from '../timeline/queries.js';

type InboxRow = RoomRow & {
  readonly active_at: number;
  readonly unread: number;
  readonly room_partition: number;
  readonly read_seq: number;
  /** Null in a room without messages; otherwise the last message's columns stand beside it. */
  readonly seq: number | null;
} & Omit<MessageRow, 'seq'>;

/** Later than everything. */
const END_OF_TIME = Number.MAX_SAFE_INTEGER;

/**
 * The rooms and channels that a user is in, the one with the newest message (or the newest join) first.
 * @throws DomainError `invalid_cursor`
 */
export async function inboxOf(
  db: Db,
  userId: string,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<InboxEntry>> {
  const [activeAt, roomId] = cursor === undefined ? [END_OF_TIME, ''] : decodeCursor(cursor, [0, '']);
  const rows = await db.query<InboxRow>(
    'inbox',
    `select ${ROOM_COLUMNS}, page.active_at, page.unread, page.read_seq, room.partition as room_partition,
       message.seq, message.partition, message.ordinal, message.at, message.sender, message.type, message.content,
       message.metadata, message.mentions, message.reply_to
     from (
       select member.room_id, greatest(tail.last_at, member.joined_at, 0) as active_at,
         greatest(coalesce(tail.last_ordinal, 0)
           - greatest(mark.read_ordinal, member.sent_ordinal, member.joined_ordinal), 0) as unread,
         coalesce(mark.read_seq, 0) as read_seq, tail.last_seq
       from members member
       left join room_tails tail on tail.room_id = member.room_id
       left join marks mark on mark.user_id = member.user_id and mark.room_id = member.room_id
       where member.user_id = $1 and member.standing = 'member'
         and (greatest(tail.last_at, member.joined_at, 0), member.room_id) < ($2, $3)
       order by active_at desc, member.room_id desc limit $4) page
     join rooms room on room.room_id = page.room_id
     left join room_tails tail on tail.room_id = page.room_id
     left join messages message on message.room_id = page.room_id and message.seq = page.last_seq
     order by page.active_at desc, page.room_id desc`,
    [userId, activeAt, roomId, limit + 1],
  );
  return pageOf(rows, limit, inboxEntry, (row) => encodeCursor([row.active_at, row.room_id]));
}

function inboxEntry(row: InboxRow): InboxEntry {
  const { seq } = row;
  return {
    room: roomView(row),
    lastMessage: seq === null ? null : messageView({ ...row, seq }),
    unread: row.unread,
    readUpTo: row.read_seq === 0 ? null : messageId({ partition: row.room_partition, seq: row.read_seq }),
  };
}
