import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { InboxEntry, MessageView } from '#contract';
import { problem } from '../test-client.js';
import { type Accepted, ANNA, BEN, join, newId, People, send } from '../test-people.js';
import { type Api, foreignToken, SECRET, usePlatform } from '../test-platform.js';

const platform = usePlatform(['commands', 'projection']);
let api: Api;
let limited: Api;
const people = new People(() => api);

beforeAll(async () => {
  api = await platform.api({ JWT_SECRET: SECRET, RATE_LIMITS: 'off' });
  limited = await platform.api({ JWT_SECRET: SECRET });
});

describe('messages', () => {
  test('a send answers with the id, the offset and the position of the message', async () => {
    const id = await people.newRoom();
    const body = { text: 'e\u0301t\u00e9\tand\nmore', metadata: { k: 'v' }, mentions: ['ben'] };
    const answer = await people.ask(ANNA, { url: `/api/rooms/${id}/messages`, body });
    expect(answer.status).toBe(202);
    const sent = answer.json() as { id: string; seq: number; position: string };
    expect(sent).toMatchObject({ success: true, eventId: sent.id, offset: sent.seq, duplicate: false, roomId: id });
    expect(await people.seen<MessageView>(ANNA, `/api/rooms/${id}/messages/${sent.id}`, sent.position)).toEqual({
      id: sent.id,
      roomId: id,
      seq: sent.seq,
      ordinal: 1,
      sender: 'anna',
      content: '\u00e9t\u00e9\tand\nmore',
      type: 'text',
      metadata: { k: 'v' },
      mentions: ['ben'],
      replyTo: null,
      reactions: {},
      editedAt: null,
      deletedAt: null,
      createdAt: expect.any(String),
    });
  });

  test.each(['not a uuid', randomUUID()])('the key %j sends once, however often it is repeated', async (key) => {
    const id = await people.newRoom();
    const request = { ...send(id, 'once'), headers: { 'idempotency-key': key } };
    const first = await people.done(ANNA, request);
    for (let i = 0; i < 3; i++) expect(await people.done(ANNA, request)).toEqual({ ...first, duplicate: true });
    const { items } = await people.seen<{ items: MessageView[] }>(ANNA, `/api/rooms/${id}/messages`, first.position);
    expect(items).toHaveLength(1);
  });

  test('pages go from the newest to the oldest, or the other way, and say what they include', async () => {
    const id = await people.newRoom();
    let last: Accepted | undefined;
    for (let i = 1; i <= 5; i++) last = await people.done(ANNA, send(id, `m${i}`));
    const position = last?.position ?? '';
    interface MessagePage {
      items: MessageView[];
      next: string | null;
      position: string;
    }
    const page = (query: string) => people.seen<MessagePage>(ANNA, `/api/rooms/${id}/messages?${query}`, position);
    const contents = ({ items }: MessagePage) => items.map(({ content }) => content);
    const first = await page('limit=2');
    expect(contents(first)).toEqual(['m5', 'm4']);
    const second = await page(`limit=2&cursor=${first.next}`);
    expect(contents(second)).toEqual(['m3', 'm2']);
    const third = await page(`limit=2&cursor=${second.next}`);
    expect(contents(third)).toEqual(['m1']);
    expect(third.next).toBeNull();
    const [partition, seq] = first.position.split('-').map(Number);
    expect(partition).toBe(Number(position.split('-')[0]));
    expect(seq).toBeGreaterThanOrEqual(last?.seq ?? Infinity);
    expect(contents(await page('order=asc&limit=2'))).toEqual(['m1', 'm2']);
    const m3 = second.items[0]?.id;
    expect(contents(await page(`before=${m3}`))).toEqual(['m2', 'm1']);
    expect(contents(await page(`after=${m3}`))).toEqual(['m5', 'm4']);
  });

  test('the history of a public room is for its members', async () => {
    const id = await people.newRoom();
    const { id: messageId } = await people.done(ANNA, send(id, 'x'));
    const refused = problem(403, 'not_member', 'user is not a member of this room');
    expect(await people.ask(BEN, { url: `/api/rooms/${id}/messages` })).toMatchObject(refused);
    expect(await people.ask(BEN, { url: `/api/rooms/${id}/messages/${messageId}` })).toMatchObject(refused);
    expect(await people.ask(BEN, send(id, 'x'))).toMatchObject(refused);
  });

  test.each([
    [{}, 400, 'invalid_body', /^content: /],
    [{ content: '' }, 400, 'invalid_body', /^content: must not be empty$/],
    [{ content: 'a\0b' }, 400, 'invalid_text', /^content: must be well-formed Unicode/],
    [{ content: '\ud800' }, 400, 'invalid_text', /^content: must be well-formed Unicode/],
    [{ content: 'é'.repeat(8_193) }, 413, 'too_large', /^content: must be at most 16384 bytes$/],
    [{ content: 'x', type: 'system' }, 400, 'invalid_body', /^type: /],
    [{ content: 'x', replyTo: 'x' }, 400, 'invalid_body', /^replyTo: /],
    [{ content: 'x', metadata: { a: 1 } }, 400, 'invalid_body', /^metadata.a: /],
    [{ content: 'x', roomid: 'y' }, 400, 'invalid_body', /roomid/],
  ])('%j is refused', async (body, status, code, detail) => {
    const id = await people.newRoom();
    const answer = await people.ask(ANNA, { url: `/api/rooms/${id}/messages`, body });
    expect({ status: answer.status, ...answer.json() }).toEqual({
      status,
      code,
      detail: expect.stringMatching(detail),
    });
  });

  test.each([
    ['/api/rooms/nowhere/messages', 404, 'room_not_found', /^room not found$/],
    ['/api/rooms/a%20b/messages', 400, 'invalid_body', /^roomId: must be 1 to 64/],
    ['/api/rooms/ROOM/messages/msg_1024', 404, 'message_not_found', /^message not found$/],
    ['/api/rooms/ROOM/messages/one', 400, 'invalid_body', /^messageId: must be a message id/],
    ['/api/rooms/ROOM/messages?order=up', 400, 'invalid_body', /^order: /],
    ['/api/rooms/ROOM/messages?before=one', 400, 'invalid_body', /^before: must be a message id/],
    ['/api/rooms/ROOM/messages?cursor=one', 400, 'invalid_cursor', /^invalid cursor$/],
  ])('GET %s is refused', async (url, status, code, detail) => {
    const answer = await people.ask(ANNA, { url: url.replace('ROOM', await people.newRoom()) });
    expect({ status: answer.status, ...answer.json() }).toEqual({
      status,
      code,
      detail: expect.stringMatching(detail),
    });
  });

  test('20 a second with a burst of 40 a user, and Retry-After beyond', async () => {
    const id = await people.newRoom();
    const token = foreignToken({ sub: `loud-${id}` });
    await people.done(token, join(id));
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, i) => limited.ask({ token, ...send(id, `m${i}`) })),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(40);
    expect(refused[0]).toMatchObject(problem(429, 'rate_limited', 'rate limit exceeded'));
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
  });
});

