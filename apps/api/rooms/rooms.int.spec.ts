import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { MemberView, RoomView } from '#contract';
import { problem } from '../test-client.js';
import { ANNA, BEN, CLEO, join, newId, People, send } from '../test-people.js';
import { type Api, SECRET, usePlatform } from '../test-platform.js';

const platform = usePlatform(['commands', 'projection']);
let api: Api;

const people = new People(() => api);

beforeAll(async () => {
  api = await platform.api({ JWT_SECRET: SECRET, RATE_LIMITS: 'off' });
});

describe('making and changing a room', () => {
  test('answers 202 and the room is there at its position', async () => {
    const id = newId();
    const body = { id, name: ' Tea ', description: 'for two', maxMembers: 7, settings: { colour: 'green' } };
    const answer = await people.ask(ANNA, { url: '/api/rooms', body });
    expect(answer.status).toBe(202);
    expect(answer.json()).toEqual({
      id,
      position: expect.stringMatching(/^[0-3]-[0-9]+$/),
      seq: expect.any(Number),
      duplicate: false,
      changed: true,
      roomId: id,
    });
    const room = await people.seen<RoomView>(ANNA, `/api/rooms/${id}`, String(answer.json()['position']));
    expect(room).toEqual({
      id,
      kind: 'room',
      name: 'Tea',
      description: 'for two',
      isPrivate: false,
      maxMembers: 7,
      memberCount: 1,
      settings: { colour: 'green' },
      createdBy: 'anna',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      archived: false,
    });
  });

  test('without an id it gets one', async () => {
    const { id, position } = await people.done(ANNA, { url: '/api/rooms', body: { name: 'Anything' } });
    expect(await people.seen<RoomView>(ANNA, `/api/rooms/${id}`, position)).toMatchObject({ id, name: 'Anything' });
  });

  test('a key makes it once', async () => {
    const request = { url: '/api/rooms', body: { name: 'Once' }, headers: { 'idempotency-key': randomUUID() } };
    const first = await people.done(ANNA, request);
    expect(await people.done(ANNA, request)).toEqual({ ...first, duplicate: true });
    expect(await people.ask(ANNA, { ...request, body: { name: 'Twice' } })).toMatchObject(
      problem(422, 'key_reused', 'this key was used with another body'),
    );
  });

  test('its owner changes and archives it', async () => {
    const id = await people.newRoom();
    const changed = await people.done(ANNA, { method: 'PATCH', url: `/api/rooms/${id}`, body: { name: 'Other' } });
    expect(await people.seen<RoomView>(ANNA, `/api/rooms/${id}`, changed.position)).toMatchObject({ name: 'Other' });
    const archived = await people.done(ANNA, { method: 'DELETE', url: `/api/rooms/${id}` });
    expect(await people.seen<RoomView>(ANNA, `/api/rooms/${id}`, archived.position)).toMatchObject({ archived: true });
    expect(await people.ask(ANNA, send(id, 'too late'))).toMatchObject(
      problem(409, 'room_archived', 'room is archived'),
    );
  });

  test.each([
    [{}, 400, 'invalid_body', /^name: /],
    [{ name: ' ' }, 400, 'invalid_body', /^name: must not be empty$/],
    [{ name: 'a\u0007b' }, 400, 'invalid_text', /^name: must be well-formed Unicode/],
    [{ name: 'x'.repeat(81) }, 413, 'too_large', /^name: must be at most 80 characters$/],
    [{ name: 'x', id: 'a b' }, 400, 'invalid_body', /^roomId: must be 1 to 64/],
    [{ name: 'x', id: 'dm_x' }, 403, 'forbidden', /participant channels/],
    [{ name: 'x', maxMembers: -1 }, 400, 'invalid_body', /^maxMembers: /],
    [{ name: 'x', colour: 'green' }, 400, 'invalid_body', /colour/],
  ])('%j is refused', async (body, status, code, detail) => {
    const answer = await people.ask(ANNA, { url: '/api/rooms', body });
    expect({ status: answer.status, ...answer.json() }).toEqual({
      status,
      code,
      detail: expect.stringMatching(detail),
    });
  });

  test('a taken id is 409; who is no moderator changes nothing', async () => {
    const id = await people.newRoom();
    expect(await people.ask(BEN, { url: '/api/rooms', body: { id, name: 'Mine' } })).toMatchObject(
      problem(409, 'already_exists', 'already exists'),
    );
    const change = { method: 'PATCH', url: `/api/rooms/${id}`, body: { name: 'Mine' } };
    expect(await people.ask(BEN, change)).toMatchObject(
      problem(403, 'not_member', 'user is not a member of this room'),
    );
    await people.done(BEN, join(id));
    expect(await people.ask(BEN, change)).toMatchObject(problem(403, 'forbidden', 'forbidden'));
  });

  test.each(['', 'x'.repeat(201), 'naïve'])('the key %j is refused', async (key) => {
    const headers = { 'idempotency-key': key };
    expect(await people.ask(ANNA, { url: '/api/rooms', body: { name: 'x' }, headers })).toMatchObject(
      problem(400, 'invalid_body', 'Idempotency-Key: must be 1 to 200 printable ASCII characters'),
    );
  });
});

