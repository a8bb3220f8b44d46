/** The streams of contracts.md section 1, outside of demo mode: a token decides; the feed is the sockets'. */
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { type Fields, hs256 } from '../http.js';
import { killEmbedded, SECRET } from '../platform.js';
import { grpcWorldOf } from './grpc-world.js';
import { contentsOf, eventually, joined, type Person, receives, roomWith, say } from './world.js';

const { world, grpc, as } = await grpcWorldOf({ PARLEY_DEMO: '0', RATE_LIMITS: 'off', SEND_STALL_MS: '1000' });

const refusal = (code: number, details: string) => expect.objectContaining({ code, details });
const people = (...names: string[]): Person[] => names.map((name) => world.person(name));
const errorAction = (code: number, message: string) =>
  expect.objectContaining({ action_type: 'error', metadata: { code: String(code), message } });

describe('who calls', () => {
  test.each([
    ['GetRooms', {}],
    ['GetMessages', { room_id: 'room1' }],
    ['SendMessage', {}],
    ['GetMessageHistory', { room_id: 'room1' }],
    ['GetFile', { file_id: 'x' }],
  ])('%s without a token is 16', async (name, request) => {
    expect(await grpc.call(name, request)).toEqual(refusal(16, 'missing authorization header'));
  });

  test('health needs none', async () => {
    expect(await grpc.call('HealthCheck', {})).toMatchObject({ code: 0, value: { status: 'healthy' } });
  });

  test('a stream or an upload without one is 16, too', async () => {
    expect(await grpc.stream('Chat').ended()).toMatchObject({ code: 16, details: 'missing authorization header' });
    expect(await grpc.upload([{}])).toEqual(refusal(16, 'missing authorization header'));
  });

  test.each([
    ['nonsense', 'invalid token'],
    [hs256('another secret, which is long enough to be one', { sub: 'x' }), 'invalid token'],
    [hs256(SECRET, { sub: 'x', exp: 1_000_000 }), 'token expired'],
  ])('a bad token is 16', async (token, details) => {
    const client = grpc.as(token);
    expect(await client.call('GetRooms', {})).toEqual(refusal(16, details));
    client.close();
  });

  test('a token acts for its own user only', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room_id = await roomWith(ann);
    const message = { user_id: ben.id, room_id, content: 'in your name' };
    const client = as(ann);
    for (const [name, request] of [
      ['SendMessage', { message }],
      ['JoinRoom', { room_id, user_id: ben.id }],
      ['LeaveRoom', { room_id, user_id: ben.id }],
      ['CreateRoom', { name: 'x', created_by: ben.id }],
      ['GetRooms', { user_id: ben.id }],
      ['ListRooms', { user_id: ben.id }],
      ['UpdateUser', { user_id: ben.id, username: 'x' }],
      ['UpdateUserStatus', { user_id: ben.id }],
      ['SearchMessages', { room_id, query: 'x', user_id: ben.id }],
    ] as const)
      expect({ name, ...(await client.call(name, request)) }).toMatchObject({ name, code: 7, details: 'forbidden' });
  });

  test('whoever has a token is a user, and the history of a public room is for members', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room_id = await roomWith(ann);
    await say(ann, room_id, 'to members');
    const client = as(ben);
    expect(await client.call('UpdateUserStatus', { user_id: ben.id, online: true })).toMatchObject({ code: 0 });
    const notMember = refusal(7, 'user is not a member of this room');
    expect(await client.call('GetMessages', { room_id })).toEqual(notMember);
    expect(await client.call('GetMessageHistory', { room_id })).toEqual(notMember);
    expect(await client.call('SearchMessages', { room_id, query: 'members' })).toEqual(notMember);
    expect(await client.call('GetUsers', { room_id })).toMatchObject({ code: 0 });
    await joined(ben, room_id);
    expect(await client.call('GetMessages', { room_id })).toMatchObject({ code: 0, value: { total: 1 } });
  });
});

