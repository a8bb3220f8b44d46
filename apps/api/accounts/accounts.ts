/** Accounts: who can sign in here. Plain rows, never events; what others see of a user is the profile, which is. */
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, type Registration } from '#contract';
import type { Database } from '#read-models';
import { DATABASE } from '#service';
import { FailedSignInLimit, GuessedAccountLimit } from '../http/limits.js';
import { Passwords } from './passwords.js';

export interface Account {
  readonly userId: string;
  readonly username: string;
  readonly email: string;
  readonly admin: boolean;
}

interface AccountRow {
  readonly user_id: string;
  readonly username: string;
  readonly email: string;
  readonly password_hash: string | null;
  readonly admin: boolean;
  readonly disabled: boolean;
}

const COLUMNS = 'user_id, username, email, password_hash, admin, disabled_at is not null as disabled';

@Injectable()
export class Accounts {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly failures: FailedSignInLimit,
    private readonly guesses: GuessedAccountLimit,
  ) {}

  /** @throws DomainError `already_exists` */
  async register(given: Registration): Promise<Account> {
    const passwordHash = await this.passwords.hash(given.password);
    const usernameKey = given.username.toLowerCase();
    const [row] = await this.database.query<AccountRow>(
      'account-register',
      `insert into accounts (user_id, username, username_key, email, password_hash)
       values ($1, $2, $1, $3, $4) on conflict do nothing returning ${COLUMNS}`,
      [usernameKey, given.username, given.email, passwordHash],
    );
    if (row === undefined) throw new DomainError('already_exists', 'username or email is already taken');
    return accountOf(row);
  }

  /**
   * The account whose user name or e-mail address and password these are. Unknown names take as long as wrong passwords, and are
   * refused as often. That an account is disabled is for the one who knows its password.
   * @param address what failures are counted by
   * @throws DomainError `unauthenticated`, `forbidden` for a disabled account, `rate_limited` after too many failures
   */
  async signIn(name: string, givenPassword: string, address: string): Promise<Account> {
    this.failures.check(address);
    const row = await this.find(name);
    const guessed = row?.user_id ?? keyOf(name);
    this.guesses.check(guessed);
    // Counted when its turn comes, before it is tried: those that wait together must not all try.
    const count = (): void => {
      this.guesses.check(guessed);
      this.failures.take(address);
      this.guesses.take(guessed);
    };
    const isRight = await this.passwords.verify(row?.password_hash, givenPassword, count);
    if (row && isRight) {
      this.failures.giveBack(address);
      this.guesses.giveBack(guessed);
      return enabled(row);
    }
    throw new DomainError('unauthenticated', 'invalid email or password');
  }

  /** A demo user by id or name; those have no password, and nobody else does not. */
  async demoUser(name: string): Promise<Account> {
    const [row] = await this.database.query<AccountRow>(
      'account-demo',
      `select ${COLUMNS} from accounts where (user_id = $1 or username_key = $1) and password_hash is null`,
      [keyOf(name)],
    );
    if (row === undefined) throw new DomainError('user_not_found');
    return enabled(row);
  }

  async byId(userId: string): Promise<Account | undefined> {
    const [row] = await this.database.query<AccountRow>(
      'account-by-id',
      `select ${COLUMNS} from accounts where user_id = $1`,
      [userId],
    );
    return row && accountOf(row);
  }

  private async find(name: string): Promise<AccountRow | undefined> {
    const [row] = await this.database.query<AccountRow>(
      'account-sign-in',
      `select ${COLUMNS} from accounts where username_key = $1 or email = $1`,
      [keyOf(name)],
    );
    return row;
  }
}

/** PostgreSQL takes no U+0000 and no lone surrogate, and no account has one. */
const keyOf = (name: string): string => name.trim().toLowerCase().replaceAll('\0', '').toWellFormed();

const accountOf = ({ user_id: userId, username, email, admin }: AccountRow): Account => ({
  userId,
  username,
  email,
  admin,
});

function enabled(row: AccountRow): Account {
  if (row.disabled) throw new DomainError('forbidden', 'this account is disabled');
  return accountOf(row);
}
