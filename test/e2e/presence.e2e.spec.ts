import { expect, test } from '@jest/globals';
import { textAt } from '../http.js';
import type { Frame, Socket } from '../socket.js';
import { contentsOf, eventually, receives, roomWith, say, worldOf } from './world.js';

const world = worldOf();

const presenceOf = (socket: Socket, user: string): Frame[] =>
  socket.frames.filter((frame) => frame.op === 'presence' && frame.user === user);

const shows = (socket: Socket, user: string, online: boolean): Promise<Frame> =>
  socket.frame(
    `${user} ${online ? 'online' : 'offline'}`,
    (frame) => frame === presenceOf(socket, user).at(-1) && frame.online === online,
  );

test('typing is told to the others in the room, to nobody else, and not to oneself', async () => {
  const [ann, bob, eve] = [world.person('ann'), world.person('bob'), world.person('eve')];
  const room = await roomWith(ann, [bob]);
  const other = await roomWith(ann, [eve]);
  const [annSocket, bobSocket, eveSocket] = [
    await world.connect(ann),
    await world.connect(bob),
    await world.connect(eve),
  ];
  annSocket.send({ op: 'typing', room, typing: true });
  expect(await bobSocket.frame('typing', ({ op }) => op === 'typing')).toEqual({
    op: 'typing',
    room,
    user: ann.id,
    typing: true,
  });
  annSocket.send({ op: 'typing', room, typing: false });
  expect(
    await bobSocket.frame('no longer typing', ({ op, typing }) => op === 'typing' && typing === false),
  ).toMatchObject({ user: ann.id });
  await say(ann, other, 'end');
  await receives(eveSocket, other, 'end');
  for (const socket of [annSocket, eveSocket]) expect(socket.frames.filter(({ op }) => op === 'typing')).toEqual([]);
});

test('who is watched is shown as they come and go, with when they were last seen', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  await roomWith(ann, [bob]);
  const watcher = await world.connect(ann);
  expect(await watcher.request({ op: 'watch', users: [bob.id] })).toMatchObject({ op: 'ack' });
  expect(await shows(watcher, bob.id, false)).toMatchObject({ op: 'presence', status: {} });
  const first = await world.connect(bob);
  const second = await world.connect(bob);
  await shows(watcher, bob.id, true);
  await first.close();
  expect(await ann.http.get(`/api/users/${bob.id}`)).toMatchObject({ json: { id: bob.id, online: true } });
  await second.close();
  expect(await shows(watcher, bob.id, false)).toMatchObject({ lastSeen: expect.stringMatching(/Z$/) });
  await eventually(
    'HTTP says so too',
    async () => (await ann.http.get(`/api/users/${bob.id}`)).json['online'] === false,
  );
});

test('watching replaces the list', async () => {
  const [ann, bob, cid] = [world.person('ann'), world.person('bob'), world.person('cid')];
  await roomWith(ann, [bob, cid]);
  const watcher = await world.connect(ann);
  await watcher.request({ op: 'watch', users: [bob.id] });
  await watcher.request({ op: 'watch', users: [cid.id] });
  await shows(watcher, cid.id, false);
  const before = presenceOf(watcher, bob.id).length;
  await world.connect(bob);
  await world.connect(cid);
  await shows(watcher, cid.id, true);
  expect(presenceOf(watcher, bob.id)).toHaveLength(before);
});

test('somebody with whom one shares no room is not shown', async () => {
  const [ann, eve] = [world.person('ann'), world.person('eve')];
  await world.connect(ann);
  const socket = await world.connect(eve);
  await socket.request({ op: 'watch', users: [ann.id] });
  await socket.pong();
  expect(presenceOf(socket, ann.id).filter(({ online }) => online)).toEqual([]);
});

