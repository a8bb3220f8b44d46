/** How a client's rooms are kept whole: what is held while a room is fetched, what is asked again, and what is given up. */
import { describe, expect, test } from '@jest/globals';
import type { MessageView, Page, RoomView, ServerFrameOf } from '#contract';
import { RefusedError } from './errors.js';
import type { HistoryOptions } from './http.js';
import { RoomSync } from './room-sync.js';
import type { ChatState } from './state.js';
import { message, told, view, welcome } from './test-frames.js';

/** As room-sync.ts has them. */
const HELD_FRAMES_MAX = 5_000;
const ATTEMPTS_WHEN_REFUSED = 5;
const RETRY_MS = 500;

const inRoom = (room: string, frame: ServerFrameOf<'event'>): ServerFrameOf<'event'> => ({ ...frame, room });
const skip = (seq: number, prev: number): ServerFrameOf<'skip'> => ({ op: 'skip', room: 'tea', seq, prev, key: 'k' });

const page = (seqs: readonly number[], next: string | null = null): Page<MessageView> => ({
  items: [...seqs].reverse().map(view),
  next,
});

interface Asked<T> {
  readonly room: string;
  readonly query?: HistoryOptions;
  answer(value: T): Promise<void>;
  refuse(error: Error): Promise<void>;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A client's rooms with a server that answers when the spec says so, and a clock that goes on when it says so. */
class World {
  readonly pages: Asked<Page<MessageView>>[] = [];
  readonly descriptions: Asked<RoomView>[] = [];
  readonly waits: { readonly ms: number; readonly act: () => void }[] = [];
  readonly missed: string[] = [];
  readonly news: string[] = [];
  readonly states: ChatState[] = [];
  cursor: string | undefined = 'e.7';
  readonly sync = new RoomSync({
    http: {
      history: (room, query) => this.ask(this.pages, room, query),
      room: (room) => this.ask(this.descriptions, room),
    },
    clock: {
      now: () => 0,
      after: (ms, act) => {
        this.waits.push({ ms, act });
        return () => undefined;
      },
    },
    messagesPerRoom: 10_000,
    cursor: () => this.cursor,
    onState: (state) => this.states.push(state),
    onEvent: ({ type, seq }) => this.news.push(`${type} ${seq}`),
    onMissed: (room, seq) => this.missed.push(`${room} ${seq}`),
  });

  constructor() {
    this.sync.welcome(welcome(true));
  }

  get shown(): number[] {
    return this.sync.state.rooms.get('tea')?.messages.map(({ seq }) => seq) ?? [];
  }

  get isStale(): boolean | undefined {
    return this.sync.state.rooms.get('tea')?.stale;
  }

  take(...frames: (ServerFrameOf<'event'> | ServerFrameOf<'skip'>)[]): void {
    for (const frame of frames) this.sync.take(frame);
  }

  /** The time comes for what waits. */
  async goOn(): Promise<void> {
    for (const { act } of this.waits.splice(0)) act();
    await settled();
  }

  private ask<T>(asked: Asked<T>[], room: string, query?: HistoryOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      asked.push({
        room,
        ...(query && { query }),
        answer: (value) => {
          resolve(value);
          return settled();
        },
        refuse: (error) => {
          reject(error);
          return settled();
        },
      });
    });
  }
}

const away = new TypeError('fetch failed');
const refused = new RefusedError('not_member', 'not a member of this room', false);
const busy = new RefusedError('unavailable', 'come again', true);

