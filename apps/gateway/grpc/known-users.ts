/**
 * How users are called, for events that show who they are about: an event is encoded at once and cannot wait for a query. The
 * members of a room are looked up when a stream begins to show it; who comes later is looked up on first sight and has a name
 * from the next event on. A name that has changed is shown within a minute.
 */
import { Injectable } from '@nestjs/common';
import { LIMITS } from '#contract';
import { getUsers } from '#read-models';
import { onFault } from './answering.js';
import type { User } from './messages.js';
import { Queries } from './queries.js';

const FRESH_MS = 60_000;
const USERS_MAX = 20_000;

type Named = Pick<User, 'id'> & Partial<User>;

@Injectable()
export class KnownUsers {
  private readonly known = new Map<string, { readonly user: Named; readonly atMs: number }>();
  /** Asked for together, at the end of this tick. */
  private wanted = new Set<string>();

  constructor(private readonly queries: Queries) {}

  /** What is known of a user now. */
  readonly named = (userId: string): Named => {
    const found = this.known.get(userId);
    if (found === undefined || performance.now() - found.atMs > FRESH_MS) this.want(userId);
    return found?.user ?? { id: userId };
  };

  /** Resolves when the names of a room's members are known. */
  async learnMembers(roomId: string): Promise<void> {
    const members = (await this.queries.membersOf([roomId], LIMITS.listedUsers)).get(roomId) ?? [];
    await this.learn(members.filter((userId) => !this.known.has(userId)));
  }

  private want(userId: string): void {
    if (this.wanted.size === 0) setImmediate(() => this.learnWanted());
    this.wanted.add(userId);
  }

  private learnWanted(): void {
    const userIds = [...this.wanted];
    this.wanted = new Set();
    this.learn(userIds).catch(onFault);
  }

  private async learn(userIds: readonly string[]): Promise<void> {
    if (userIds.length === 0) return;
    const atMs = performance.now();
    const found = new Map((await getUsers(this.queries.database, userIds)).map((user) => [user.id, user]));
    for (const id of userIds) {
      const user = found.get(id);
      const named = user && { username: user.username, display_name: user.displayName, avatar_url: user.avatarUrl };
      this.known.delete(id);
      this.known.set(id, { user: { id, ...named }, atMs });
    }
    for (const oldest of this.known.keys()) {
      if (this.known.size <= USERS_MAX) break;
      this.known.delete(oldest);
    }
  }
}
