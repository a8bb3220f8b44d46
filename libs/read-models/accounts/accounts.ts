/** Accounts as an operator sees and changes them. Signing in is the api's. */
import type { Db } from '../database.js';

export interface AccountView {
  readonly userId: string;
  readonly username: string;
  readonly email: string;
  readonly admin: boolean;
  readonly disabled: boolean;
  /** Without one it is a demo user, who signs in by name in demo mode. */
  readonly hasPassword: boolean;
  readonly createdAt: string;
  /** Sign-ins that have not ended. */
  readonly sessions: number;
}

export interface NewAccount {
  readonly username: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly admin: boolean;
}

interface Row {
  readonly user_id: string;
  readonly username: string;
  readonly email: string;
  readonly admin: boolean;
  readonly disabled: boolean;
  readonly has_password: boolean;
  readonly created_at: Date;
  readonly sessions: number;
}

const COLUMNS = `user_id, username, email, admin, disabled_at is not null as disabled, password_hash is not null as has_password,
  created_at, (select count(*) from sessions where sessions.user_id = accounts.user_id and revoked_at is null) as sessions`;

const viewOf = (row: Row): AccountView => ({
  userId: row.user_id,
  username: row.username,
  email: row.email,
  admin: row.admin,
  disabled: row.disabled,
  hasPassword: row.has_password,
  createdAt: row.created_at.toISOString(),
  sessions: row.sessions,
});

/** In order of their ids, after one of them. */
export async function listAccounts(db: Db, after: string, limit: number): Promise<AccountView[]> {
  const sql = `select ${COLUMNS} from accounts where user_id > $1 order by user_id limit $2`;
  return (await db.query<Row>('accounts-list', sql, [after, limit])).map(viewOf);
}

/** By id, or user name in any case. */
export async function getAccount(db: Db, name: string): Promise<AccountView | undefined> {
  const sql = `select ${COLUMNS} from accounts where user_id = $1 or username_key = lower($1) order by user_id = $1 desc limit 1`;
  const [row] = await db.query<Row>('account-get', sql, [name]);
  return row && viewOf(row);
}

/** Undefined when the user name or the e-mail address is taken. */
export async function createAccount(db: Db, given: NewAccount): Promise<AccountView | undefined> {
  const userId = given.username.toLowerCase();
  const rows = await db.query<{ user_id: string }>(
    'account-create',
    `insert into accounts (user_id, username, username_key, email, password_hash, admin)
     values ($1, $2, $1, $3, $4, $5) on conflict do nothing returning user_id`,
    [userId, given.username, given.email, given.passwordHash, given.admin],
  );
  return rows.length === 0 ? undefined : getAccount(db, userId);
}

/**
 * Nobody signs in with it from now on, and its sessions end.
 * @returns the sessions that were open: whoever checks tokens has to be told of their end
 */
export async function disableAccount(db: Db, userId: string): Promise<string[]> {
  await db.query(
    'account-disable',
    'update accounts set disabled_at = coalesce(disabled_at, now()) where user_id = $1',
    [userId],
  );
  // A statement of its own: it sees the sessions of sign-ins that the first one had to wait for.
  const ended = await db.query<{ id: string }>(
    'account-end-sessions',
    'update sessions set revoked_at = now() where user_id = $1 and revoked_at is null returning id',
    [userId],
  );
  return ended.map(({ id }) => id);
}

export async function enableAccount(db: Db, userId: string): Promise<void> {
  await db.query('account-enable', 'update accounts set disabled_at = null where user_id = $1', [userId]);
}