describe('a room with a hole', () => {
  test('is fetched at the place that the feed has reached; what comes meanwhile comes after the page, each once', async () => {
    const world = new World();
    world.take(message(1, 0), message(5, 3), message(6, 5), skip(7, 6), message(8, 7));
    expect([world.shown, world.isStale]).toEqual([[1], true]);
    expect(world.pages.map(({ room, query }) => [room, query])).toEqual([['tea', { limit: 100, position: 'e.7' }]]);
    await world.pages[0]?.answer(page([1, 3, 5]));
    expect([world.shown, world.isStale]).toEqual([[1, 3, 5, 6, 8], false]);
    expect(world.news).toEqual(['message.sent 1', 'message.sent 6', 'message.sent 8']);
    expect(world.missed).toEqual(['tea 3', 'tea 5']);
    expect(world.sync.state.rooms.get('tea')?.lastSeq).toBe(8);
  });

  test('that a skip shows is one, too', async () => {
    const world = new World();
    world.take(skip(5, 3));
    await world.pages[0]?.answer(page([3]));
    expect(world.sync.state.rooms.get('tea')?.lastSeq).toBe(5);
    expect([world.shown, world.pages.length]).toEqual([[3], 1]);
  });

  test('keeps the page alone where it does not reach back', async () => {
    const world = new World();
    world.take(message(1, 0), message(200, 199));
    await world.pages[0]?.answer(page([100, 199], 'older'));
    expect(world.shown).toEqual([100, 199, 200]);
  });

  test('is fetched without a place where the feed has said none yet', () => {
    const world = new World();
    world.cursor = undefined;
    world.take(message(5, 3));
    expect(world.pages[0]?.query).toEqual({ limit: 100 });
  });

  test('shows others in the meantime, and who comes and goes in it', () => {
    const world = new World();
    world.take(
      message(5, 3),
      inRoom('cake', message(6, 0)),
      told('member.joined', 7, { userId: 'bob', role: 'member' }),
    );
    expect(world.news).toEqual(['message.sent 6', 'member.joined 7']);
    expect(world.sync.state.rooms.get('cake')?.messages).toHaveLength(1);
  });

  test('that has another behind the page is fetched again, and tells once what was missed', async () => {
    const world = new World();
    world.take(message(5, 3), message(9, 8));
    await world.pages[0]?.answer(page([3]));
    expect(world.isStale).toBe(true);
    await world.pages[1]?.answer(page([3, 5, 8]));
    expect([world.shown, world.isStale, world.pages.length]).toEqual([[3, 5, 8, 9], false, 2]);
    expect(world.missed).toEqual(['tea 3', 'tea 8']);
    expect(world.news).toEqual(['message.sent 5', 'message.sent 9']);
  });

  test('more than may wait is a hole again, also where nothing comes after it', async () => {
    const world = new World();
    const last = HELD_FRAMES_MAX + 3;
    for (let seq = 3; seq <= last; seq += 1) world.take(message(seq, seq - 1));
    await world.pages[0]?.answer(page([2]));
    expect(world.shown.at(-1)).toBe(HELD_FRAMES_MAX + 1);
    await world.pages[1]?.answer(page([HELD_FRAMES_MAX + 1, HELD_FRAMES_MAX + 2, last]));
    expect(world.shown).toEqual(Array.from({ length: last - 1 }, (_, i) => i + 2));
    expect([world.isStale, world.pages.length]).toEqual([false, 2]);
  });

  test('just as much as may wait is no hole', async () => {
    const world = new World();
    for (let seq = 3; seq < HELD_FRAMES_MAX + 3; seq += 1) world.take(message(seq, seq - 1));
    await world.pages[0]?.answer(page([2]));
    expect([world.shown.length, world.isStale, world.pages.length]).toEqual([HELD_FRAMES_MAX + 1, false, 1]);
  });
});

describe('a connection that comes back while a room is fetched', () => {
  test('recovered: what was held is still to be shown, as the cursor has gone past it', async () => {
    const world = new World();
    world.take(message(5, 3), message(6, 5));
    world.sync.welcome(welcome(true));
    await world.pages[0]?.answer(page([3]));
    expect([world.shown, world.isStale]).toEqual([[3, 5, 6], false]);
  });

  test('not recovered: the room begins again, and no page from before joins it', async () => {
    const world = new World();
    world.take(message(5, 3), message(6, 5));
    world.cursor = 'e.300';
    world.sync.welcome(welcome(false, 300));
    const [old, fresh] = world.pages;
    expect([world.shown, fresh?.query]).toEqual([[], { limit: 100, position: 'e.300' }]);
    await old?.answer(page([3, 5], 'older'));
    expect([world.shown, world.isStale]).toEqual([[], true]);
    await fresh?.answer(page([250, 300], 'older'));
    expect([world.shown, world.isStale]).toEqual([[250, 300], false]);
    await world.pages[2]?.answer(page([250, 300], 'older'));
    world.take(message(301, 300));
    expect([world.shown, world.pages.length]).toEqual([[250, 300, 301], 3]);
  });
});

