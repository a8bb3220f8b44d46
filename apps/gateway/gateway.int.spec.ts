/** Gateways on real servers: the feed's promises, and what goes beside it. */
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { CLOSE, parseCursor } from '#contract';
import { waitUntil } from '#embedded';
import { Client, type Gateway, usePlatform } from './test-platform.js';

const platform = usePlatform();
let one: Gateway;
let two: Gateway;
beforeAll(async () => {
  [one, two] = [await platform.gateway(), await platform.gateway()];
});

const newId = (prefix: string): string => `${prefix}${randomUUID().slice(0, 8)}`;

async function roomOf(...people: string[]): Promise<string> {
  const roomId = newId('r');
  const [owner = '', ...others] = people;
  await platform.run('CreateRoom', owner, { roomId, name: 'Room' });
  for (const user of others) await platform.run('JoinRoom', user, { roomId });
  return roomId;
}

test('hello, welcome, live, send, resume elsewhere', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId);
  const ann = await Client.open(one, annId);
  const bob = await Client.open(two, bobId);
  expect(await bob.request({ op: 'join', room: roomId })).toMatchObject({ op: 'ack', changed: true });
  await bob.frame({ type: 'member.joined', room: roomId });
  await ann.frame({ type: 'member.joined', room: roomId, actor: bobId });
  const ack = await ann.request({ op: 'send', room: roomId, content: 'hello', key: 'k1' });
  expect(ack).toMatchObject({ op: 'ack', room: roomId, duplicate: false, position: expect.stringMatching(/^\d-\d+$/) });
  expect(await bob.frame({ type: 'message.sent' })).toMatchObject({
    seq: ack['seq'],
    actor: annId,
    data: { id: ack['messageId'], content: 'hello', ordinal: 1, sender: annId, mentions: [], replyTo: null },
  });
  expect(await ann.frame({ op: 'skip' })).toMatchObject({ seq: ack['seq'], key: 'k1' });
  expect(await ann.request({ op: 'send', room: roomId, content: 'hello', key: 'k1' })).toMatchObject({
    messageId: ack['messageId'],
    duplicate: true,
  });
  bob.send({ op: 'ping' });
  const { cursor } = await bob.frame({ op: 'pong' });
  await bob.cut();
  for (let i = 0; i < 5; i++) await ann.request({ op: 'send', room: roomId, content: `m${i}` });
  const back = await Client.open(one, bobId, { since: cursor });
  expect(back.frames[0]).toMatchObject({ op: 'welcome', recovered: true, cursor });
  expect(back.contents(roomId).slice(-5)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  expect((await bob.closes()).code).toBe(1006);
});

test('a cursor comes after what it covers, without being asked for', async () => {
  const annId = newId('ann');
  const roomId = await roomOf(annId);
  const ann = await Client.open(one, annId);
  const ack = await ann.request({ op: 'send', room: roomId, content: 'x' });
  const [partition, seq] = String(ack['position']).split('-').map(Number);
  await ann.until('a cursor that covers it', () =>
    ann
      .find({ op: 'cursor' })
      .some(({ cursor }) => (parseCursor(String(cursor))?.seqs[partition ?? 0] ?? 0) >= (seq ?? 1)),
  );
});

test('sends of one user are stored in the order in which they were sent', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const [ann, bob] = [await Client.open(one, annId), await Client.open(two, bobId)];
  const contents = Array.from({ length: 30 }, (_, i) => `m${i}`);
  for (const content of contents) ann.send({ op: 'send', id: content, room: roomId, content });
  await bob.until('all of them', () => bob.contents(roomId).length === contents.length);
  expect(bob.contents(roomId)).toEqual(contents);
});

test('echo: none of the sender’s sockets, or all of them', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const clients = await Promise.all(
    ['origin', 'none', 'all'].map((echo, i) => Client.open(i === 1 ? two : one, annId, { echo })),
  );
  const [origin, none, all] = clients as [Client, Client, Client];
  await origin.request({ op: 'send', room: roomId, content: 'hello' });
  await Promise.all([origin.frame({ op: 'skip' }), none.frame({ op: 'skip' }), all.frame({ type: 'message.sent' })]);
  await none.request({ op: 'send', room: roomId, content: 'again' });
  await origin.frame({ type: 'message.sent' });
  expect(origin.contents(roomId)).toEqual(['again']);
  expect(none.contents(roomId)).toEqual([]);
});

