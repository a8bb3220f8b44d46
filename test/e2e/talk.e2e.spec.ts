import { expect, test } from '@jest/globals';
import { listAt, textAt } from '../http.js';
import { contentsOf, eventually, joined, receives, worldOf, type Person } from './world.js';

const world = worldOf();

async function register(username: string): Promise<Person> {
  const answer = await world.http.post('/api/auth/register', {
    username,
    email: `${username}@example.org`,
    password: 'correct horse battery',
  });
  expect(answer).toMatchObject({
    status: 201,
    json: { user: { username }, token: expect.any(String), refreshToken: expect.any(String) },
  });
  const token = textAt(answer.json, 'token');
  return { id: textAt(answer.json, 'user.id'), token, http: world.http.as(token) };
}

test('two people register, meet in a room, talk, see each other live; one leaves, one sets a status', async () => {
  const nina = await register('Nina');
  const otto = await register('Otto');
  expect([nina.id, otto.id]).toEqual(['nina', 'otto']);
  const ninaSocket = await world.connect(nina);
  const ottoSocket = await world.connect(otto);

  const made = await nina.http.post('/api/rooms', { id: 'kitchen', name: 'The kitchen' });
  expect(made).toMatchObject({
    status: 202,
    json: { id: 'kitchen', position: expect.stringMatching(/^\d+-\d+$/), duplicate: false },
  });
  await ninaSocket.frame(
    'own room',
    ({ op, type, room }) => op === 'event' && type === 'member.joined' && room === 'kitchen',
  );

  expect(await joined(otto, 'kitchen')).toMatchObject({ json: { success: true, history: expect.any(Array) } });
  const arrival = await ninaSocket.frame(
    'otto joins',
    ({ type, actor }) => type === 'member.joined' && actor === 'otto',
  );
  expect(arrival).toMatchObject({
    op: 'event',
    room: 'kitchen',
    seq: expect.any(Number),
    at: expect.stringMatching(/Z$/),
  });
  await ottoSocket.frame('own join', ({ type, actor }) => type === 'member.joined' && actor === 'otto');

  const ack = await ninaSocket.request({ op: 'send', room: 'kitchen', content: 'Tea?' });
  expect(ack).toMatchObject({
    op: 'ack',
    messageId: expect.stringMatching(/^msg_\d+$/),
    room: 'kitchen',
    seq: expect.any(Number),
    position: expect.any(String),
    duplicate: false,
  });
  expect(await receives(ottoSocket, 'kitchen', 'Tea?')).toMatchObject({
    op: 'event',
    type: 'message.sent',
    room: 'kitchen',
    seq: ack.seq,
    prev: 0,
    actor: 'nina',
    data: { id: ack.messageId, sender: 'nina', content: 'Tea?', type: 'text', ordinal: 1 },
  });
  const reply = await otto.http.post('/api/rooms/kitchen/messages', { content: 'Please.', replyTo: ack.messageId });
  expect(reply).toMatchObject({
    status: 202,
    json: { id: expect.any(String), position: expect.any(String), duplicate: false },
  });
  expect(await receives(ninaSocket, 'kitchen', 'Please.')).toMatchObject({
    prev: ack.seq,
    data: { sender: 'otto', replyTo: ack.messageId, ordinal: 2 },
  });

  const left = await otto.http.post('/api/rooms/kitchen/leave', {});
  expect(left).toMatchObject({ status: 202, json: { success: true } });
  await ninaSocket.frame('otto leaves', ({ type, actor }) => type === 'member.left' && actor === 'otto');
  const after = await otto.http.post('/api/rooms/kitchen/messages', { content: 'One more thing' });
  expect(after).toMatchObject({ status: 403, json: { code: 'not_member' } });

  await joined(otto, 'kitchen');
  const watching = await ninaSocket.request({ op: 'watch', users: ['otto'] });
  expect(watching).toMatchObject({ op: 'ack' });
  await ninaSocket.frame(
    'otto is online',
    ({ op, user, online }) => op === 'presence' && user === 'otto' && online === true,
  );
  const set = await otto.http.put('/api/users/me/status', { status: { mood: 'thirsty' } });
  expect(set).toMatchObject({ status: 202, json: { id: 'otto', position: expect.any(String) } });
  const seen = await ninaSocket.frame('otto is thirsty', (frame) => {
    return frame.op === 'presence' && frame.user === 'otto' && (frame.status as { mood?: string }).mood === 'thirsty';
  });
  expect(seen).toMatchObject({ op: 'presence', user: 'otto', online: true, status: { mood: 'thirsty' } });
  const profile = await nina.http.get(`/api/users/otto?position=${textAt(set.json, 'position')}`);
  expect(profile).toMatchObject({ status: 200, json: { id: 'otto', online: true, status: { mood: 'thirsty' } } });
});

