/** Who is shown, and who is typing: transient, never replayed, and remembered here so that a new connection asks again. */
import type { ServerFrameOf } from '#contract';
import { LIMITS } from '#contract/protocol';
import { LimitError } from './errors.js';
import type { Clock } from './connection.js';

export type Presence = Omit<ServerFrameOf<'presence'>, 'op'>;

/** A notice of typing is worth so long, in case the one that ends it is lost. */
const TYPING_SHOWN_MS = 6_000;
/** While somebody types on, the others are told again this often. */
const TYPING_REPEAT_MS = 3_000;
/** Without a key press for so long nobody types. */
const TYPING_IDLE_MS = 4_000;

/** Counts who wants to see whom: the server is told the whole list at each change. */
export class WatchList {
  private readonly wanted = new Map<string, number>();

  constructor(private readonly changed: (users: readonly string[]) => void) {}

  get users(): readonly string[] {
    return [...this.wanted.keys()];
  }

  /** Watches users until what is returned is called. @throws LimitError above 500 users */
  add(users: readonly string[]): () => void {
    const all = new Set([...this.wanted.keys(), ...users]);
    if (all.size > LIMITS.watchedUsers) throw new LimitError('watchedUsers', LIMITS.watchedUsers);
    for (const user of users) this.wanted.set(user, (this.wanted.get(user) ?? 0) + 1);
    this.changed(this.users);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      for (const user of users) this.release(user);
      this.changed(this.users);
    };
  }

  private release(user: string): void {
    const count = (this.wanted.get(user) ?? 1) - 1;
    if (count === 0) this.wanted.delete(user);
    else this.wanted.set(user, count);
  }
}

/** Tells the others in a room that this user types, at most every 3 s, and that it stopped. */
export class TypingNotices {
  private readonly rooms = new Map<string, { toldMs: number; stop: () => void }>();

  constructor(
    private readonly clock: Clock,
    private readonly tell: (room: string, typing: boolean) => void,
  ) {}

  /** Call it at every key press. */
  typed(room: string): void {
    const known = this.rooms.get(room);
    known?.stop();
    const isDue = known === undefined || this.clock.now() - known.toldMs >= TYPING_REPEAT_MS;
    const toldMs = isDue ? this.clock.now() : known.toldMs;
    if (isDue) this.tell(room, true);
    this.rooms.set(room, { toldMs, stop: this.clock.after(TYPING_IDLE_MS, () => this.stopped(room)) });
  }

  /** The message was sent, or the field emptied. */
  stopped(room: string): void {
    const known = this.rooms.get(room);
    if (known === undefined) return;
    known.stop();
    this.rooms.delete(room);
    this.tell(room, false);
  }

  close(): void {
    for (const { stop } of this.rooms.values()) stop();
    this.rooms.clear();
  }
}

/** Who types in which room, as long as the notices are fresh. */
export class TypingUsers {
  private readonly rooms = new Map<string, Map<string, () => void>>();

  constructor(
    private readonly clock: Clock,
    private readonly changed: (room: string, users: readonly string[]) => void,
  ) {}

  in(room: string): readonly string[] {
    return [...(this.rooms.get(room)?.keys() ?? [])];
  }

  heard({ room, user, typing }: { room: string; user: string; typing: boolean }): void {
    const users = this.rooms.get(room) ?? new Map<string, () => void>();
    users.get(user)?.();
    users.delete(user);
    if (typing)
      users.set(
        user,
        this.clock.after(TYPING_SHOWN_MS, () => this.heard({ room, user, typing: false })),
      );
    if (users.size === 0) this.rooms.delete(room);
    else this.rooms.set(room, users);
    this.changed(room, this.in(room));
  }

  close(): void {
    for (const users of this.rooms.values()) for (const cancel of users.values()) cancel();
    this.rooms.clear();
  }
}
