import { expect, test } from '@jest/globals';
import { listAt, textAt } from '../http.js';
import { contentsOf, expectRefusal, joined, receives, roomWith, say, worldOf } from './world.js';

const world = worldOf();

test('who joins while connected receives from the join on, at once; who leaves receives nothing more', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann);
  const other = await roomWith(ann, [bob]);
  await say(ann, room, 'before');
  const socket = await world.connect(bob);
  expect(await socket.request({ op: 'join', room })).toMatchObject({ op: 'ack', position: expect.any(String) });
  await say(ann, room, 'while in');
  await receives(socket, room, 'while in');
  expect(await socket.request({ op: 'leave', room })).toMatchObject({ op: 'ack' });
  await socket.frame('own leaving', ({ type, room: where }) => type === 'member.left' && where === room);
  await say(ann, room, 'after');
  await say(ann, other, 'end');
  await receives(socket, other, 'end');
  expect(contentsOf(socket.events(room))).toEqual(['while in']);
  await socket.pong();
});

test('who is removed is told, receives nothing more, and stays connected', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const other = await roomWith(ann, [bob]);
  const socket = await world.connect(bob);
  await say(ann, room, 'still in');
  await receives(socket, room, 'still in');
  expect((await ann.http.call('DELETE', `/api/rooms/${room}/members/${bob.id}`)).status).toBe(202);
  await socket.frame('the removal', ({ type, room: where }) => type === 'member.left' && where === room);
  await say(ann, room, 'bob is gone');
  await say(ann, other, 'end');
  await receives(socket, other, 'end');
  expect(contentsOf(socket.events(room))).toEqual(['still in']);
  expect(await socket.request({ op: 'send', room, content: 'still here?' })).toMatchObject({
    op: 'error',
    code: 'not_member',
  });
  await joined(bob, room);
  await say(ann, room, 'welcome back');
  await receives(socket, room, 'welcome back');
});

test('every device of a user follows, also those that did not act', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann);
  const [phone, laptop] = [await world.connect(bob), await world.connect(bob)];
  await phone.request({ op: 'join', room });
  await say(ann, room, 'both');
  await Promise.all([receives(phone, room, 'both'), receives(laptop, room, 'both')]);
});

test('who is muted may read and not write; who is banned may not come back', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  const member = `/api/rooms/${room}/members/${bob.id}`;
  expect((await ann.http.put(member, { muted: true })).status).toBe(202);
  expectRefusal(await bob.http.post(`/api/rooms/${room}/messages`, { content: 'mm' }), 403, 'muted');
  expect((await ann.http.put(member, { muted: false })).status).toBe(202);
  await say(bob, room, 'thank you');
  expect((await ann.http.put(member, { banned: true })).status).toBe(202);
  expectRefusal(await bob.http.post(`/api/rooms/${room}/messages`, { content: 'hm' }), 403, 'not_member');
  expectRefusal(await bob.http.post(`/api/rooms/${room}/join`, {}), 403, 'banned');
});

test('only who may moderate does, and nobody above their own rank', async () => {
  const [ann, bob, cid] = [world.person('ann'), world.person('bob'), world.person('cid')];
  const room = await roomWith(ann, [bob, cid]);
  expectRefusal(await bob.http.call('DELETE', `/api/rooms/${room}/members/${cid.id}`), 403, 'forbidden');
  expect((await ann.http.put(`/api/rooms/${room}/members/${bob.id}`, { role: 'moderator' })).status).toBe(202);
  expect((await bob.http.call('DELETE', `/api/rooms/${room}/members/${cid.id}`)).status).toBe(202);
  expectRefusal(await bob.http.call('DELETE', `/api/rooms/${room}/members/${ann.id}`), 403, 'forbidden');
});

test('a private room does not exist for others: to read, to join, to write to, to list, to mark', async () => {
  const [ann, eve] = [world.person('ann'), world.person('eve')];
  const room = await roomWith(ann, [], { name: `secret of ${ann.id}`, isPrivate: true });
  const { id, position } = await say(ann, room, 'psst');
  const at = { headers: { 'parley-position': position } };
  for (const [method, path, body] of [
    ['GET', `/api/rooms/${room}`, undefined],
    ['GET', `/api/rooms/${room}/users`, undefined],
    ['GET', `/api/rooms/${room}/messages`, undefined],
    ['GET', `/api/rooms/${room}/messages/${id}`, undefined],
    ['POST', `/api/rooms/${room}/join`, {}],
    ['POST', `/api/rooms/${room}/leave`, {}],
    ['POST', `/api/rooms/${room}/messages`, { content: 'x' }],
    ['PUT', `/api/rooms/${room}/read`, { messageId: id }],
    ['PATCH', `/api/rooms/${room}`, { name: 'x' }],
    ['DELETE', `/api/rooms/${room}`, undefined],
    ['DELETE', `/api/rooms/${room}/members/${ann.id}`, undefined],
  ] as const) {
    const answer = await eve.http.call(method, path, { body, ...(method === 'GET' ? at : {}) });
    expect({ method, path, status: answer.status, code: answer.json['code'] }).toEqual({
      method,
      path,
      status: 404,
      code: 'room_not_found',
    });
  }
  const socket = await world.connect(eve);
  for (const frame of [{ op: 'join' }, { op: 'send', content: 'x' }])
    expect(await socket.request({ ...frame, room })).toMatchObject({ op: 'error', code: 'room_not_found' });
  const list = await eve.http.get(`/api/rooms?q=${ann.id}`, at);
  expect(listAt(list.json, 'items')).toEqual([]);
  const own = await ann.http.get(`/api/rooms?q=${ann.id}`, at);
  expect(listAt(own.json, 'items')).toHaveLength(1);
});

test('who is invited to a private room may join it', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [], { isPrivate: true });
  const invited = await ann.http.post(`/api/rooms/${room}/invites`, { userId: bob.id });
  expect(invited.status).toBe(202);
  await joined(bob, room);
  await say(bob, room, 'thanks');
});

test('the history of a public room is for members; its members are not a secret', async () => {
  const [ann, eve] = [world.person('ann'), world.person('eve')];
  const room = await roomWith(ann);
  const { position } = await say(ann, room, 'members only');
  expectRefusal(await eve.http.get(`/api/rooms/${room}/messages?position=${position}`), 403, 'not_member');
  expect(await eve.http.get(`/api/rooms/${room}`)).toMatchObject({ status: 200, json: { id: room, memberCount: 1 } });
});

test('a room whose owner leaves goes to the one who has moderated it for longest', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = await roomWith(ann, [bob]);
  await ann.http.put(`/api/rooms/${room}/members/${bob.id}`, { role: 'moderator' });
  const left = await ann.http.post(`/api/rooms/${room}/leave`, {});
  const users = await bob.http.get(`/api/rooms/${room}/users?position=${textAt(left.json, 'position')}`);
  expect(listAt(users.json, 'users')).toMatchObject([{ userId: bob.id, role: 'owner' }]);
});
