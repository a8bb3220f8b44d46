/** Names of people: the log knows ids, a reader wants names. Each is asked for once. */
import { type HttpApi, RefusedError } from '#client';

/** Names that are kept; the oldest are asked for again. */
const NAMES_MAX = 10_000;

export class People {
  private readonly names = new Map<string, string>();

  constructor(private readonly http: Pick<HttpApi, 'user'>) {}

  learn(people: readonly { readonly userId: string; readonly username: string }[]): void {
    for (const { userId, username } of people) this.set(userId, username);
  }

  /** The name, or the id as long as nobody can tell. */
  async name(userId: string): Promise<string> {
    const known = this.names.get(userId);
    if (known !== undefined) return known;
    try {
      const { username } = await this.http.user(userId);
      this.set(userId, username);
      return username;
    } catch (error) {
      // Somebody without a profile is called by their id; without a connection it is asked again the next time.
      if (error instanceof RefusedError && !error.temporary) this.set(userId, userId);
      return userId;
    }
  }

  /** Whose name this is, of those that have been seen. */
  idOf(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (const [userId, username] of this.names)
      if (userId === name || username.toLowerCase() === wanted) return userId;
    return undefined;
  }

  private set(userId: string, username: string): void {
    this.names.delete(userId);
    this.names.set(userId, username);
    for (const oldest of this.names.keys()) {
      if (this.names.size <= NAMES_MAX) return;
      this.names.delete(oldest);
    }
  }
}
