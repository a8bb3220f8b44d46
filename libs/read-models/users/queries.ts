/** Queries about users: their account, what they say of themselves, or merely that an event has named them. */
import type { UserView } from '#contract';
import type { Db } from '../database.js';

/** How a user is called, to be selected from something called `person` that has a `user_id`. */
export const NAMES_OF = `left join profiles profile on profile.user_id = person.user_id
  left join accounts account on account.user_id = person.user_id`;
export const USERNAME = `coalesce(profile.username, account.username, person.user_id)`;
export const DISPLAY_NAME = `coalesce(nullif(profile.display_name, ''), profile.username, account.username, person.user_id)`;

/** A user, without what only presence knows. */
export type StoredUser = Omit<UserView, 'online' | 'lastSeen'> & {
  /** What the last status command said, if it said anything about it. */
  readonly statusOnline?: boolean;
  /** When there was a status command, ms since 1970. */
  readonly statusAt?: number;
};

export async function getUser(db: Db, userId: string): Promise<StoredUser | undefined> {
  const [user] = await getUsers(db, [userId]);
  return user;
}

/** Those of them that exist, in no order. */
export async function getUsers(db: Db, ids: readonly string[]): Promise<StoredUser[]> {
  if (ids.length === 0) return [];
  const rows = await db.query<{
    user_id: string;
    username: string;
    display_name: string;
    avatar_url: string;
    online: boolean | null;
    status: Record<string, string> | null;
    at: number | null;
  }>(
    'users-get',
    `select person.user_id, ${USERNAME} as username, ${DISPLAY_NAME} as display_name,
       coalesce(profile.avatar_url, '') as avatar_url, status.online, status.status, status.at
     from (select distinct unnest($1::text[]) as user_id) person ${NAMES_OF}
     left join statuses status on status.user_id = person.user_id
     where profile.user_id is not null or account.user_id is not null or status.user_id is not null
       or exists (select from members where members.user_id = person.user_id)`,
    [ids],
  );
  return rows.map((row) => ({
    id: row.user_id,
    username: row.username,
    displayName: row.display_name,
    avatarUrl: row.avatar_url,
    status: row.status ?? {},
    ...(row.online === null ? {} : { statusOnline: row.online }),
    ...(row.at === null ? {} : { statusAt: row.at }),
  }));
}
