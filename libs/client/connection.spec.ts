/** The socket and how it comes back, with sockets, a clock and tokens that do what the spec says. */
import { describe, expect, test } from '@jest/globals';
import type { ServerFrame } from '#contract';
import { CLOSE } from '#contract/protocol';
import { Connection, type ConnectionState, RECONNECT, type SocketLike } from './connection.js';

const HEARTBEAT_MS = 1_000;
const OPEN_MS = 20_000;

class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: SocketLike['onopen'] = null;
  onmessage: SocketLike['onmessage'] = null;
  onclose: SocketLike['onclose'] = null;
  onerror: SocketLike['onerror'] = null;
  readonly sent: unknown[] = [];
  closedWith: number | undefined;

  constructor(
    readonly url: string,
    readonly protocols: readonly string[],
  ) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(code?: number): void {
    this.closedWith = code;
    this.readyState = 3;
  }

  opens(): this {
    this.readyState = 1;
    (this.onopen as (() => void) | null)?.();
    return this;
  }

  says(...frames: object[]): this {
    for (const frame of frames) (this.onmessage as ((event: object) => void) | null)?.({ data: JSON.stringify(frame) });
    return this;
  }

  ends(code: number): void {
    (this.onerror as ((event: object) => void) | null)?.({});
    (this.onclose as ((event: object) => void) | null)?.({ code });
  }
}

interface Token {
  readonly refused: boolean;
  give(token: string): Promise<void>;
  fail(): Promise<void>;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const welcome = (cursor: string) => ({ op: 'welcome', cursor, heartbeatMs: HEARTBEAT_MS, recovered: true });
const caughtUp = { op: 'caught_up' };

class World {
  nowMs = 0;
  random = 0.5;
  readonly sockets: FakeSocket[] = [];
  readonly tokens: Token[] = [];
  readonly states: ConnectionState[] = [];
  readonly waits: (number | undefined)[] = [];
  readonly errors: unknown[] = [];
  readonly frames: ServerFrame[] = [];
  onState: (state: ConnectionState) => void = () => undefined;
  onFrame: (frame: ServerFrame) => void = () => undefined;
  private timers: { atMs: number; act: () => void }[] = [];
  readonly connection: Connection;