describe('listing rooms', () => {
  test('by name, page after page, public ones and own private ones', async () => {
    const tag = randomUUID();
    for (const name of ['c', 'a', 'b']) await people.newRoom({ name: `${tag} ${name}` });
    await people.newRoom({ name: `${tag} secret`, isPrivate: true });
    const names = async (token: string, limit: number): Promise<string[]> => {
      const found: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const answer = await people.ask(token, { url: `/api/rooms?q=${tag.toUpperCase()}&limit=${limit}${more}` });
        const page = answer.json() as unknown as { items: RoomView[]; next: string | null };
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items.map(({ name }) => name.slice(tag.length + 1)));
        cursor = page.next;
      }
      return found;
    };
    expect(await names(ANNA, 2)).toEqual(['a', 'b', 'c', 'secret']);
    expect(await names(BEN, 100)).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['limit=0', 400, 'invalid_body', /^limit: /],
    ['limit=101', 400, 'invalid_body', /^limit: /],
    ['limit=many', 400, 'invalid_body', /^limit: /],
    ['cursor=nonsense', 400, 'invalid_cursor', /^invalid cursor$/],
    ['position=nonsense', 400, 'invalid_cursor', /^position: must be a position or a cursor$/],
    ['position=4-1', 400, 'invalid_cursor', /^position: is of a log with other partitions$/],
    ['position=abc.1.2', 400, 'invalid_cursor', /^position: is of a log with other partitions$/],
    ['position=abc.1.2.3.4', 400, 'invalid_cursor', /^the cursor is of another epoch of the log$/],
  ])('?%s is refused', async (query, status, code, detail) => {
    const answer = await people.ask(ANNA, { url: `/api/rooms?${query}` });
    expect({ status: answer.status, ...answer.json() }).toEqual({
      status,
      code,
      detail: expect.stringMatching(detail),
    });
  });

  test('a position that the views do not reach in time is 503 with Retry-After', async () => {
    const answer = await people.ask(ANNA, { url: '/api/rooms?position=0-999999999' });
    expect(answer).toMatchObject(problem(503, 'behind', 'the view has not caught up yet'));
    expect(answer.headers.get('retry-after')).toBe('1');
  });
});

describe('coming and going', () => {
  test('joining answers with what happened last, in both spellings', async () => {
    const id = await people.newRoom();
    const sent = await people.done(ANNA, send(id, 'hello'));
    const answer = await people.ask(BEN, join(id, { userId: 'ben', username: 'whoever' }));
    expect(answer.status).toBe(202);
    expect(answer.json()).toMatchObject({ success: true, id, changed: true, duplicate: false });
    const item = (eventType: string, userId: string, text: string) => ({
      eventType,
      event_type: eventType,
      offset: expect.any(Number),
      data: { userId, username: userId, text, timestamp: expect.any(Number) },
    });
    expect(answer.json()['history']).toEqual([
      item('join', 'anna', ''),
      { ...item('message', 'anna', 'hello'), offset: sent.seq },
      item('join', 'ben', ''),
    ]);
  });

  test('joining twice and leaving twice change nothing the second time', async () => {
    const id = await people.newRoom();
    expect((await people.ask(BEN, join(id))).json()).toMatchObject({ success: true, changed: true });
    expect((await people.ask(BEN, join(id))).json()).toMatchObject({ success: true, changed: false });
    const leave = { url: `/api/rooms/${id}/leave`, body: {} };
    expect((await people.ask(BEN, leave)).json()).toMatchObject({ success: true, changed: true });
    const again = await people.ask(BEN, leave);
    expect(again.status).toBe(202);
    expect(again.json()).toMatchObject({ success: true, changed: false });
  });

  test('the last 50 events at most', async () => {
    const id = await people.newRoom();
    for (let i = 0; i < 55; i++) await people.done(ANNA, send(id, `m${i}`));
    const { history } = (await people.ask(BEN, join(id))).json() as { history: { data: { text: string } }[] };
    expect(history).toHaveLength(50);
    expect(history.map(({ data }) => data.text).slice(0, 2)).toEqual(['m6', 'm7']);
  });

  test('a missing room is made where the deployment allows that', async () => {
    const id = newId();
    expect((await people.ask(BEN, join(id))).json()).toMatchObject({ success: true, id });
    expect((await people.ask(BEN, { url: `/api/rooms/${id}` })).json()).toMatchObject({ name: id, createdBy: 'ben' });
  });

  test('a full room is 409', async () => {
    const id = await people.newRoom({ maxMembers: 1 });
    expect(await people.ask(BEN, join(id))).toMatchObject(problem(409, 'room_full', 'room is at maximum capacity'));
  });

  test.each(['join', 'leave', 'messages'])('a body of %s that names someone else is 403', async (action) => {
    const id = await people.newRoom();
    const body = { userId: 'anna', content: 'x' };
    expect(await people.ask(BEN, { url: `/api/rooms/${id}/${action}`, body })).toMatchObject(
      problem(403, 'forbidden', 'forbidden'),
    );
  });

  test('members are listed in the order in which they came', async () => {
    const id = await people.newRoom();
    const { position } = await people.done(BEN, join(id));
    const { users } = await people.seen<{ users: MemberView[] }>(CLEO, `/api/rooms/${id}/users`, position);
    expect(users).toEqual([
      {
        userId: 'anna',
        username: 'anna',
        displayName: 'anna',
        role: 'owner',
        muted: false,
        joinedAt: expect.any(String),
      },
      {
        userId: 'ben',
        username: 'ben',
        displayName: 'ben',
        role: 'member',
        muted: false,
        joinedAt: expect.any(String),
      },
    ]);
  });
});

