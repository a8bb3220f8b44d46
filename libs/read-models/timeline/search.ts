/**
 * Messages that contain a text, newest first, in any case and any language: words are not looked for, so it does not matter how
 * a language writes them. There is no index on contents: the newest messages of a room are read by the one that there is,
 * (room, sequence), and no more of them than a limit says. Older ones are out of its reach.
 */
import { LIMITS, type MessageView } from '#contract';
import type { Db } from '../database.js';
import { COLUMNS, type MessageRow, messageView } from './queries.js';

const CONTAINS = `position(lower($2) in lower(content)) > 0`;

/** In one room; who may read it has been asked before. */
export async function searchRoom(db: Db, roomId: string, text: string, limit: number): Promise<MessageView[]> {
  const rows = await db.query<MessageRow>(
    'search-room',
    `select ${COLUMNS} from (
       select ${COLUMNS} from messages where room_id = $1 order by seq desc limit $4) newest
     where ${CONTAINS} order by seq desc limit $3`,
    [roomId, text.normalize('NFC'), limit, LIMITS.searchedMessagesOfRoom],
  );
  return rows.map(messageView);
}

/** In the rooms and channels that a user is in, those with the newest messages. */
export async function searchRoomsOf(db: Db, userId: string, text: string, limit: number): Promise<MessageView[]> {
  const rows = await db.query<MessageRow>(
    'search-rooms-of',
    `select ${COLUMNS} from (
       select member.room_id as id from members member join room_tails tail on tail.room_id = member.room_id
       where member.user_id = $1 and member.standing = 'member' order by tail.last_at desc, member.room_id limit $5) room
     cross join lateral (select ${COLUMNS} from messages where room_id = room.id order by seq desc limit $4) newest
     where ${CONTAINS} order by at desc, room_id, seq desc limit $3`,
    [userId, text.normalize('NFC'), limit, LIMITS.searchedMessagesEach, LIMITS.searchedRooms],
  );
  return rows.map(messageView);
}
