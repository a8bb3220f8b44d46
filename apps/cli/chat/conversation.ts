/**
 * What is going on in the user's rooms, told in order: messages of the room that the user is in, marks of the others, who comes,
 * goes and types. Names have to be asked for sometimes; so that nothing overtakes anything, all that is told stands in one queue.
 */
import type { ChatClient, EventFrame, Message, Presence } from '#client';
import type { Say, ShownMessage } from './output.js';
import type { People } from './people.js';

/** Messages that are shown when a room is entered, or asked for. */
export const HISTORY_SHOWN = 50;
/** Sequences of a room that are known to have been shown; a repeat comes soon after the first or not at all. */
const SHOWN_KEPT = 2_000;
/** Unread messages of a room are told of at the first, and then at every so many. */
const UNREAD_STEP = 10;
/** The server watches at most 500 users for a client. */
const WATCHED_MAX = 500;

export class Conversation {
  /** The room that the user is in now. */
  current: string | undefined;
  /** Rooms that the user is about to leave: their end is no news. */
  readonly leaving = new Set<string>();
  readonly presence = new Map<string, Presence>();
  private order: Promise<unknown> = Promise.resolve();
  private readonly shown = new Map<string, Set<number>>();
  private readonly unread = new Map<string, number>();
  private readonly toMark = new Map<string, string>();
  private marking: Promise<void> | undefined;
  private watched: readonly string[] = [];
  private unwatch: (() => void) | undefined;

  constructor(
    private readonly client: ChatClient,
    private readonly people: People,
    private readonly say: Say,
  ) {
    client.messages.on((message) => void this.inOrder(() => this.message(message)));
    client.events.on((event) => void this.inOrder(() => this.event(event)));
    client.presence.on((presence) => void this.inOrder(() => this.seen(presence)));
    client.typing.on(({ room, users }) => void this.inOrder(() => this.typing(room, users)));
  }