describe('a private room', () => {
  const hidden = problem(404, 'room_not_found', 'room not found');

  test.each([
    { url: '' },
    { url: '/users' },
    { url: '/messages' },
    { url: '/messages/msg_1024' },
    { url: '/join', body: {} },
    { url: '/leave', body: {} },
    { url: '/messages', body: { content: 'x' } },
    { method: 'PATCH', url: '', body: { name: 'x' } },
    { method: 'DELETE', url: '' },
    { url: '/invites', body: { userId: 'cleo' } },
    { method: 'PUT', url: '/members/anna', body: { muted: true } },
    { method: 'DELETE', url: '/members/anna' },
    { method: 'PUT', url: '/read', body: { messageId: 'msg_1024' } },
  ])('does not exist for who is not in it: %j', async ({ url, ...request }) => {
    const id = await people.newRoom({ isPrivate: true });
    expect(await people.ask(BEN, { ...request, url: `/api/rooms/${id}${url}` })).toMatchObject(hidden);
  });

  test('is entered by invitation, whose code names it', async () => {
    const id = await people.newRoom({ isPrivate: true });
    const invited = await people.ask(ANNA, { url: `/api/rooms/${id}/invites`, body: { userId: 'ben' } });
    expect(invited.status).toBe(202);
    expect(invited.json()).toMatchObject({ id: 'ben', code: `r.${id}`, changed: true });
    const accept = { method: 'POST', url: `/api/invites/r.${id}/accept` };
    expect(await people.ask(CLEO, accept)).toMatchObject(hidden);
    expect((await people.ask(BEN, accept)).status).toBe(202);
    expect((await people.ask(BEN, send(id, 'thanks'))).status).toBe(202);
    expect(await people.ask(BEN, { method: 'POST', url: '/api/invites/nonsense/accept' })).toMatchObject(hidden);
  });
});

describe('moderation', () => {
  test('the owner makes moderators, mutes, bans and removes', async () => {
    const id = await people.newRoom();
    await people.done(BEN, join(id));
    await people.done(CLEO, join(id));
    const member = (userId: string) => `/api/rooms/${id}/members/${userId}`;
    const put = (token: string, userId: string, body: object) =>
      people.ask(token, { method: 'PUT', url: member(userId), body });
    expect((await put(ANNA, 'ben', { role: 'moderator' })).status).toBe(202);
    expect((await put(BEN, 'cleo', { muted: true })).status).toBe(202);
    expect(await people.ask(CLEO, send(id, 'x'))).toMatchObject(problem(403, 'muted', 'user is muted in this room'));
    expect(await put(CLEO, 'ben', { muted: true })).toMatchObject(problem(403, 'forbidden', 'forbidden'));
    expect((await people.ask(BEN, { method: 'DELETE', url: member('cleo') })).status).toBe(202);
    expect((await put(ANNA, 'cleo', { banned: true })).status).toBe(202);
    expect(await people.ask(CLEO, join(id))).toMatchObject(problem(403, 'banned', 'user is banned from this room'));
  });
});