test('a status is an event: it reaches watchers, survives reconnecting, and replaces what was', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  await roomWith(ann, [bob]);
  const watcher = await world.connect(ann);
  await watcher.request({ op: 'watch', users: [bob.id] });
  const socket = await world.connect(bob);
  const ack = await socket.request({ op: 'status', status: { mood: 'glad', message: 'at lunch' } });
  expect(ack).toMatchObject({ op: 'ack', position: expect.any(String) });
  const withMood = (mood: string) =>
    watcher.frame(
      mood,
      (frame) => frame.op === 'presence' && frame.user === bob.id && (frame.status as { mood?: string }).mood === mood,
    );
  expect(await withMood('glad')).toMatchObject({ status: { mood: 'glad', message: 'at lunch' } });
  const again = await socket.request({ op: 'status', status: { mood: 'calm' } });
  expect(await withMood('calm')).toMatchObject({ status: { mood: 'calm' } });
  const shown = await ann.http.get(`/api/users/${bob.id}?position=${String(again.position)}`);
  expect(shown.json).toMatchObject({ status: { mood: 'calm' } });
  expect(textAt(shown.json, 'status.mood')).toBe('calm');
  const late = await world.connect(ann);
  await late.request({ op: 'watch', users: [bob.id] });
  expect(await shows(late, bob.id, true)).toMatchObject({ status: { mood: 'calm' } });
});

test('online: false hides the devices, online: true shows them again', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  await roomWith(ann, [bob]);
  const watcher = await world.connect(ann);
  await watcher.request({ op: 'watch', users: [bob.id] });
  const socket = await world.connect(bob);
  await shows(watcher, bob.id, true);
  await socket.request({ op: 'status', online: false });
  await shows(watcher, bob.id, false);
  await socket.request({ op: 'status', online: true });
  await shows(watcher, bob.id, true);
});

test('echo decides who is shown what they wrote: the connection, the user, or nobody is held back', async () => {
  const ann = world.person('ann');
  const room = await roomWith(ann);
  const sockets = {
    sender: await world.connect(ann),
    device: await world.connect(ann),
    none: await world.connect(ann, { echo: 'none' }),
    all: await world.connect(ann, { echo: 'all' }),
  };
  const key = `key of ${ann.id}`;
  const ack = await sockets.sender.request({ op: 'send', room, content: 'mine', key });
  const skip = { op: 'skip', room, seq: ack.seq, prev: 0 };
  const skipped = (socket: Socket) => socket.frame('skip', ({ op, seq }) => op === 'skip' && seq === ack.seq);
  expect(await skipped(sockets.sender)).toEqual({ ...skip, key });
  expect(await skipped(sockets.none)).toMatchObject(skip);
  await receives(sockets.device, room, 'mine');
  await receives(sockets.all, room, 'mine');
  const second = await sockets.all.request({ op: 'send', room, content: 'shown to all' });
  expect(await receives(sockets.all, room, 'shown to all')).toMatchObject({ seq: second.seq, prev: ack.seq });
  expect(await sockets.none.frame('skip', ({ op, seq }) => op === 'skip' && seq === second.seq)).toMatchObject({
    prev: ack.seq,
  });
  await receives(sockets.sender, room, 'shown to all');
  expect(contentsOf(sockets.sender.events(room))).toEqual(['shown to all']);
  expect(contentsOf(sockets.none.events(room))).toEqual([]);
});

test('read marks reach the other devices of their user alone', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const { id } = await say(ann, room, 'read this');
  const [phone, laptop, annSocket] = [await world.connect(bob), await world.connect(bob), await world.connect(ann)];
  const marked = () => phone.request({ op: 'read', room, messageId: id });
  await eventually('the view has the message', async () => (await marked()).op === 'ack');
  expect(await laptop.frame('the mark', ({ op }) => op === 'marked')).toEqual({
    op: 'marked',
    room,
    messageId: id,
    kind: 'read',
  });
  await annSocket.pong();
  expect(annSocket.frames.filter(({ op }) => op === 'marked')).toEqual([]);
});