  /** Runs when everything before it has been told. */
  inOrder<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.order.then(work);
    this.order = done.catch(() => undefined); // whoever asked for the work hears of its failure
    return done;
  }

  /** A room's name as it is shown; a conversation is called by the others in it. */
  async title(roomId: string): Promise<string> {
    const room = this.client.state.rooms.get(roomId);
    if (room?.kind !== 'channel') return room?.name ?? roomId;
    const others = room.participants.filter((user) => user !== this.client.state.user);
    return `@${(await Promise.all(others.map((user) => this.people.name(user)))).join(',') || 'me'}`;
  }

  /** Makes a room the current one and shows its latest messages. */
  async enter(roomId: string, request?: string | number): Promise<void> {
    await this.inOrder(async () => {
      const roomName = await this.title(roomId);
      const messages = await this.latest(roomId);
      this.current = roomId;
      this.unread.delete(roomId);
      this.say({ type: 'joined', room: roomId, roomName, messages }, request);
    });
  }

  /** The latest messages of a room that this client has, as they are shown; they have been seen then. */
  async latest(roomId: string): Promise<ShownMessage[]> {
    const known = this.client.state.rooms.get(roomId)?.messages.slice(-HISTORY_SHOWN) ?? [];
    const messages = await Promise.all(known.map((message) => this.shownMessage(message)));
    for (const { seq } of known) this.remember(roomId, seq);
    const last = known.at(-1);
    if (last !== undefined) this.markRead(roomId, last.id);
    return messages;
  }

  /**
   * A message of ours has its place.
   * @param how.directTo whom it is for, where the feed may not have shown the conversation yet
   */
  sent(
    message: Message,
    how: { readonly duplicate: boolean; readonly directTo: string | undefined },
    request: string | number | undefined,
  ): Promise<void> {
    return this.inOrder(async () => {
      const { duplicate, directTo } = how;
      const roomName = directTo ?? (await this.title(message.room));
      const seen = !this.remember(message.room, message.seq);
      const shown = await this.shownMessage(message);
      const direct = directTo !== undefined || this.isDirect(message.room);
      const here = message.room === this.current;
      this.say({ type: 'sent', room: message.room, roomName, ...shown, duplicate, direct, here, seen }, request);
    });
  }

  leave(): void {
    this.current = undefined;
    this.watch([]);
  }

  /** Shows when these users come and go, until others are named. */
  watch(users: readonly string[]): void {
    this.unwatch?.();
    this.watched = users.filter((user) => user !== this.client.state.user).slice(0, WATCHED_MAX);
    this.unwatch = this.watched.length === 0 ? undefined : this.client.watch(this.watched);
  }

  setUnread(roomId: string, count: number): void {
    if (count > 0) this.unread.set(roomId, count);
    else this.unread.delete(roomId);
  }

  isDirect(roomId: string): boolean {
    return this.client.state.rooms.get(roomId)?.kind === 'channel';
  }

  /** Resolves when every mark has been taken, and everything has been told. */
  async settled(): Promise<void> {
    await this.marking;
    await this.order;
  }

  // --- what the client hears

  private async message(message: Message): Promise<void> {
    const { room, seq, sender } = message;
    const here = room === this.current;
    const direct = this.isDirect(room);
    const [roomName, shown] = [await this.title(room), await this.shownMessage(message)];
    if (!this.remember(room, seq)) return;
    const own = sender === this.client.state.user;
    this.say({ type: 'message', room, roomName, ...shown, here, direct, own });
    if (here || direct) return this.markRead(room, message.id);
    if (own) return;
    const count = (this.unread.get(room) ?? 0) + 1;
    this.unread.set(room, count);
    if (count === 1 || count % UNREAD_STEP === 0) this.say({ type: 'unread', room, roomName, count });
  }

  private async event({ type, room, data }: EventFrame): Promise<void> {
    const user = String(data['userId'] ?? '');
    if (room !== this.current || !type.startsWith('member.')) return;
    if (user === this.client.state.user) return this.ownMembership(room);
    if (type !== 'member.joined' && type !== 'member.left') return;
    const change = type === 'member.joined' ? 'joined' : 'left';
    const others = this.watched.filter((watched) => watched !== user);
    this.watch(change === 'joined' ? [...others, user] : others);
    const [roomName, name] = [await this.title(room), await this.people.name(user)];
    this.say({ type: 'member', room, roomName, user, name, change });
  }

  private async ownMembership(room: string): Promise<void> {
    if (this.client.state.rooms.get(room)?.joined !== false || this.leaving.has(room)) return;
    this.leave();
    this.say({ type: 'left', room, roomName: await this.title(room), byOthers: true });
  }

  private async seen(presence: Presence): Promise<void> {
    const before = this.presence.get(presence.user);
    this.presence.set(presence.user, presence);
    if (before === undefined || before.online === presence.online) return;
    const { user, online } = presence;
    this.say({ type: 'presence', user, name: await this.people.name(user), online });
  }

  private async typing(room: string, users: readonly string[]): Promise<void> {
    if (room !== this.current) return;
    const names = await Promise.all(users.map((user) => this.people.name(user)));
    this.say({ type: 'typing', room, roomName: await this.title(room), names });
  }

  private async shownMessage({ id, seq, sender, content, at }: Message): Promise<ShownMessage> {
    return { id, seq, sender, name: await this.people.name(sender), content, at };
  }

  /** False when it has been shown already. */
  private remember(roomId: string, seq: number): boolean {
    const seqs = this.shown.get(roomId) ?? new Set<number>();
    this.shown.set(roomId, seqs);
    if (seqs.has(seq)) return false;
    seqs.add(seq);
    for (const oldest of seqs) {
      if (seqs.size <= SHOWN_KEPT) break;
      seqs.delete(oldest);
    }
    return true;
  }

  /** One mark on its way at a time; of those that wait, the last of each room counts. */
  private markRead(roomId: string, messageId: string): void {
    this.toMark.set(roomId, messageId);
    this.marking ??= this.markAll().finally(() => (this.marking = undefined));
  }

  private async markAll(): Promise<void> {
    for (const [roomId, messageId] of this.toMark) {
      this.toMark.delete(roomId);
      try {
        await this.client.markRead(roomId, messageId);
      } catch {
        // The user has left the room, or ends the chat: then nobody counts what is unread there.
      }
    }
  }
}
