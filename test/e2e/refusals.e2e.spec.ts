import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { hs256, textAt } from '../http.js';
import { SECRET } from '../platform.js';
import type { Socket } from '../socket.js';
import { expectRefusal, roomWith, say, worldOf, type Person } from './world.js';

const world = worldOf();

afterEach(async () => {
  // Whatever was sent, the process lives and is well.
  expect((await world.http.get('/health/ready')).status).toBe(200);
});

describe('a body:', () => {
  const bodies: [string, string, string | ((room: string) => string), unknown, number, string][] = [
    ['no JSON', 'POST', '/api/rooms', '{"name":', 400, 'invalid_body'],
    ['a list', 'POST', '/api/rooms', [], 400, 'invalid_body'],
    ['a string', 'POST', '/api/rooms', '"name"', 400, 'invalid_body'],
    ['null', 'POST', '/api/rooms', 'null', 400, 'invalid_body'],
    ['a room without a name', 'POST', '/api/rooms', {}, 400, 'invalid_body'],
    ['a room with an empty name', 'POST', '/api/rooms', { name: '   ' }, 400, 'invalid_body'],
    ['a name that is too long', 'POST', '/api/rooms', { name: 'x'.repeat(81) }, 413, 'too_large'],
    ['an unknown field', 'POST', '/api/rooms', { name: 'x', colour: 'red' }, 400, 'invalid_body'],
    ['a room id with a dot', 'POST', '/api/rooms', { name: 'x', id: 'a.b' }, 400, 'invalid_body'],
    ['a room id that is a wildcard', 'POST', '/api/rooms', { name: 'x', id: '*' }, 400, 'invalid_body'],
    ['no seats', 'POST', '/api/rooms', { name: 'x', maxMembers: -1 }, 400, 'invalid_body'],
    ['settings that are no strings', 'POST', '/api/rooms', { name: 'x', settings: { a: 1 } }, 400, 'invalid_body'],
    ['too many settings', 'POST', '/api/rooms', { name: 'x', settings: entries(33, 'v') }, 413, 'too_large'],
    ['a message without a content', 'POST', messages, {}, 400, 'invalid_body'],
    ['an empty content', 'POST', messages, { content: '' }, 400, 'invalid_body'],
    ['a content that is a number', 'POST', messages, { content: 7 }, 400, 'invalid_body'],
    ['a content of 16 KiB and a byte', 'POST', messages, { content: 'x'.repeat(16 * 1024 + 1) }, 413, 'too_large'],
    ['a content with U+0000', 'POST', messages, { content: 'a\u0000b' }, 400, 'invalid_text'],
    ['a content with a control character', 'POST', messages, { content: 'a\u0007b' }, 400, 'invalid_text'],
    ['half of a character', 'POST', messages, '{"content":"\\ud83d"}', 400, 'invalid_text'],
    ['a body over 64 KiB', 'POST', messages, { content: 'x', metadata: { a: 'y'.repeat(70_000) } }, 413, 'too_large'],
    [
      'metadata of more than 4 KiB',
      'POST',
      messages,
      { content: 'x', metadata: { a: 'y'.repeat(4_100) } },
      413,
      'too_large',
    ],
    ['more than 32 metadata', 'POST', messages, { content: 'x', metadata: entries(33, 'v') }, 413, 'too_large'],
    ['the type system', 'POST', messages, { content: 'x', type: 'system' }, 400, 'invalid_body'],
    ['a type that there is not', 'POST', messages, { content: 'x', type: 'smell' }, 400, 'invalid_body'],
    ['a reply to no message id', 'POST', messages, { content: 'x', replyTo: '7' }, 400, 'invalid_body'],
    ['too many mentions', 'POST', messages, { content: 'x', mentions: Array(65).fill('a') }, 400, 'invalid_body'],
    ['a mark without a message', 'PUT', (room) => `/api/rooms/${room}/read`, {}, 400, 'invalid_body'],
    ['a mark on no message id', 'PUT', (room) => `/api/rooms/${room}/read`, { messageId: 'x' }, 400, 'invalid_body'],
    ['a status that is no map', 'PUT', '/api/users/me/status', { status: 'fine' }, 400, 'invalid_body'],
    ['an online that is no boolean', 'PUT', '/api/users/me/status', { online: 'yes' }, 400, 'invalid_body'],
  ];

  test.each(bodies)('%s', async (_, method, path, body, status, code) => {
    const ann = world.person('ann');
    const room = await roomWith(ann);
    const answer = await ann.http.call(method, typeof path === 'string' ? path : path(room), { body });
    expectRefusal(answer, status, code);
  });

  function messages(room: string): string {
    return `/api/rooms/${room}/messages`;
  }

  function entries(count: number, value: string): Record<string, string> {
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
  }

  test('that is no JSON by its own word', async () => {
    const ann = world.person('ann');
    const answer = await ann.http.post('/api/rooms', 'name=x', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([400, 415]).toContain(answer.status);
    expect(answer.json).toMatchObject({ code: 'invalid_body' });
  });

  test('text is stored in NFC, as sent otherwise', async () => {
    const ann = world.person('ann');
    const room = await roomWith(ann);
    const { id, position } = await say(ann, room, 'cafe\u0301 <b>&amp;</b> \ttab\nline 👩‍👩‍👧');
    const shown = await ann.http.get(`/api/rooms/${room}/messages/${id}?position=${position}`);
    expect(shown.json['content']).toBe('café <b>&amp;</b> \ttab\nline 👩‍👩‍👧');
  });
});

describe('a token:', () => {
  const now = Math.floor(Date.now() / 1_000);
  const tokens: [string, string | undefined, string][] = [
    ['none', undefined, 'unauthenticated'],
    ['empty', '', 'unauthenticated'],
    ['no token', 'abc.def', 'unauthenticated'],
    ['of another secret', hs256('another secret of more than 32 bytes', { sub: 'ann' }), 'unauthenticated'],
    ['expired', hs256(SECRET, { sub: 'ann', exp: now - 60 }), 'token_expired'],
    ['without exp', hs256(SECRET, { sub: 'ann', exp: undefined }), 'unauthenticated'],
    ['without a user', hs256(SECRET, {}), 'unauthenticated'],
    ['whose user is a number', hs256(SECRET, { sub: 7 }), 'unauthenticated'],
    ['unsigned, by its own word', unsigned({ sub: 'ann', exp: now + 60 }), 'unauthenticated'],
    ['of another algorithm', hs512({ sub: 'ann', exp: now + 60 }), 'unauthenticated'],
    ['with a user id of 300 characters', hs256(SECRET, { sub: 'a'.repeat(300) }), 'unauthenticated'],
  ];

  test.each(tokens)('%s', async (_, token, code) => {
    expectRefusal(await world.http.as(token).get('/api/inbox'), 401, code);
  });

  test.each(tokens.filter(([, token]) => token))('%s, in hello', async (_, token, code) => {
    const socket = await world.open({ protocols: ['parley.v1'] }).opened();
    socket.send({ op: 'hello', token });
    const { code: closeCode } = await socket.closed();
    expect(closeCode).toBe(code === 'token_expired' ? 4501 : 4500);
  });

  function unsigned(claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
  }

  function hs512(claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'HS512', typ: 'JWT' })}.${part(claims)}`;
    return `${signed}.${createHmac('sha512', SECRET).update(signed).digest('base64url')}`;
  }
});

describe('an id, cursor, page or header:', () => {
  const paths: [string, (room: string) => string, number, string][] = [
    ['an unknown room', () => '/api/rooms/nowhere', 404, 'room_not_found'],
    ['a room id that is none', () => '/api/rooms/a%2Eb%20c', 400, 'invalid_body'],
    ['a room id that is a wildcard', () => '/api/rooms/%3E/messages', 400, 'invalid_body'],
    ['an unknown message', (room) => `/api/rooms/${room}/messages/msg_9000000`, 404, 'message_not_found'],
    ['a message id that is none', (room) => `/api/rooms/${room}/messages/7`, 400, 'invalid_body'],
    ['an unknown user', () => '/api/users/nobody-at-all', 404, 'user_not_found'],
    ['a limit of 0', (room) => `/api/rooms/${room}/messages?limit=0`, 400, 'invalid_body'],
    ['a limit of 101', (room) => `/api/rooms/${room}/messages?limit=101`, 400, 'invalid_body'],
    ['a limit that is no number', (room) => `/api/rooms/${room}/messages?limit=all`, 400, 'invalid_body'],
    ['an order that there is not', (room) => `/api/rooms/${room}/messages?order=best`, 400, 'invalid_body'],
    ['a cursor that is none', (room) => `/api/rooms/${room}/messages?cursor=x`, 400, 'invalid_cursor'],
    ['a cursor of a list of rooms that is none', () => '/api/rooms?cursor=%00', 400, 'invalid_cursor'],
    ['a cursor of the inbox that is none', () => '/api/inbox?cursor=eyJ9', 400, 'invalid_cursor'],
    ['a position that is none', (room) => `/api/rooms/${room}/messages?position=soon`, 400, 'invalid_cursor'],
    ['a position in a partition that there is not', () => '/api/inbox?position=999-1', 400, 'invalid_cursor'],
    ['a path that there is not', () => '/api/nothing', 404, 'not_found'],
  ];

  test.each(paths)('%s', async (_, path, status, code) => {
    const ann = world.person('ann');
    expectRefusal(await ann.http.get(path(await roomWith(ann))), status, code);
  });

  test('a position that the log does not have yet is waited for, then refused for now', async () => {
    const answer = await world.person('ann').http.get('/api/inbox?position=0-999999999');
    expectRefusal(answer, 503, 'behind');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('a position in the header that is none', async () => {
    const answer = await world.person('ann').http.get('/api/inbox', { headers: { 'parley-position': '1.1' } });
    expectRefusal(answer, 400, 'invalid_cursor');
  });

  test.each([
    ['of 201 characters', 'x'.repeat(201)],
    ['that is no ASCII', 'ümlaut'],
  ])('an Idempotency-Key %s', async (_, key) => {
    const ann = world.person('ann');
    const room = await roomWith(ann);
    const headers = { 'idempotency-key': Buffer.from(key, 'utf8').toString('latin1') };
    expectRefusal(
      await ann.http.post(`/api/rooms/${room}/messages`, { content: 'x' }, { headers }),
      400,
      'invalid_body',
    );
  });

  test('accounts: a taken name, a wrong password, missing fields', async () => {
    const { http } = world;
    const account = { username: 'Zed', email: 'zed@example.org', password: 'long enough' };
    expect((await http.post('/api/auth/register', account)).status).toBe(201);
    expectRefusal(
      await http.post('/api/auth/register', { ...account, email: 'other@example.org' }),
      409,
      'already_exists',
    );
    expectRefusal(
      await http.post('/api/auth/register', { ...account, username: 'zED', email: 'o@example.org' }),
      409,
      'already_exists',
    );
    const missing = await http.post('/api/auth/register', { username: 'solo' });
    expectRefusal(missing, 400, 'invalid_body');
    expect(missing.json['detail']).toBe('username, email, and password are required');
    const nothing = await http.post('/api/auth/login', {});
    expect(nothing.json).toMatchObject({ status: 400, detail: 'email and password are required' });
    const wrong = await http.post('/api/auth/login', { email: account.email, password: 'not this one' });
    expectRefusal(wrong, 401, 'unauthenticated');
    expect(wrong.json['detail']).toBe('invalid email or password');
    const right = await http.post('/api/auth/login', { email: account.email, password: account.password });
    expect(right).toMatchObject({
      status: 200,
      json: { user: { id: 'zed', username: 'Zed' }, token: expect.any(String) },
    });
    expect((await http.as(textAt(right.json, 'token')).get('/api/me')).json).toMatchObject({ id: 'zed' });
  });
});

describe('a frame:', () => {
  const greeted = (person: Person): Promise<Socket> => world.connect(person);
  const opened = async (person: Person): Promise<Socket> =>
    world.open({ token: person.token, protocols: ['parley.v1'] }).opened();

  test.each([
    ['that is no JSON', 'hello?'],
    ['that is a list', '[]'],
    ['without an op', '{}'],
    ['with an op that there is not', '{"op":"dance","id":"1"}'],
    ['that greets again', '{"op":"hello"}'],
    ['without an id where one is needed', '{"op":"join","room":"x"}'],
    ['with a room that is none', '{"op":"join","room":"a.b","id":"1"}'],
    ['with no room', '{"op":"send","content":"x","id":"1"}'],
    ['with a room and participants', '{"op":"send","room":"x","participants":["a"],"content":"x","id":"1"}'],
    ['with an empty content', '{"op":"send","room":"x","content":"","id":"1"}'],
    ['with half of a character', '{"op":"send","room":"x","content":"\\ud83d","id":"1"}'],
    ['that watches no list', '{"op":"watch","users":"ann","id":"1"}'],
    ['that types a riddle', '{"op":"typing","room":"x","typing":"maybe"}'],
  ])('%s is refused with a code: as an error, or with close code 4502', async (_, text) => {
    const socket = await greeted(world.person('ann'));
    socket.send(text);
    const refusal = await Promise.race([
      socket.frame('an error', ({ op }) => op === 'error'),
      socket.closed().then(({ code }) => ({ closed: code })),
    ]);
    if ('closed' in refusal) expect(refusal).toEqual({ closed: 4502 });
    else
      expect(refusal).toMatchObject({
        code: expect.stringMatching(/^(invalid_body|invalid_text)$/),
        message: expect.any(String),
        temporary: false,
      });
  });

  test.each([
    ['send', { op: 'send', content: 'x' }],
    ['join', { op: 'join' }],
    ['leave', { op: 'leave' }],
  ])('%s in a room that there is not is an error with the same id, and the socket lives', async (_, frame) => {
    const socket = await greeted(world.person('ann'));
    const room = 'dm_never';
    expect(await socket.request({ ...frame, room })).toMatchObject({
      op: 'error',
      code: 'room_not_found',
      message: 'room not found',
      temporary: false,
    });
    await socket.pong();
  });

  test('before hello is refused', async () => {
    const socket = await opened(world.person('ann'));
    socket.send({ op: 'send', id: 1, room: 'x', content: 'x' });
    expect((await socket.closed()).code).toBe(4502);
  });

  test('over 64 KiB closes with 4503', async () => {
    const socket = await greeted(world.person('ann'));
    socket.send({ op: 'send', id: 1, room: 'x', content: 'x'.repeat(70_000) });
    expect((await socket.closed()).code).toBe(4503);
  });

  test('in binary is read, or refused as a protocol error', async () => {
    const socket = await greeted(world.person('ann'));
    socket.send(Buffer.from([0, 1, 2, 255]) as unknown as string);
    const refusal = await Promise.race([
      socket.frame('an error', ({ op }) => op === 'error').then(({ code }) => code),
      socket.closed().then(({ code }) => code),
    ]);
    expect(['invalid_body', 4502]).toContain(refusal);
  });

  test('an upgrade with a wrong token in the header is 401, with an unknown subprotocol is no upgrade to it', async () => {
    expect(await world.open({ token: 'nonsense', protocols: ['parley.v1'] }).refused()).toBe(401);
    const { token } = world.person('ann');
    const socket = await world.open({ protocols: ['parley.v1', `bearer.${token}`] }).opened();
    expect(socket.protocol).toBe('parley.v1');
    socket.send({ op: 'hello' });
    await socket.frame('welcome', ({ op }) => op === 'welcome');
  });

  test('what is not allowed is refused: sending as no member, watching strangers', async () => {
    const [ann, bob] = [world.person('ann'), world.person('bob')];
    const room = await roomWith(ann);
    const socket = await greeted(bob);
    expect(await socket.request({ op: 'send', room, content: 'x' })).toMatchObject({
      op: 'error',
      code: 'not_member',
      message: 'user is not a member of this room',
    });
    expect(await socket.request({ op: 'read', room, messageId: 'msg_1024' })).toMatchObject({ op: 'error' });
    socket.send({ op: 'typing', room, typing: true });
    await socket.pong();
  });
});
