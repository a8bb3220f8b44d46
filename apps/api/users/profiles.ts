/** A user as others see them: profile and status from the views, the name from the account where there is no profile yet. */
import { Inject, Injectable } from '@nestjs/common';
import type { Actor, UserView } from '#contract';
import { type Database, getUser, type StoredUser } from '#read-models';
import { type Config, CONFIG, DATABASE } from '#service';
import type { SessionOwner } from '../accounts/sessions.js';
import { Online } from './online.js';

/** The caller's own profile. */
export interface Me extends UserView {
  /** Of the account; absent where another issuer has it. */
  readonly email?: string;
}

type Account = SessionOwner & { readonly email: string };

@Injectable()
export class Profiles {
  private readonly hasAccounts: boolean;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONFIG) config: Config,
    private readonly online: Online,
  ) {
    this.hasAccounts = config.identity === 'accounts' || config.identity === 'demo';
  }

  /** Undefined for a user that nobody has heard of. */
  async of(userId: string): Promise<UserView | undefined> {
    const [stored, account] = await Promise.all([getUser(this.database, userId), this.accountOf(userId)]);
    if (stored === undefined && account === undefined) return undefined;
    return this.shown(userId, stored, account?.username ?? userId);
  }

  /** Whoever has a good token is a user, with or without an account. */
  async me({ userId, username }: Actor): Promise<Me> {
    const [stored, account] = await Promise.all([getUser(this.database, userId), this.accountOf(userId)]);
    const shown = await this.shown(userId, stored, account?.username ?? username ?? userId);
    return account === undefined ? shown : { ...shown, email: account.email };
  }

  private async shown(userId: string, stored: StoredUser | undefined, name: string): Promise<UserView> {
    const { statusOnline, statusAt, ...profile } = stored ?? {
      id: userId,
      username: name,
      displayName: '',
      avatarUrl: '',
      status: {},
    };
    return { ...profile, ...(await this.online.of(userId, statusOnline, statusAt)) };
  }

  private async accountOf(userId: string): Promise<Account | undefined> {
    if (!this.hasAccounts) return undefined;
    const [row] = await this.database.query<Account>(
      'account-profile',
      'select user_id as "userId", username, email from accounts where user_id = $1',
      [userId],
    );
    return row;
  }
}
