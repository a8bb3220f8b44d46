/** Server-sent events as their clients see them: the sockets' feed on a plain GET. */
import { afterAll, expect, test } from '@jest/globals';
import { parseCursor, parsePosition } from '#contract';
import { EventStream, type StreamOptions } from '../event-stream.js';
import { hs256, textAt } from '../http.js';
import { killAndRestart, SECRET } from '../platform.js';
import { startBrowser } from '../browser.js';
import {
  contentsOf,
  eventually,
  expectRefusal,
  messageIn,
  receives,
  roomWith,
  say,
  worldOf,
  type Person,
} from './world.js';

const world = worldOf({ RATE_LIMITS: 'off' });
const streams: EventStream[] = [];
afterAll(() => streams.forEach((stream) => stream.cut()));

function open(options: StreamOptions): EventStream {
  const stream = new EventStream(world.platform.url, options);
  streams.push(stream);
  return stream;
}

const listen = ({ token }: Person, options: StreamOptions = {}): Promise<EventStream> =>
  open({ token, ...options }).caughtUp();

const contents = (stream: EventStream): unknown[] => contentsOf(stream.frames);
const has = (stream: EventStream, room: string, content: string) => stream.event(content, messageIn(room, content));
/** The cursor that a browser would come back with, once it covers a place in the log. */
async function covered(stream: EventStream, { position }: { readonly position: string }): Promise<string> {
  const { partition, seq } = parsePosition(position) ?? { partition: 0, seq: 0 };
  await eventually('a cursor that covers it', () => (parseCursor(stream.lastEventId)?.seqs[partition] ?? 0) >= seq);
  return stream.lastEventId;
}

test('a stream brings what happens, under the names and with the frames of the socket, and only cursors are ids', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const stream = await listen(bob);
  const socket = await world.connect(bob);
  const { status, headers } = await stream.opened();
  expect({ status, ...headers }).toMatchObject({
    status: 200,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  expect(headers['content-encoding']).toBeUndefined();
  expect(stream.events[0]).toMatchObject({
    name: 'welcome',
    frame: { user: bob.id, recovered: true, rooms: [{ room }] },
  });
  for (const content of ['one', 'two "quoted"']) await say(ann, room, content);
  const last = await say(ann, room, 'three\nlines\u2028and one more');
  await has(stream, room, 'three\nlines\u2028and one more');
  await receives(socket, room, 'three\nlines\u2028and one more');
  expect(stream.frames.filter(({ op }) => op === 'event')).toEqual(socket.events(room));
  await covered(stream, last);
  for (const { name, id, frame } of stream.events) {
    expect(name).toBe(frame.op);
    expect(id).toBe(frame.cursor);
  }
  expect(stream.retryMs).toBeGreaterThan(0);
});

test('typing is shown, and what one does oneself on other connections', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const stream = await listen(bob);
  const [annSocket, bobSocket] = [await world.connect(ann), await world.connect(bob)];
  annSocket.send({ op: 'typing', room, typing: true });
  await stream.event('ann types', ({ op, user }) => op === 'typing' && user === ann.id);
  await bobSocket.request({ op: 'send', room, content: 'from my phone' });
  await has(stream, room, 'from my phone');
  const quiet = await listen(bob, { query: '?echo=none' });
  await bobSocket.request({ op: 'send', room, content: 'again' });
  await has(stream, room, 'again');
  await quiet.event('a skip', ({ op, room: where }) => op === 'skip' && where === room);
  // What the views did not have yet when it was opened is replayed, and a replay has one's own messages.
  expect(contents(quiet)).not.toContain('again');
});

