/** Queries about memberships. */
import type { MemberRole, MemberState, MemberView } from '#contract';
import type { Db } from '../database.js';
import { DISPLAY_NAME, NAMES_OF, USERNAME } from '../users/queries.js';

/** Who is in the room, in the order in which they came. */
export async function listMembers(db: Db, roomId: string): Promise<MemberView[]> {
  const rows = await db.query<{
    user_id: string;
    username: string;
    display_name: string;
    role: MemberRole;
    muted: boolean;
    joined_at: number | null;
  }>(
    'members-list',
    `select person.user_id, ${USERNAME} as username, ${DISPLAY_NAME} as display_name, person.role, person.muted,
       person.joined_at
     from members person ${NAMES_OF} where person.room_id = $1 and person.standing = 'member'
     order by person.joined_at, person.user_id`,
    [roomId],
  );
  return rows.map((row) => ({
    userId: row.user_id,
    username: row.username,
    displayName: row.display_name,
    role: row.role,
    muted: row.muted,
    joinedAt: new Date(row.joined_at ?? 0).toISOString(),
  }));
}

/** Ids of the first members of each room, in the order in which they came. */
export async function memberIdsOf(
  db: Db,
  roomIds: readonly string[],
  limitEach: number,
): Promise<ReadonlyMap<string, string[]>> {
  const rows = await db.query<{ room_id: string; user_ids: string[] }>(
    'members-ids-of',
    `select wanted.room_id, array(
       select user_id from members where members.room_id = wanted.room_id and standing = 'member'
       order by joined_at, user_id limit $2) as user_ids
     from unnest($1::text[]) as wanted (room_id)`,
    [roomIds, limitEach],
  );
  return new Map(rows.map((row) => [row.room_id, row.user_ids]));
}

/** A user's membership of a room, whatever its standing. */
export interface Membership extends MemberState {
  /** Sequence of the membership event. */
  readonly seq: number;
  /** RFC 3339; undefined for who was never in. */
  readonly joinedAt: string | undefined;
}

export async function getMember(db: Db, roomId: string, userId: string): Promise<Membership | undefined> {
  const [row] = await db.query<MemberState & { seq: number; joined_at: number | null }>(
    'member-get',
    `select user_id as "userId", standing, role, muted, banned, seq, joined_at from members
     where room_id = $1 and user_id = $2`,
    [roomId, userId],
  );
  if (row === undefined) return undefined;
  const { joined_at, ...state } = row;
  return { ...state, joinedAt: joined_at === null ? undefined : new Date(joined_at).toISOString() };
}

/**
 * When a user was in a room, oldest first. Both ends belong to the period: the event that began it, and the one that ended
 * it (undefined while it lasts).
 */
export async function membershipPeriods(
  db: Db,
  roomId: string,
  userId: string,
): Promise<{ from: number; to: number | undefined }[]> {
  const rows = await db.query<{ from_seq: number; to_seq: number | null }>(
    'member-periods',
    'select from_seq, to_seq from member_periods where room_id = $1 and user_id = $2 order by from_seq',
    [roomId, userId],
  );
  return rows.map(({ from_seq, to_seq }) => ({ from: from_seq, to: to_seq ?? undefined }));
}