describe('a stream', () => {
  test.each(['ChatStream', 'Chat'] as const)('%s joins, sends, types and leaves among others', async (name) => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room = await roomWith(ann);
    const [hers, his] = [as(ann).stream(name), as(ben).stream(name)];
    expect(await hers.join(ann.id, room)).toMatchObject({ user_id: ann.id, metadata: { status: 'success' } });
    await his.join(ben.id, room);
    expect(await hers.action({ action_type: 'user_joined' })).toMatchObject({ user_id: ben.id, room_id: room });
    hers.say(ann.id, room, 'hello');
    for (const stream of [hers, his]) {
      const { message } = await stream.action({ action_type: 'message' });
      expect(message).toMatchObject({ user_id: ann.id, room_id: room, content: 'hello', message_type: 'text' });
    }
    his.send({ user_id: ben.id, room_id: room, action_type: 'typing' });
    expect(await hers.action({ action_type: 'user_typing' })).toMatchObject({ user_id: ben.id, room_id: room });
    his.send({ user_id: ben.id, room_id: room, action_type: 'stop_typing' });
    expect(await hers.action({ action_type: 'user_stop_typing' })).toMatchObject({ user_id: ben.id });
    his.send({ user_id: ben.id, room_id: room, action_type: 'leave' });
    expect(await hers.action({ action_type: 'user_left' })).toMatchObject({ user_id: ben.id, room_id: room });
    await his.action({ action_type: 'left' });
    hers.say(ann.id, room, 'alone again');
    await hers.hears(room, 'alone again');
    // What is one's own comes as an answer, not as news; and after leaving nothing comes.
    expect(his.came.map(({ action_type }) => action_type)).toEqual(['joined', 'message', 'left']);
    for (const stream of [hers, his]) stream.call.cancel();
  });

  test('a refused action is answered, and the stream lives', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room = await roomWith(ann);
    const secret = await roomWith(ann, [], { isPrivate: true });
    const stream = as(ben).stream('ChatStream');
    stream.send({ action_type: 'join', room_id: 'nowhere' });
    stream.send({ action_type: 'join', room_id: secret });
    stream.send({ action_type: 'join' });
    stream.send({ action_type: 'send', room_id: room });
    stream.send({ action_type: 'send', room_id: room, message: { content: 'x' } });
    stream.send({ action_type: 'typing', room_id: room });
    stream.send({ action_type: 'dance', room_id: room });
    stream.send({ action_type: 'join', room_id: room, user_id: ann.id });
    await eventually('eight answers', () => stream.came.length === 8);
    expect(stream.came).toEqual([
      errorAction(5, 'room not found'),
      errorAction(5, 'room not found'),
      errorAction(3, 'user_id and room_id are required'),
      errorAction(3, 'message cannot be nil'),
      errorAction(7, 'user is not a member of this room'),
      errorAction(7, 'user is not a member of this room'),
      errorAction(3, 'action_type takes join, leave, send, typing, stop_typing'),
      errorAction(7, 'forbidden'),
    ]);
    await stream.join(ben.id, room);
    stream.call.cancel();
  });

  test('a member who joins only listens, who sends hears; other rooms stay silent', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const [one, two, three] = [await roomWith(ann, [ben]), await roomWith(ann, [ben]), await roomWith(ann, [ben])];
    const stream = as(ben).stream('Chat');
    await stream.join(ben.id, one);
    stream.say(ben.id, two, 'mine');
    await stream.hears(two, 'mine');
    await say(ann, three, 'not heard');
    await say(ann, two, 'heard in two');
    await say(ann, one, 'heard in one');
    await stream.hears(one, 'heard in one');
    await stream.hears(two, 'heard in two');
    expect(stream.contents(three)).toEqual([]);
    const users = (await ann.http.get(`/api/rooms/${one}/users`)).json;
    expect(JSON.stringify(users).split(ben.id).length - 1).toBeGreaterThan(0);
    stream.call.cancel();
  });

  test('streams and a socket are told the same in the same order', async () => {
    const [ann, ben, cleo] = people('ann', 'ben', 'cleo') as [Person, Person, Person];
    const room = await roomWith(ann, [ben, cleo]);
    const socket = await world.connect(cleo, { echo: 'all' });
    const [hers, his] = [as(ann).stream('ChatStream'), as(ben).stream('Chat')];
    await hers.join(ann.id, room);
    await his.join(ben.id, room);
    for (let i = 0; i < 20; i++) {
      hers.say(ann.id, room, `ann ${i}`);
      his.say(ben.id, room, `ben ${i}`);
      socket.send({ op: 'send', id: `${i}`, room, content: `cleo ${i}` });
    }
    await eventually('sixty messages everywhere', () =>
      [hers, his].every((stream) => stream.contents(room).length === 60),
    );
    await receives(socket, room, String(hers.contents(room).at(-1)));
    expect(his.contents(room)).toEqual(hers.contents(room));
    expect(contentsOf(socket.frames)).toEqual(hers.contents(room));
    for (const stream of [hers, his]) stream.call.cancel();
  });

  test('a repeated idempotency key is answered with the first message', async () => {
    const [ann] = people('ann') as [Person];
    const room = await roomWith(ann);
    const stream = as(ann).stream('ChatStream');
    const send = {
      room_id: room,
      action_type: 'send',
      message: { content: 'once' },
      metadata: { 'idempotency-key': 'k' },
    };
    stream.send(send);
    await stream.hears(room, 'once');
    stream.send(send);
    await eventually('two answers', () => stream.came.length === 2);
    expect(stream.came[1]).toMatchObject({ action_type: 'message', metadata: { duplicate: 'true' } });
    expect(stream.came[1]?.['message']).toEqual(stream.came[0]?.['message']);
    stream.call.cancel();
  });

  test('ends well when the client has no more to say, and has heard its own', async () => {
    const [ann] = people('ann') as [Person];
    const room = await roomWith(ann);
    const stream = as(ann).stream('ChatStream');
    stream.say(ann.id, room, 'goodbye');
    stream.call.end();
    expect(await stream.ended()).toMatchObject({ code: 0 });
    expect(stream.contents(room)).toEqual(['goodbye']);
  });

  test('whose token expires ends with 16', async () => {
    const [ann] = people('ann') as [Person];
    const exp = Math.floor(Date.now() / 1_000) + 2;
    const client = grpc.as(hs256(SECRET, { sub: ann.id, exp }));
    expect(await client.stream('Chat').ended()).toMatchObject({ code: 16, details: 'token expired' });
    client.close();
  });

  test('outlives a broker that is killed, and misses nothing', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room = await roomWith(ann, [ben]);
    const [hers, his] = [as(ann).stream('ChatStream'), as(ben).stream('Chat')];
    await hers.join(ann.id, room);
    await his.join(ben.id, room);
    const killed = killEmbedded(world.platform, 'nats');
    for (let i = 0; i < 30; i++) hers.say(ann.id, room, `${i}`);
    await killed;
    await eventually(
      'an end to every send',
      () => hers.came.filter(({ action_type }) => action_type !== 'joined').length >= 30,
    );
    const refused = hers.find({ action_type: 'error' });
    expect(refused.map(({ metadata }) => (metadata as Fields)['code'])).toEqual(refused.map(() => '14'));
    await eventually('the same on both', () => his.contents(room).length === hers.contents(room).length);
    expect(his.contents(room)).toEqual(hers.contents(room));
    const numbers = hers.contents(room).map(Number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const stream of [hers, his]) stream.call.cancel();
  });

  test('counts as a presence while it is open', async () => {
    const [ann] = people('ann') as [Person];
    const online = async () => (await ann.http.get(`/api/users/${ann.id}`)).json['online'];
    const room = await roomWith(ann);
    const stream = as(ann).stream('ChatStream');
    await stream.join(ann.id, room);
    await eventually('being online', async () => (await online()) === true);
    stream.call.cancel();
    await eventually('being offline', async () => (await online()) === false);
  });

  test('that does not read is ended with a status that says resume, and misses nothing when it does', async () => {
    const [ann, ben] = people('ann', 'ben') as [Person, Person];
    const room = await roomWith(ann, [ben]);
    const slow = as(ben).stream('ChatStream');
    await slow.join(ben.id, room);
    slow.call.pause();
    const sender = as(ann);
    const content = 'x'.repeat(16_000);
    let sent = 0;
    const ended = (): boolean => slow.status !== undefined;
    // The flow window, gRPC's own buffers and the queue fill up; then the gateway gives up on the reader, and it hears of that.
    await eventually('the gateway to end the stream', async () => {
      for (let i = 0; i < 20; i++) {
        const message = { user_id: ann.id, room_id: room, content: `${sent} ${content}` };
        const { code, details } = await sender.call('SendMessage', { message });
        if (code !== 0) throw new Error(details);
        sent += 1;
      }
      if (sent >= 200) slow.call.resume();
      return ended();
    });
    const { code, details, metadata } = await slow.ended();
    expect({ code, details }).toEqual({ code: status.UNAVAILABLE, details: 'slow reader: reconnect and resume' });
    const [cursor] = metadata.get('parley-cursor');
    const again = as(ben).stream('ChatStream', { 'parley-cursor': String(cursor) });
    const resumed = await again.action({ action_type: 'resumed' });
    const numbers = (stream: typeof slow): number[] =>
      stream.contents(room).map((text) => Number.parseInt(String(text), 10));
    expect(resumed).toMatchObject({ metadata: { recovered: 'true' } });
    await eventually('all of them', () => new Set([...numbers(slow), ...numbers(again)]).size === sent);
    again.call.cancel();
  });
});