test('history, one message, inbox, unread and read marks agree', async () => {
  const cid = world.person('cid');
  const dot = world.person('dot');
  const made = await cid.http.post('/api/rooms', { name: 'Counting' });
  const room = textAt(made.json, 'id');
  await joined(dot, room);
  const ids: string[] = [];
  let position = '';
  for (const content of ['one', 'two', 'three']) {
    const sent = await cid.http.post(`/api/rooms/${room}/messages`, { content, metadata: { n: content } });
    ids.push(textAt(sent.json, 'id'));
    position = textAt(sent.json, 'position');
  }
  const newestFirst = await dot.http.get(`/api/rooms/${room}/messages?limit=2&position=${position}`);
  expect(listAt(newestFirst.json, 'items').map(({ content }) => content)).toEqual(['three', 'two']);
  expect(newestFirst.json).toMatchObject({ next: expect.any(String), position: expect.any(String) });
  const rest = await dot.http.get(
    `/api/rooms/${room}/messages?limit=2&cursor=${encodeURIComponent(textAt(newestFirst.json, 'next'))}`,
  );
  expect(rest.json).toMatchObject({ items: [{ content: 'one' }], next: null });
  const oldestFirst = await dot.http.get(`/api/rooms/${room}/messages?order=asc`);
  expect(listAt(oldestFirst.json, 'items').map(({ id }) => id)).toEqual(ids);
  const between = await dot.http.get(`/api/rooms/${room}/messages?order=asc&after=${ids[0]}&before=${ids[2]}`);
  expect(listAt(between.json, 'items').map(({ id }) => id)).toEqual([ids[1]]);
  const one = await dot.http.get(`/api/rooms/${room}/messages/${ids[1]}`);
  expect(one.json).toEqual(
    expect.objectContaining({
      id: ids[1],
      roomId: room,
      sender: cid.id,
      content: 'two',
      type: 'text',
      metadata: { n: 'two' },
      mentions: [],
      replyTo: null,
      reactions: {},
      editedAt: null,
      deletedAt: null,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    }),
  );

  const inbox = async () => {
    const answer = await dot.http.get('/api/inbox', { headers: { 'parley-position': position } });
    return listAt(answer.json, 'items').find((entry) => textAt(entry, 'room.id') === room);
  };
  expect(await inbox()).toMatchObject({ unread: 3, lastMessage: { id: ids[2], content: 'three' } });
  expect((await dot.http.put(`/api/rooms/${room}/read`, { messageId: ids[1] })).status).toBe(200);
  expect(await inbox()).toMatchObject({ unread: 1, readUpTo: ids[1] });
  expect((await dot.http.put(`/api/rooms/${room}/read`, { messageId: ids[0] })).status).toBe(200);
  expect(await inbox()).toMatchObject({ unread: 1, readUpTo: ids[1] });
  const socket = await world.connect(dot);
  expect(await socket.request({ op: 'read', room, messageId: ids[2] })).toMatchObject({ op: 'ack' });
  expect(await inbox()).toMatchObject({ unread: 0, readUpTo: ids[2] });
});

test('a client that asks with the position of what it just did sees it, whatever it asks', async () => {
  const eve = world.person('eve');
  for (let round = 0; round < 20; round += 1) {
    const made = await eve.http.post('/api/rooms', { name: `round ${round}` });
    const room = textAt(made.json, 'id');
    const [shown, listed] = await Promise.all([
      eve.http.get(`/api/rooms/${room}?position=${textAt(made.json, 'position')}`),
      eve.http.get('/api/inbox?limit=100', { headers: { 'parley-position': textAt(made.json, 'position') } }),
    ]);
    expect(shown).toMatchObject({ status: 200, json: { id: room, name: `round ${round}`, memberCount: 1 } });
    expect(listAt(listed.json, 'items').map((entry) => textAt(entry, 'room.id'))).toContain(room);
  }
});

test('a hundred messages from both sides reach the other in the order of the log, once', async () => {
  const fay = world.person('fay');
  const gus = world.person('gus');
  const room = textAt((await fay.http.post('/api/rooms', { name: 'Ping pong' })).json, 'id');
  await joined(gus, room);
  const [faySocket, gusSocket] = [await world.connect(fay, { echo: 'all' }), await world.connect(gus, { echo: 'all' })];
  const sends = Array.from({ length: 35 }, (_, i) => [
    faySocket.request({ op: 'send', room, content: `fay ${i}` }),
    gusSocket.request({ op: 'send', room, content: `gus ${i}` }),
  ]).flat();
  const acks = await Promise.all(sends);
  expect(acks.every(({ op, duplicate }) => op === 'ack' && duplicate === false)).toBe(true);
  const all = (socket: typeof faySocket) => contentsOf(socket.events(room));
  await eventually('both have all of it', () => all(faySocket).length >= 70 && all(gusSocket).length >= 70);
  expect(all(faySocket)).toEqual(all(gusSocket));
  expect(new Set(all(faySocket)).size).toBe(70);
  const seqs = faySocket.events(room).flatMap(({ type, seq }) => (type === 'message.sent' ? [Number(seq)] : []));
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  const stored = await fay.http.get(
    `/api/rooms/${room}/messages?order=asc&limit=100&position=${(await faySocket.pong()).cursor}`,
  );
  expect(listAt(stored.json, 'items').map(({ content }) => content)).toEqual(all(gusSocket));
});
