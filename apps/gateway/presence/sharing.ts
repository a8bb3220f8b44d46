/** Whom a user may watch: who is in a room with them. */
import type { Db } from '#read-models';

export async function sharingARoom(db: Db, userId: string, others: readonly string[]): Promise<string[]> {
  const rows = await db.query<{ user_id: string }>(
    'members-sharing',
    `select other.user_id from unnest($2::text[]) as other (user_id)
     where other.user_id = $1 or exists (
       select from members mine join members theirs on theirs.room_id = mine.room_id
       where mine.user_id = $1 and mine.standing = 'member'
         and theirs.user_id = other.user_id and theirs.standing = 'member')`,
    [userId, others],
  );
  return rows.map((row) => row.user_id);
}