describe('a fetch that fails', () => {
  test.each([
    ['a network that is away', away],
    ['a server that says to come again', busy],
  ])('%s: is made again after a while, for as long as it takes', async (_, error) => {
    const world = new World();
    world.take(message(5, 3));
    for (let attempt = 0; attempt < 3 * ATTEMPTS_WHEN_REFUSED; attempt += 1) {
      await world.pages[attempt]?.refuse(error);
      expect(world.waits.map(({ ms }) => ms)).toEqual([RETRY_MS]);
      await world.goOn();
    }
    await world.pages.at(-1)?.answer(page([3]));
    expect(world.shown).toEqual([3, 5]);
  });

  test('a refusal is asked about a few times; then what waits is let go, and the room can have a hole again', async () => {
    const world = new World();
    world.take(message(1, 0), message(5, 3));
    for (let attempt = 0; attempt < ATTEMPTS_WHEN_REFUSED; attempt += 1) {
      expect(world.isStale).toBe(true);
      await world.pages[attempt]?.refuse(refused);
      await world.goOn();
    }
    expect([world.pages.length, world.shown, world.isStale]).toEqual([ATTEMPTS_WHEN_REFUSED, [1], false]);
    expect(world.missed).toEqual([]);
    world.take(message(9, 8));
    await world.pages.at(-1)?.answer(page([5, 8]));
    expect(world.shown).toEqual([1, 5, 8, 9]);
  });

  test('a view that has not heard of the room yet is asked until it has', async () => {
    const world = new World();
    world.take(message(5, 3));
    await world.pages[0]?.refuse(refused);
    await world.goOn();
    await world.pages[1]?.answer(page([3]));
    expect(world.shown).toEqual([3, 5]);
  });

  test('is not made again by a client that was closed', async () => {
    const world = new World();
    world.take(message(5, 3));
    world.sync.close();
    await world.pages[0]?.refuse(away);
    expect([world.waits, world.pages.length, world.isStale]).toEqual([[], 1, true]);
  });

  test('is told to whoever asked for it', async () => {
    const world = new World();
    const loading = expect(world.sync.fetch('tea')).rejects.toThrow('not a member');
    await world.pages[0]?.refuse(refused);
    await loading;
  });
});

test('a client that was closed shows nothing more', async () => {
  const world = new World();
  world.take(message(1, 0), message(5, 3));
  world.sync.close();
  const shown = world.states.length;
  await world.pages[0]?.answer(page([1, 3]));
  expect([world.shown, world.states.length]).toEqual([[1], shown]);
});

describe('a room that nothing has described', () => {
  const cake: RoomView = {
    id: 'cake',
    kind: 'room',
    name: 'Cake',
    description: '',
    isPrivate: false,
    settings: {},
    maxMembers: 9,
    memberCount: 2,
    archived: false,
    createdBy: 'bob',
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  const joined = inRoom('cake', told('member.joined', 4, { userId: 'alice', standing: 'member', role: 'member' }));

  test('is asked for, once, and named by what comes back', async () => {
    const world = new World();
    world.take(joined, inRoom('cake', message(5, 3)));
    expect(world.descriptions.map(({ room }) => room)).toEqual(['cake']);
    await world.descriptions[0]?.answer(cake);
    expect(world.sync.state.rooms.get('cake')).toMatchObject({ name: 'Cake', joined: true });
    expect(world.sync.state.rooms.get('cake')?.messages).toHaveLength(1);
  });

  test('shows what is said from the joining on; what was said before is no news', async () => {
    const world = new World();
    world.take(joined, inRoom('cake', message(5, 3)));
    expect([world.pages, world.news]).toEqual([[], ['member.joined 4', 'message.sent 5']]);
    const loading = world.sync.fetch('cake');
    await world.pages[0]?.answer(page([3, 5]));
    await loading;
    expect(world.sync.state.rooms.get('cake')?.messages.map(({ seq }) => seq)).toEqual([3, 5]);
    expect(world.missed).toEqual([]);
  });

  test('is not asked for where its making says what it is, and neither is one that is known', () => {
    const world = new World();
    world.take(inRoom('cake', told('room.created', 4, { name: 'Cake', kind: 'room' })), message(1, 0));
    expect(world.descriptions).toEqual([]);
    expect(world.sync.state.rooms.get('cake')?.name).toBe('Cake');
  });

  test('is asked for until it is told, a few times where it is refused', async () => {
    const world = new World();
    world.take(joined);
    for (let attempt = 0; attempt < ATTEMPTS_WHEN_REFUSED; attempt += 1) {
      await world.descriptions[attempt]?.refuse(refused);
      await world.goOn();
    }
    expect(world.descriptions).toHaveLength(ATTEMPTS_WHEN_REFUSED);
    expect(world.sync.state.rooms.get('cake')?.name).toBe('cake');
  });
});