describe('marks and the inbox', () => {
  test('unread counts up to what was read', async () => {
    const id = await people.newRoom();
    const token = foreignToken({ sub: `reader-${id}` });
    await people.done(token, join(id));
    const sent: Accepted[] = [];
    for (let i = 0; i < 3; i++) sent.push(await people.done(ANNA, send(id, `m${i}`)));
    const position = sent[2]?.position ?? '';
    const inbox = async (): Promise<InboxEntry[]> =>
      (await people.seen<{ items: InboxEntry[] }>(token, '/api/inbox', position)).items;
    expect(await inbox()).toMatchObject([{ room: { id }, unread: 3, readUpTo: null, lastMessage: { content: 'm2' } }]);
    const messageId = sent[1]?.id;
    const marked = await people.ask(token, { method: 'PUT', url: `/api/rooms/${id}/read`, body: { messageId } });
    expect({ status: marked.status, body: marked.json() }).toEqual({
      status: 200,
      body: { roomId: id, messageId, ordinal: 2 },
    });
    expect(await inbox()).toMatchObject([{ unread: 1, readUpTo: messageId }]);
    // The greatest mark wins.
    const back = { method: 'PUT', url: `/api/rooms/${id}/read`, body: { messageId: sent[0]?.id } };
    expect((await people.ask(token, back)).status).toBe(200);
    expect(await inbox()).toMatchObject([{ unread: 1, readUpTo: messageId }]);
    const delivered = { method: 'PUT', url: `/api/rooms/${id}/delivered`, body: { messageId } };
    expect((await people.ask(token, delivered)).status).toBe(200);
  });

  test.each([
    [{}, 400, 'invalid_body'],
    [{ messageId: 'one' }, 400, 'invalid_body'],
    [{ messageId: 'msg_1024' }, 404, 'message_not_found'],
  ])('a mark of %j is refused', async (body, status, code) => {
    const id = await people.newRoom();
    const answer = await people.ask(ANNA, { method: 'PUT', url: `/api/rooms/${id}/read`, body });
    expect(answer.json()).toMatchObject({ status, code });
  });
});

describe('users', () => {
  test('a status is shown with the user', async () => {
    const token = foreignToken({ sub: `moody-${newId()}` });
    const status = { mood: 'busy', message: 'deep in it' };
    const set = { method: 'PUT', url: '/api/users/me/status', body: { online: true, status } };
    const { id, position } = await people.done(token, set);
    const user = await people.seen<object>(ANNA, `/api/users/${id}`, position);
    expect(user).toMatchObject({ id, online: true, lastSeen: expect.any(String), status });
    const hide = await people.done(token, { ...set, body: { online: false } });
    expect(await people.seen<object>(ANNA, `/api/users/${id}`, hide.position)).toMatchObject({ online: false, status });
  });

  test('a profile is changed by its owner', async () => {
    const token = foreignToken({ sub: `vain-${newId()}` });
    const body = { displayName: 'Vera', avatarUrl: 'https://example.org/v.png' };
    const { id, position } = await people.done(token, { method: 'PATCH', url: '/api/me', body });
    expect(await people.seen<object>(token, '/api/me', position)).toMatchObject({ id, ...body });
    expect(await people.seen<object>(ANNA, `/api/users/${id}`, position)).toMatchObject({ id, ...body });
  });

  test('one that nobody has heard of is 404; an id that cannot be one is refused', async () => {
    expect(await people.ask(ANNA, { url: '/api/users/nobody-at-all' })).toMatchObject(
      problem(404, 'user_not_found', 'user not found'),
    );
    expect((await people.ask(ANNA, { url: '/api/users/a%00b' })).json()).toMatchObject({
      status: 400,
      code: 'invalid_text',
    });
  });
});