test('without a subprotocol: plain messages of participant channels, and not one’s own', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const [ann, bob] = [Client.raw(one, { user: annId, protocols: [] }), Client.raw(two, { user: bobId, protocols: [] })];
  await Promise.all([ann.isOpen(), bob.isOpen()]);
  ann.socket.send('what is this?');
  await platform.run('SendMessage', annId, { roomId, content: 'in a room' });
  const sent = await platform.run('SendMessage', annId, { participants: [bobId, annId, bobId], content: 'first' });
  await bob.frame({ content: 'first' });
  expect(bob.frames).toEqual([
    {
      id: sent.id,
      sender: annId,
      content: 'first',
      participants: [annId, bobId].sort(),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    },
  ]);
  await platform.run('SendMessage', bobId, { participants: [bobId, annId], content: 'second' });
  await ann.frame({ content: 'second' });
  expect(ann.frames.map(({ content }) => content)).toEqual(['second']);
  const again = Client.raw(one, { user: annId, protocols: [], path: '/ws?echo=all' });
  await again.isOpen();
  await platform.run('SendMessage', annId, { participants: [bobId, annId], content: 'third' });
  await again.frame({ content: 'third' });
  expect(again.frames).toHaveLength(1);
});

test('who is removed stops, who comes back starts, without reconnecting', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const bob = await Client.open(two, bobId);
  await platform.run('RemoveMember', annId, { roomId, userId: bobId });
  await bob.frame({ type: 'member.left' });
  await platform.run('SendMessage', annId, { roomId, content: 'without bob' });
  await platform.run('JoinRoom', bobId, { roomId });
  await platform.run('SendMessage', annId, { roomId, content: 'with bob' });
  await bob.until('the message', () => bob.contents(roomId).length > 0);
  expect(bob.contents(roomId)).toEqual(['with bob']);
});

test('typing reaches the others, at most one notice a room and half second', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const [ann, bob] = [await Client.open(one, annId), await Client.open(two, bobId)];
  for (const typing of [true, false, true, false]) ann.send({ op: 'typing', room: roomId, typing });
  await bob.frame({ op: 'typing', typing: false });
  expect(bob.find({ op: 'typing' })).toEqual([
    { op: 'typing', room: roomId, user: annId, typing: true },
    { op: 'typing', room: roomId, user: annId, typing: false },
  ]);
  expect(ann.find({ op: 'typing' })).toEqual([]);
});

test('marks are acknowledged, and the user’s other devices hear of them', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const [bob, tablet] = [await Client.open(one, bobId), await Client.open(two, bobId)];
  const { id: messageId } = await platform.run('SendMessage', annId, { roomId, content: 'read me' });
  await bob.until('the message', () => bob.contents(roomId).length === 1);
  expect(await bob.request({ op: 'read', room: roomId, messageId })).toMatchObject({ op: 'ack' });
  expect(await tablet.frame({ op: 'marked' })).toMatchObject({ room: roomId, messageId, kind: 'read' });
});

test('watched users who share a room are shown, now and at each change', async () => {
  const [annId, bobId, eveId] = [newId('ann'), newId('bob'), newId('eve')];
  await roomOf(annId, bobId);
  const ann = await Client.open(one, annId);
  await waitUntil('the views to know them', 10_000, async () => {
    await ann.request({ op: 'watch', users: [bobId, eveId] });
    return ann.find({ op: 'presence', user: bobId }).length > 0;
  });
  expect(ann.find({ op: 'presence', user: bobId })[0]).toMatchObject({ online: false, lastSeen: null, status: {} });
  const bob = await Client.open(two, bobId);
  await ann.frame({ op: 'presence', user: bobId, online: true });
  await bob.request({ op: 'status', status: { mood: 'sunny' }, online: false });
  await ann.until('hidden, with a mood', () => {
    const last = ann.find({ op: 'presence', user: bobId }).at(-1);
    return last?.['online'] === false && JSON.stringify(last['status']) === '{"mood":"sunny"}';
  });
  expect(ann.find({ op: 'presence', user: eveId })).toEqual([]);
});

test('a drain is announced, closes with a code to come back with, and loses nothing', async () => {
  const [annId, bobId] = [newId('ann'), newId('bob')];
  const roomId = await roomOf(annId, bobId);
  const leaving = await platform.gateway();
  const bob = await Client.open(leaving, bobId);
  const acks = Promise.all(
    Array.from({ length: 5 }, (_, i) => bob.request({ op: 'send', room: roomId, content: `last ${i}` })),
  );
  await new Promise((resolve) => setImmediate(resolve));
  const stopped = leaving.stop();
  expect((await acks).map(({ op }) => op)).toEqual(Array(5).fill('ack'));
  expect(await bob.frame({ op: 'drain' })).toMatchObject({ retryMs: expect.any(Number) });
  expect((await bob.closes()).code).toBe(CLOSE.draining);
  await stopped;
  const ann = await Client.open(one, annId);
  expect(ann.frames[0]).toMatchObject({ op: 'welcome' });
});
