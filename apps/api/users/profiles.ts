/** A user as others see them, and as they see themselves. */
import { Inject, Injectable } from '@nestjs/common';
import type { Actor, MeView, UserView } from '#contract';
import { type Database, getUser, type StoredUser } from '#read-models';
import { type Config, CONFIG, DATABASE } from '#service';
import { Online } from './online.js';

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
    const stored = await getUser(this.database, userId);
    return stored && this.shown(stored);
  }

  /** Whoever has a good token is a user, with or without an account. */
  async me({ userId, username }: Actor): Promise<MeView> {
    const [stored, email] = await Promise.all([getUser(this.database, userId), this.emailOf(userId)]);
    const name = username ?? userId;
    const unheard = { id: userId, username: name, displayName: name, avatarUrl: '', status: {} };
    const shown = await this.shown(stored ?? unheard);
    return email === undefined ? shown : { ...shown, email };
  }

  private async shown({ statusOnline, statusAt, ...profile }: StoredUser): Promise<UserView> {
    return { ...profile, ...(await this.online.of(profile.id, statusOnline, statusAt)) };
  }

  private async emailOf(userId: string): Promise<string | undefined> {
    if (!this.hasAccounts) return undefined;
    const [row] = await this.database.query<{ email: string }>(
      'account-email',
      'select email from accounts where user_id = $1',
      [userId],
    );
    return row?.email;
  }
}
