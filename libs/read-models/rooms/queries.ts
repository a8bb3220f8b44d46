/** Queries about rooms. */
import type { MemberRole, Page, RoomView } from '#contract';
import type { Db } from '../database.js';
import { decodeCursor, encodeCursor, pageOf } from '../page-cursor.js';
import { projections } from '../projections.js';

export interface RoomRow {
  readonly room_id: string;
  readonly kind: 'room' | 'channel';
  readonly name: string;
  readonly name_key: string;
  readonly description: string;
  readonly is_private: boolean;
  readonly archived: boolean;
  readonly max_members: number;
  readonly settings: Record<string, string>;
  readonly participants: string[] | null;
  readonly created_by: string;
  readonly created_at: number;
  readonly member_count: number;
}

/** Columns of a `RoomRow`, from `rooms room left join room_tails tail`. */
export const ROOM_COLUMNS = `room.room_id, room.kind, room.name, room.name_key, room.description, room.is_private,
  room.archived, room.max_members, room.settings, room.participants, room.created_by, room.created_at,
  coalesce(tail.member_count, 0) as member_count`;

export function roomView(row: RoomRow): RoomView {
  return {
    id: row.room_id,
    kind: row.kind,
    name: row.name,
    description: row.description,
    isPrivate: row.is_private,
    maxMembers: row.max_members,
    memberCount: row.member_count,
    settings: row.settings,
    createdBy: row.created_by,
    createdAt: new Date(row.created_at).toISOString(),
    archived: row.archived,
    ...(row.participants === null ? {} : { participants: row.participants }),
  };
}

export async function getRoom(db: Db, roomId: string): Promise<RoomView | undefined> {
  const [row] = await db.query<RoomRow>(
    'room-get',
    `select ${ROOM_COLUMNS} from rooms room left join room_tails tail on tail.room_id = room.room_id
     where room.room_id = $1`,
    [roomId],
  );
  return row && roomView(row);
}

/** A room and whether somebody is in it: what every read of a room asks first, in one statement. */
export async function getRoomFor(
  db: Db,
  roomId: string,
  userId: string | undefined,
): Promise<{ room: RoomView; isMember: boolean } | undefined> {
  const [row] = await db.query<RoomRow & { is_member: boolean }>(
    'room-get-for',
    `select ${ROOM_COLUMNS}, coalesce(member.standing = 'member', false) as is_member
     from rooms room left join room_tails tail on tail.room_id = room.room_id
     left join members member on member.room_id = room.room_id and member.user_id = $2
     where room.room_id = $1`,
    [roomId, userId ?? null],
  );
  return row && { room: roomView(row), isMember: row.is_member };
}

const AFTER_AND_MATCHING = `(room.name_key, room.room_id) > ($1, $2) and ($3::text is null or position($3 in room.name_key) > 0)`;

/**
 * Rooms that a viewer may know of, by name: public ones and the viewer's private ones, none that is archived, no
 * participant channels. Two ordered lists are merged, so that other people's private rooms cost nothing.
 * @param options.q part of the name, in any case
 * @throws DomainError `invalid_cursor`
 */
export async function listRooms(
  db: Db,
  viewerId: string | undefined,
  options: { q?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<RoomView>> {
  const [nameKey, roomId] = options.cursor === undefined ? ['', ''] : decodeCursor(options.cursor, ['', '']);
  const rows = await db.query<RoomRow>(
    'rooms-list',
    `(select ${ROOM_COLUMNS} from rooms room left join room_tails tail on tail.room_id = room.room_id
      where room.kind = 'room' and not room.is_private and not room.archived and ${AFTER_AND_MATCHING}
      order by room.name_key, room.room_id limit $4)
     union all
     (select ${ROOM_COLUMNS} from members member
      join rooms room on room.room_id = member.room_id
      left join room_tails tail on tail.room_id = room.room_id
      where member.user_id = $5 and member.standing = 'member'
        and room.kind = 'room' and room.is_private and not room.archived and ${AFTER_AND_MATCHING}
      order by room.name_key, room.room_id limit $4)
     order by name_key, room_id limit $4`,
    [nameKey, roomId, options.q?.toLowerCase() || null, options.limit + 1, viewerId ?? null],
  );
  return pageOf(rows, options.limit, roomView, (row) => encodeCursor([row.name_key, row.room_id]));
}

/** How many rooms `listRooms` lists in all for a viewer. */
export async function countRooms(db: Db, viewerId: string | undefined): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    'rooms-count',
    `select (select count(*) from rooms where kind = 'room' and not is_private and not archived)
       + (select count(*) from members member join rooms room on room.room_id = member.room_id
          where member.user_id = $1 and member.standing = 'member'
            and room.kind = 'room' and room.is_private and not room.archived) as count`,
    [viewerId ?? null],
  );
  return row?.count ?? 0;
}

