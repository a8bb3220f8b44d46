import { expect, test } from '@jest/globals';
import { formatCursor, parseCursor, parsePosition } from '#contract';
import { contentsOf, eventually, joined, receives, roomWith, say, worldOf } from './world.js';

const world = worldOf();

test('a resume brings exactly what came after the cursor, to a welcome that says recovered', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const before = await world.connect(bob);
  const seen = parsePosition((await say(ann, room, 'seen')).position);
  await receives(before, room, 'seen');
  let cursor = '';
  // The cursor covers what was delivered once a tails notice has confirmed it, in the room's own partition.
  await eventually('a cursor that covers it', async () => {
    cursor = String((await before.pong()).cursor);
    return (parseCursor(cursor)?.seqs[seen?.partition ?? 0] ?? 0) >= Number(seen?.seq);
  });
  before.cut();
  await before.closed();
  const missed = ['one', 'two', 'three', 'four'];
  for (const content of missed) await say(ann, room, content);

  const after = await world.connect(bob, { since: cursor });
  const welcome = after.frames[0];
  expect(welcome).toMatchObject({
    op: 'welcome',
    session: expect.any(String),
    user: bob.id,
    cursor: expect.any(String),
    recovered: true,
    heartbeatMs: expect.any(Number),
    rooms: [expect.objectContaining({ room })],
  });
  expect(contentsOf(after.events(room))).toEqual(missed);
  const order = after.frames.map(({ op }) => op);
  expect(order.indexOf('caught_up')).toBeGreaterThan(order.lastIndexOf('event'));
  await say(ann, room, 'live again');
  expect(await receives(after, room, 'live again')).toMatchObject({ prev: after.events(room).at(-2)?.seq });
});

test('a resume at the end brings nothing, and goes on live', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const first = await world.connect(bob);
  const { cursor } = await first.pong();
  first.cut();
  const second = await world.connect(bob, { since: cursor });
  expect(second.frames[0]).toMatchObject({ op: 'welcome', recovered: true });
  expect(contentsOf(second.events(room))).toEqual([]);
  await say(ann, room, 'hello');
  await receives(second, room, 'hello');
});

test('a replay contains what one sent oneself', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  const first = await world.connect(ann);
  const { cursor } = await first.pong();
  first.cut();
  await say(ann, room, 'from elsewhere');
  const second = await world.connect(ann, { since: cursor });
  expect(contentsOf(second.events(room))).toEqual(['from elsewhere']);
});

test('a replay is cut by the periods of membership', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const first = await world.connect(bob);
  const { cursor } = await first.pong();
  first.cut();
  await say(ann, room, 'before leaving');
  await bob.http.post(`/api/rooms/${room}/leave`, {});
  await say(ann, room, 'while he was out');
  await joined(bob, room);
  await say(ann, room, 'back in');
  const second = await world.connect(bob, { since: cursor });
  expect(second.frames[0]).toMatchObject({ recovered: true });
  expect(contentsOf(second.events(room))).toEqual(['before leaving', 'back in']);
});

test('a room that was joined while away is in the replay, from the join', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann);
  await say(ann, room, 'too early');
  const first = await world.connect(bob);
  const { cursor } = await first.pong();
  first.cut();
  await joined(bob, room);
  await say(ann, room, 'in time');
  const second = await world.connect(bob, { since: cursor });
  expect(contentsOf(second.events(room))).toEqual(['in time']);
});

test('cursors that the log cannot go on from are answered with recovered: false, and the feed goes on', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const { id } = await say(ann, room, 'here');
  const first = await world.connect(bob);
  const parsed = parseCursor(String((await first.pong()).cursor));
  if (!parsed) throw new Error('the pong has no cursor');
  const foreign = [
    formatCursor({ ...parsed, epoch: 'another' }),
    formatCursor({ ...parsed, seqs: parsed.seqs.slice(1) }),
    formatCursor({ ...parsed, seqs: [...parsed.seqs, 1] }),
    formatCursor({ ...parsed, seqs: parsed.seqs.map((seq) => seq + 1_000_000) }),
  ];
  for (const since of foreign) {
    const socket = await world.connect(bob, { since });
    expect(socket.frames[0]).toMatchObject({
      op: 'welcome',
      recovered: false,
      rooms: [expect.objectContaining({ room })],
    });
    await say(ann, room, `after ${since}`);
    await receives(socket, room, `after ${since}`);
    socket.cut();
  }
  expect(id).toMatch(/^msg_/);
});

test.each([
  ['a word', 'yesterday'],
  ['empty', ''],
  ['all dots', '..'],
  ['with a letter for a sequence', 'e.1.x'],
  ['5,000 characters long', 'e'.repeat(5_000)],
])('a cursor that is %s recovers nothing, and the feed goes on', async (_, since) => {
  const bob = world.person('bob');
  const socket = await world.connect(bob, { since });
  expect(socket.frames[0]).toMatchObject({ op: 'welcome', recovered: false, rooms: [] });
  await socket.pong();
});

test('a cursor that is no text is refused with a code, and a better hello is taken', async () => {
  const bob = world.person('bob');
  const socket = await world.open({ token: bob.token, protocols: ['parley.v1'] }).opened();
  socket.send({ op: 'hello', since: 7 });
  expect(await socket.frame('an error', ({ op }) => op === 'error')).toMatchObject({
    code: 'invalid_body',
    temporary: false,
  });
  socket.send({ op: 'hello' });
  await socket.frame('a welcome', ({ op }) => op === 'welcome');
});

test('two sockets of one user have cursors of their own', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const [one, two] = [await world.connect(bob), await world.connect(bob)];
  await say(ann, room, 'both');
  await Promise.all([receives(one, room, 'both'), receives(two, room, 'both')]);
  const { cursor } = await two.pong();
  two.cut();
  await say(ann, room, 'one');
  await receives(one, room, 'one');
  const again = await world.connect(bob, { since: cursor });
  expect(contentsOf(again.events(room)).at(-1)).toBe('one');
});
