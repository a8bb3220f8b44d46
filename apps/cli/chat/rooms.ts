/** Which room somebody means, which rooms there are, and which user. */
import { type ChatClient, RefusedError } from '#client';
import type { ListedRoom } from './output.js';
import type { Conversation } from './conversation.js';
import type { People } from './people.js';

const PAGE = 100;
/** Pages of a list that are read; nobody reads more on a terminal. */
const PAGES_MAX = 10;
/** Rooms in which a person is looked for by name. */
const SEARCHED_ROOMS_MAX = 20;

type Found = { readonly room: string; readonly joined: boolean } | { readonly problem: string };

export class Rooms {
  constructor(
    private readonly client: ChatClient,
    private readonly conversation: Conversation,
    private readonly people: People,
  ) {}

  /** Rooms that the user may join, by name, then the conversations. */
  async list(): Promise<ListedRoom[]> {
    const [rooms, inbox] = await Promise.all([
      allPages((cursor) => this.client.http.rooms({ limit: PAGE, ...cursor })),
      allPages((cursor) => this.client.http.inbox({ limit: PAGE, ...cursor })),
    ]);
    const unread = new Map(inbox.map((entry) => [entry.room.id, entry.unread]));
    for (const [id, count] of unread) this.conversation.setUnread(id, id === this.conversation.current ? 0 : count);
    const listed = rooms.map(({ id, name }) => this.listed(id, name, unread));
    const direct = inbox.filter(({ room }) => room.kind === 'channel').map(({ room }) => room.id);
    const titles = await Promise.all(direct.map((id) => this.conversation.title(id)));
    return [...listed, ...direct.map((id, i) => ({ ...this.listed(id, titles[i] ?? id, unread), direct: true }))];
  }

  private listed(id: string, name: string, unread: ReadonlyMap<string, number>): ListedRoom {
    const joined = this.client.state.rooms.get(id)?.joined === true;
    return { id, name, joined, unread: unread.get(id) ?? 0, direct: false };
  }

  /** A room by its id or name; one that the user is in goes first. What nobody has heard of may be a room to be made, or private. */
  async find(wanted: string): Promise<Found> {
    const own = [...this.client.state.rooms.values()].filter(({ joined }) => joined);
    if (own.some(({ id }) => id === wanted)) return { room: wanted, joined: true };
    const named = await Promise.all(own.map(async ({ id }) => ({ id, name: await this.conversation.title(id) })));
    const mine = only(wanted, named);
    if ('problem' in mine) return mine;
    if (mine.room !== undefined) return { room: mine.room, joined: true };
    const found = await allPages((cursor) => this.client.http.rooms({ q: wanted, limit: PAGE, ...cursor }));
    const listed = only(wanted, found);
    if ('problem' in listed) return listed;
    return { room: listed.room ?? wanted, joined: false };
  }

  /** A user by name or id; undefined for one that nobody here has heard of. */
  async user(wanted: string): Promise<string | undefined> {
    const known = this.people.idOf(wanted);
    if (known !== undefined) return known;
    const own = [...this.client.state.rooms.values()].filter(({ joined }) => joined).slice(0, SEARCHED_ROOMS_MAX);
    for (const { id } of own) {
      this.people.learn(await this.client.http.members(id));
      const found = this.people.idOf(wanted);
      if (found !== undefined) return found;
    }
    try {
      return (await this.client.http.user(wanted)).id;
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'user_not_found') return undefined;
      throw error;
    }
  }
}

/** The room of that id, else that name, else that name in another case; a name of several is a problem. */
function only(
  wanted: string,
  rooms: readonly { readonly id: string; readonly name: string }[],
): { readonly room: string | undefined } | { readonly problem: string } {
  const key = wanted.toLowerCase();
  const found = [
    rooms.filter(({ id }) => id === wanted),
    rooms.filter(({ name }) => name === wanted),
    rooms.filter(({ name }) => name.toLowerCase() === key),
  ].find((matching) => matching.length > 0);
  if (found === undefined || found.length === 1) return { room: found?.[0]?.id };
  return {
    problem: `Several rooms are called ${wanted}: join one by its id, ${found.map(({ id }) => id).join(' or ')}`,
  };
}

async function allPages<T>(
  read: (cursor: { cursor?: string }) => Promise<{ readonly items: readonly T[]; readonly next: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: { cursor?: string } = {};
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await read(cursor);
    items.push(...page.items);
    if (page.next === null) break;
    cursor = { cursor: page.next };
  }
  return items;
}