/** A room that a user is in, as the gateway needs it when the user connects. */
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

export interface UserRooms {
  readonly rooms: UserRoom[];
  /** By partition, of the same snapshot. */
  readonly checkpoints: number[];
  /** Undefined before anything was projected, and while the views change from one epoch to another. */
  readonly epoch: string | undefined;
}

interface CheckpointRow {
  readonly partition: number;
  readonly seq: number;
  readonly first: string;
  readonly last: string;
}

/** Every room and channel that the user is in, and how far the view has come: one statement, so one snapshot. */
export async function roomsOfUser(db: Db, userId: string): Promise<UserRooms> {
  const [row] = await db.query<{
    rooms: (UserRoom & { participants: string[] | null })[];
    checkpoints: CheckpointRow[];
  }>(
    'rooms-of-user',
    `select
       (select coalesce(json_agg(json_build_object('partition', each.partition, 'seq', each.seq, 'first', each.first,
          'last', each.last)), '[]')
        from (select partition, min(seq) as seq, min(epoch) as first, max(epoch) as last from checkpoints
              where model = any($2::text[]) group by partition) each) as checkpoints,
       (select coalesce(json_agg(json_build_object('roomId', room.room_id, 'kind', room.kind, 'name', room.name,
          'role', member.role, 'participants', room.participants, 'isPrivate', room.is_private, 'memberSeq', member.seq,
          'lastSeq', coalesce(tail.last_seq, 0), 'lastOrdinal', coalesce(tail.last_ordinal, 0),
          'memberCount', coalesce(tail.member_count, 0)) order by room.room_id), '[]')
        from members member
        join rooms room on room.room_id = member.room_id
        left join room_tails tail on tail.room_id = room.room_id
        where member.user_id = $1 and member.standing = 'member') as rooms`,
    [userId, projections.map(({ name }) => name)],
  );
  const checkpoints: number[] = [];
  for (const { partition, seq } of row?.checkpoints ?? []) checkpoints[partition] = seq;
  const epochs = new Set(row?.checkpoints.flatMap(({ first, last }) => [first, last]));
  return {
    rooms: (row?.rooms ?? []).map(({ participants, ...room }) => ({
      ...room,
      ...(participants === null ? {} : { participants }),
    })),
    checkpoints: Array.from(checkpoints, (seq) => seq ?? 0),
    epoch: epochs.size === 1 ? [...epochs][0] : undefined,
  };
}

/**
 * The newest message of a room at or before a sequence, with its ordinal; both 0 when there is none. Undefined when the view
 * does not know the room.
 */
export async function roomAnchor(
  db: Db,
  roomId: string,
  seq: number,
): Promise<{ seq: number; ordinal: number } | undefined> {
  const [row] = await db.query<{ seq: number; ordinal: number }>(
    'room-anchor',
    `select coalesce(newest.seq, 0) as seq, coalesce(newest.ordinal, 0) as ordinal from rooms room
     left join lateral (select seq, ordinal from messages where messages.room_id = room.room_id and messages.seq <= $2
       order by messages.seq desc limit 1) newest on true
     where room.room_id = $1`,
    [roomId, seq],
  );
  return row;
}