test('Last-Event-ID brings exactly what came after it, and goes before the since of the URL', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const first = await listen(bob);
  const begun = first.lastEventId;
  const seen = await say(ann, room, 'seen');
  await has(first, room, 'seen');
  const cursor = await covered(first, seen);
  first.cut();
  for (const content of ['one', 'two', 'three']) await say(ann, room, content);
  const again = await listen(bob, { lastEventId: cursor, query: `?since=${encodeURIComponent(begun)}` });
  expect(again.frames[0]).toMatchObject({ op: 'welcome', recovered: true });
  expect(contents(again)).toEqual(['one', 'two', 'three']);
  const since = await listen(bob, { query: `?since=${encodeURIComponent(cursor)}` });
  expect(contents(since)).toEqual(['one', 'two', 'three']);
  await say(ann, room, 'live again');
  await Promise.all([has(again, room, 'live again'), has(since, room, 'live again')]);
});

test('what the log cannot go on from is answered with recovered: false, and the stream goes on', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  for (const lastEventId of ['yesterday', 'another.1.2.3.4', '7']) {
    const stream = await listen(bob, { lastEventId });
    expect(stream.frames[0]).toMatchObject({ op: 'welcome', recovered: false, rooms: [{ room }] });
    await say(ann, room, `after ${lastEventId}`);
    await has(stream, room, `after ${lastEventId}`);
  }
});

test('a refusal is a problem, before there is a stream', async () => {
  const { http } = world;
  const bob = world.person('bob');
  const expired = hs256(SECRET, { sub: bob.id, exp: Math.floor(Date.now() / 1_000) - 60 });
  expectRefusal(await http.get('/api/events'), 401, 'unauthenticated');
  expectRefusal(await http.get('/api/events?token=nonsense'), 401, 'unauthenticated');
  expectRefusal(await http.as('nonsense').get('/api/events'), 401, 'unauthenticated');
  expectRefusal(await http.get(`/api/events?token=${expired}`), 401, 'token_expired');
  expectRefusal(await bob.http.get('/api/events?echo=loud'), 400, 'invalid_body');
  expectRefusal(await bob.http.get('/api/events?since=a&since=b'), 400, 'invalid_body');
  expectRefusal(await bob.http.post('/api/events', {}), 405, 'method_not_allowed');
  // The header decides where there is one; a token in the URL is for this route alone.
  expectRefusal(await http.as('nonsense').get(`/api/events?token=${bob.token}`), 401, 'unauthenticated');
  expectRefusal(await http.get(`/api/me?token=${bob.token}`), 401, 'unauthenticated');
  const head = await http.as(bob.token).call('HEAD', '/api/events');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers.get('content-type')).toContain('text/event-stream');
});

test('a token that runs out ends the stream with an error that says so', async () => {
  const bob = world.person('bob');
  const token = hs256(SECRET, { sub: bob.id, exp: Math.floor(Date.now() / 1_000) + 2 });
  const stream = await open({ query: `?token=${token}` }).caughtUp();
  await stream.closed();
  expect(stream.events.at(-1)).toEqual({
    name: 'error',
    id: undefined,
    frame: { op: 'error', code: 'token_expired', message: 'token expired', temporary: false },
  });
});

test('a session that is signed out takes its streams with it', async () => {
  const account = { username: 'sse-sam', email: 'sam@example.org', password: 'long enough' };
  const signedIn = await world.http.post('/api/auth/register', account);
  const stream = await open({ token: textAt(signedIn.json, 'token') }).caughtUp();
  await world.http.post('/api/auth/logout', { refreshToken: textAt(signedIn.json, 'refreshToken') });
  await stream.closed();
  expect(stream.frames.at(-1)).toMatchObject({ op: 'error', code: 'unauthenticated', temporary: false });
});

test('streams and sockets together are at most 20 a user, and both count as connections', async () => {
  const bob = world.person('bob');
  const counted = async (): Promise<unknown> =>
    (await bob.http.post('/api/connections', { users: [bob.id] })).json[bob.id];
  const sockets = await Promise.all(Array.from({ length: 10 }, () => world.connect(bob)));
  const own = await Promise.all(Array.from({ length: 10 }, () => listen(bob)));
  await eventually('twenty are counted', async () => (await counted()) === 20);
  const refused = await bob.http.get('/api/events');
  expectRefusal(refused, 429, 'rate_limited');
  expect(refused.json['detail']).toBe('at most 20 connections a user');
  const extra = await world.open({ token: bob.token, protocols: ['parley.v1'] }).opened();
  extra.send({ op: 'hello' });
  expect((await extra.closed()).code).toBe(4504);
  own.forEach((stream) => stream.cut());
  await sockets[0]?.close();
  await eventually('nine are left', async () => (await counted()) === 9);
  await listen(bob);
});