  constructor(urls: readonly string[] = ['ws://a/ws', 'ws://b/ws']) {
    const { sockets } = this;
    this.connection = new Connection({
      urls,
      echo: 'origin',
      socket: class extends FakeSocket {
        constructor(url: string, protocols: readonly string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      },
      token: (refused) =>
        new Promise((resolve, reject) => {
          this.tokens.push({
            refused,
            give: (token) => (resolve(token), settled()),
            fail: () => (reject(new Error('no token')), settled()),
          });
        }),
      clock: {
        now: () => this.nowMs,
        after: (ms, act) => {
          const timer = { atMs: this.nowMs + ms, act };
          this.timers.push(timer);
          return () => void (this.timers = this.timers.filter((each) => each !== timer));
        },
      },
      random: () => this.random,
      onFrame: (frame) => {
        this.frames.push(frame);
        this.onFrame(frame);
      },
      onState: (state, { retryInMs, error }) => {
        this.states.push(state);
        if (state === 'waiting') this.waits.push(retryInMs);
        if (error !== undefined) this.errors.push(error);
        this.onState(state);
      },
    });
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  get timersLeft(): number {
    return this.timers.length;
  }

  passes(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.timers = this.timers.filter((each) => each !== next);
      this.nowMs = next.atMs;
      next.act();
    }
    this.nowMs = untilMs;
  }

  async dialled(token = 't'): Promise<FakeSocket> {
    await this.tokens.at(-1)?.give(token);
    return this.socket.opens();
  }

  async live(cursor = 'e.1'): Promise<FakeSocket> {
    this.connection.open();
    return (await this.dialled()).says(welcome(cursor), caughtUp);
  }
}

describe('a connection', () => {
  test('says who it is, and is live when it has caught up', async () => {
    const world = new World();
    world.connection.open();
    world.connection.open();
    const socket = await world.dialled('secret');
    expect(socket.sent).toEqual([{ op: 'hello', token: 'secret', echo: 'origin' }]);
    expect([socket.url, socket.protocols]).toEqual(['ws://b/ws', ['parley.v1']]);
    expect(world.connection.send({ op: 'ping' })).toBe(false);
    socket.says(welcome('e.1'));
    expect([world.connection.state, world.connection.cursor]).toEqual(['resuming', 'e.1']);
    expect(world.connection.send({ op: 'ping' })).toBe(false);
    socket.says(caughtUp);
    expect(world.connection.send({ op: 'ping' })).toBe(true);
    expect(socket.sent).toHaveLength(2);
    socket.readyState = 2;
    expect(world.connection.send({ op: 'ping' })).toBe(false);
    expect(world.states).toEqual(['connecting', 'resuming', 'live']);
    expect([world.tokens.length, world.frames.length]).toEqual([1, 2]);
  });

  test('has a cursor only when the frame that carries it was taken', async () => {
    const world = new World();
    const seen: (string | undefined)[] = [];
    const socket = await world.live('e.1');
    world.onFrame = () => seen.push(world.connection.cursor);
    socket.says({ op: 'cursor', cursor: 'e.2' }, { op: 'cursor', cursor: 'e.3' });
    expect([seen, world.connection.cursor]).toEqual([['e.1', 'e.2'], 'e.3']);
  });

  test('keeps its cursor, where what takes a frame ends the connection', async () => {
    const world = new World();
    const socket = await world.live('e.1');
    world.onFrame = () => world.connection.close();
    socket.says({ op: 'cursor', cursor: 'e.2' });
    expect([world.connection.cursor, world.connection.state]).toEqual(['e.1', 'closed']);
  });

  test('comes back at the next gateway, with the cursor that it has', async () => {
    const world = new World();
    const first = await world.live('e.1');
    first.says({ op: 'cursor', cursor: 'e.7' }).ends(1006);
    expect([world.waits, first.closedWith]).toEqual([[RECONNECT.firstMs / 2], 1000]);
    world.passes(RECONNECT.firstMs / 2);
    const second = await world.dialled();
    expect([second.url, second.sent]).toEqual([
      'ws://a/ws',
      [{ op: 'hello', token: 't', echo: 'origin', since: 'e.7' }],
    ]);
    second.says(welcome('e.7'), caughtUp);
    expect(world.states).toEqual(['connecting', 'resuming', 'live', 'waiting', 'connecting', 'resuming', 'live']);
    const taken = world.frames.length;
    first.says({ op: 'cursor', cursor: 'e.0' }).ends(4505);
    expect([world.connection.cursor, world.connection.state, world.frames.length]).toEqual(['e.7', 'live', taken]);
  });

  test('goes round all gateways', async () => {
    const world = new World(['ws://a/ws', 'ws://b/ws', 'ws://c/ws']);
    world.connection.open();
    for (let attempt = 0; attempt < 4; attempt += 1) {
      (await world.dialled()).ends(1006);
      world.passes(RECONNECT.maxMs);
    }
    expect(world.sockets.map(({ url }) => url)).toEqual(['ws://b/ws', 'ws://c/ws', 'ws://a/ws', 'ws://b/ws']);
  });

  test('is not live where what takes the last frame of its past ends it', async () => {
    const world = new World();
    world.onFrame = ({ op }) => op === 'caught_up' && world.connection.close();
    await world.live();
    expect([world.connection.state, world.timersLeft]).toEqual(['closed', 0]);
  });
});

describe('waiting', () => {
  test('is longer with each attempt in vain, up to a limit, and short again after one that was not', async () => {
    const world = new World();
    world.random = 1;
    world.connection.open();
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await world.tokens.at(-1)?.fail();
      world.passes(world.waits.at(-1) ?? 0);
    }
    expect(world.waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    (await world.dialled()).says(welcome('e.1'), caughtUp).ends(1006);
    expect(world.waits.at(-1)).toBe(250);
  });

  test('is as long as a server that drains asks for, once', async () => {
    const world = new World();
    world.random = 1;
    (await world.live()).says({ op: 'drain', retryMs: 5_000 }).ends(4000);
    world.passes(5_000);
    (await world.dialled()).ends(1006);
    expect(world.waits).toEqual([5_000, 500]);
  });

  test('ends when the application says so; the attempt that it had waited for is not made besides', async () => {
    const world = new World();
    (await world.live()).ends(1006);
    world.connection.retryNow();
    const socket = (await world.dialled()).says(welcome('e.1'), caughtUp);
    world.passes(RECONNECT.firstMs);
    expect([world.connection.state, world.tokens.length, socket.closedWith]).toEqual(['live', 2, undefined]);
    world.connection.retryNow();
    expect([world.connection.state, world.tokens.length]).toEqual(['live', 2]);
  });
});

describe('an attempt that takes too long is given up', () => {
  test('and its token, when it comes at last, opens nothing', async () => {
    const world = new World();
    world.connection.open();
    world.passes(OPEN_MS);
    expect(world.connection.state).toBe('waiting');
    world.passes(RECONNECT.firstMs);
    const [late, next] = world.tokens;
    await next?.give('new');
    await late?.give('old');
    expect(world.sockets).toHaveLength(1);
    expect(world.socket.opens().sent).toMatchObject([{ token: 'new' }]);
  });

  test('and its token’s failure ends no later connection', async () => {
    const world = new World();
    world.connection.open();
    world.passes(OPEN_MS + RECONNECT.firstMs);
    const [late, next] = world.tokens;
    await next?.give('new');
    world.socket.opens().says(welcome('e.1'), caughtUp);
    await late?.fail();
    expect(world.connection.state).toBe('live');
  });

  test('with a socket that does not open, or a server that never catches up', async () => {
    const world = new World();
    world.connection.open();
    (await world.dialled()).says(welcome('e.1'));
    world.passes(OPEN_MS - 1);
    expect(world.connection.state).toBe('resuming');
    world.passes(1);
    expect([world.connection.state, world.socket.closedWith]).toEqual(['waiting', 1000]);
  });

  test('and not once it is live', async () => {
    const world = new World();
    const socket = await world.live();
    for (let second = 0; second < 60; second += 1) {
      world.passes(HEARTBEAT_MS);
      socket.says({ op: 'pong' });
    }
    expect(world.connection.state).toBe('live');
  });
});

describe('heartbeats', () => {
  test('tell the cursor; without any answer to them the connection is given up', async () => {
    const world = new World();
    const socket = await world.live('e.5');
    world.passes(2 * HEARTBEAT_MS);
    expect(socket.sent.slice(1)).toEqual(Array(2).fill({ op: 'ping', cursor: 'e.5' }));
    expect(world.connection.state).toBe('live');
    world.passes(HEARTBEAT_MS);
    expect([world.connection.state, socket.closedWith]).toEqual(['waiting', 1000]);
  });

  test('any frame is an answer', async () => {
    const world = new World();
    const socket = await world.live('e.5');
    world.passes(2 * HEARTBEAT_MS);
    socket.says({ op: 'typing' });
    world.passes(2 * HEARTBEAT_MS);
    expect(world.connection.state).toBe('live');
  });
});

describe('a token that is refused', () => {
  test('is asked for anew, once; a second refusal is for good', async () => {
    const world = new World();
    world.connection.open();
    (await world.dialled()).ends(CLOSE.tokenExpired);
    world.passes(RECONNECT.firstMs);
    (await world.dialled()).ends(CLOSE.tokenExpired);
    expect(world.tokens.map(({ refused }) => refused)).toEqual([false, true]);
    expect(world.connection.state).toBe('closed');
    expect(world.errors).toMatchObject([{ closeCode: CLOSE.tokenExpired, message: expect.stringContaining('4501') }]);
  });

  test('is asked for anew also by a connection that was lost before', async () => {
    const world = new World();
    (await world.live()).ends(1006);
    world.passes(RECONNECT.firstMs);
    (await world.dialled()).ends(CLOSE.tokenExpired);
    expect(world.connection.state).toBe('waiting');
    world.passes(RECONNECT.maxMs);
    expect(world.tokens.map(({ refused }) => refused)).toEqual([false, false, true]);
  });

  test('is asked for anew again, where the one before was good', async () => {
    const world = new World();
    (await world.live()).ends(CLOSE.tokenExpired);
    world.passes(RECONNECT.firstMs);
    (await world.dialled()).says(welcome('e.1'), caughtUp).ends(CLOSE.tokenExpired);
    world.passes(RECONNECT.firstMs);
    expect([world.connection.state, world.tokens.map(({ refused }) => refused)]).toEqual([
      'connecting',
      [false, true, true],
    ]);
  });
});

describe('an end', () => {
  test.each([4500, 4505, 4999])('with %i is for good', async (code) => {
    const world = new World();
    (await world.live()).ends(code);
    expect([world.connection.state, world.timersLeft]).toEqual(['closed', 0]);
  });

  test.each([1000, 1006, 4000, 4001, 4003, 4499])('with %i is not', async (code) => {
    const world = new World();
    (await world.live()).ends(code);
    expect(world.connection.state).toBe('waiting');
  });

  test('by the application is one, whatever comes afterwards', async () => {
    const world = new World();
    world.connection.open();
    world.connection.close();
    world.connection.close();
    await world.tokens[0]?.fail();
    world.passes(OPEN_MS);
    expect([world.states, world.timersLeft]).toEqual([['connecting', 'closed'], 0]);
    expect(world.errors).toMatchObject([{ name: 'ClosedError', message: 'closed by the application' }]);
    const other = new World();
    const socket = await other.live();
    other.connection.close();
    socket.ends(1006);
    expect([other.connection.state, socket.closedWith, other.timersLeft]).toEqual(['closed', 1000, 0]);
  });

  test.each<ConnectionState>(['connecting', 'resuming', 'live', 'waiting'])(
    'by the application in the moment in which it is told of %s is one, too',
    async (moment) => {
      const world = new World();
      world.onState = (state) => state === moment && world.connection.close();
      world.connection.open();
      await world.tokens[0]?.give('t');
      if (moment !== 'connecting') world.socket.opens().says(welcome('e.1'), caughtUp).ends(1006);
      world.passes(OPEN_MS);
      expect([world.connection.state, world.timersLeft]).toEqual(['closed', 0]);
      expect(world.tokens).toHaveLength(1);
    },
  );
});