test('a reader that does not read is ended before much waits for it, and the others get everything', async () => {
  const [ann, bob, cid] = [world.person('ann'), world.person('bob'), world.person('cid')];
  const room = await roomWith(ann, [bob, cid]);
  const reading = await listen(cid);
  const slow = await listen(bob);
  const cursor = slow.lastEventId;
  slow.pause();
  const socket = await world.connect(ann);
  const filler = 'x'.repeat(15_000);
  let sent = 0;
  while ((await connectionsOf(bob)) !== 0 && sent * filler.length < KERNEL_AND_QUEUE_BYTES) {
    const round = Array.from({ length: 20 }, () => ({ op: 'send', room, content: `${sent++} ${filler}` }));
    await Promise.all(round.map((frame) => socket.request(frame)));
  }
  expect(await connectionsOf(bob)).toBe(0);
  await eventually('the other has them all', () => contents(reading).length === sent);
  // It comes back with the last cursor that it has. Either it gets all of it, or, when more happened since than a replay carries,
  // what is newer than the views that it refetches from, which may be a few messages behind the log.
  const again = await listen(bob, { lastEventId: cursor });
  const all = contents(reading);
  expect(contents(again)).toEqual(
    again.frames[0]?.recovered === true ? all : all.slice(all.length - contents(again).length),
  );
}, 120_000);

/** What the kernel keeps for a reader on this machine, and 1 MiB of our own. */
const KERNEL_AND_QUEUE_BYTES = 32 * 1024 * 1024;

const connectionsOf = async (person: Person): Promise<unknown> =>
  (await person.http.post('/api/connections', { users: [person.id] })).json[person.id];

test('what was said while the platform was killed and started again reaches a browser that listens, once and in the order of the log', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const browser = await startBrowser();
  try {
    const page = await (await browser.newContext()).newPage();
    await page.goto(world.platform.url);
    await page.evaluate((url) => {
      const heard: { seq: number; content: string }[] = [];
      const source = new EventSource(url);
      source.addEventListener('event', (heardNow) => {
        const { data } = heardNow as unknown as { readonly data: unknown };
        const frame = JSON.parse(String(data)) as { type: string; seq: number; data: { content: string } };
        // Events since the cursor may come again: what is there already is dropped by its sequence.
        if (frame.type === 'message.sent' && frame.seq > (heard.at(-1)?.seq ?? 0))
          heard.push({ seq: frame.seq, content: frame.data.content });
      });
      Object.assign(globalThis, { heard, source });
    }, `/api/events?token=${bob.token}`);
    const heard = () =>
      page.evaluate(() =>
        (globalThis as unknown as { heard: { content: string }[] }).heard.map(({ content }) => content),
      );
    await eventually('the browser listens', async () => (await connectionsOf(bob)) === 1);
    await say(ann, room, 'before');
    await eventually('it hears', async () => (await heard()).length === 1);
    await killAndRestart(world.platform.process);
    for (const content of ['after', 'and', 'on']) await say(ann, room, content);
    await eventually('it hears the rest', async () => (await heard()).length === 4);
    expect(await heard()).toEqual(['before', 'after', 'and', 'on']);
  } finally {
    await browser.close();
  }
}, 120_000);

test('a platform that drains says when to come back', async () => {
  const bob = world.person('bob');
  const stream = await listen(bob);
  const restarted = world.platform.process.restart();
  const { frame } = await stream.event('drain', ({ op }) => op === 'drain');
  await stream.closed();
  expect(stream.retryMs).toBe(frame.retryMs);
  await restarted;
  await listen(bob, { lastEventId: stream.lastEventId });
}, 120_000);
