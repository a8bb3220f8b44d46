import { beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { connectNats, loadConfig, PresenceLease } from '#service';
import { plainText, problem } from '../test-client.js';
import { ANNA, BEN, CLEO, People } from '../test-people.js';
import { type Api, foreignToken, SECRET, usePlatform } from '../test-platform.js';

const platform = usePlatform(['commands', 'projection']);
let api: Api;
let limited: Api;
const people = new People(() => api);

beforeAll(async () => {
  api = await platform.api({ JWT_SECRET: SECRET, RATE_LIMITS: 'off' });
  limited = await platform.api({ JWT_SECRET: SECRET, CONNECTIONS_PUBLIC: 'true' });
});

const send = (body: unknown) => ({ method: 'POST', url: '/api/messages', body });
const page = (query: string) => ({ url: `/api/messages/get${query}` });

describe('sending to participants', () => {
  test('is queued; a channel is the set of its participants', async () => {
    const participants = ['anna', 'ben', 'set'];
    const first = await people.ask(ANNA, send({ participants, content: 'one' }));
    expect(first.status).toBe(202);
    expect(first.json()).toMatchObject({
      status: 'message queued',
      id: expect.stringMatching(/^msg_\d+$/),
      position: expect.any(String),
      duplicate: false,
    });
    const second = await people.ask(BEN, send({ participants: [' set', 'ben', 'anna', 'ben '], content: 'two' }));
    const { position } = second.json() as { position: string };
    const seen = await people.seen(BEN, '/api/messages/get?participants=set,anna,%20ben', position);
    const message = (id: unknown, sender: string, content: string) => ({
      id,
      sender,
      content,
      participants: ['anna', 'ben', 'set'],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    expect(seen).toEqual([message(second.json()['id'], 'ben', 'two'), message(first.json()['id'], 'anna', 'one')]);
  });

  test('a channel of one is allowed', async () => {
    const token = foreignToken({ id: 'hermit' });
    const { position } = await people.done(token, send({ participants: ['hermit'], content: 'note to self' }));
    expect(await people.seen(token, '/api/messages/get?participants=hermit', position)).toHaveLength(1);
  });

  test.each([
    ['no JSON', '{"participants":', 400, 'bad request'],
    ['no body', '', 400, 'bad request'],
    ['an array', [], 400, 'bad request'],
    ['no participants', { content: 'x' }, 400, 'participants array is required'],
    ['null participants', { participants: null, content: 'x' }, 400, 'participants array is required'],
    ['empty participants', { participants: [], content: 'x' }, 400, 'participants array is required'],
    ['participants that are none', { participants: 'anna', content: 'x' }, 400, 'bad request'],
    ['a nameless participant', { participants: ['anna', ' '], content: 'x' }, 400, 'bad request'],
    ['a numbered participant', { participants: ['anna', 1], content: 'x' }, 400, 'bad request'],
    ['no content', { participants: ['anna'] }, 400, 'bad request'],
    ['bad text', { participants: ['anna'], content: '\0' }, 400, 'bad request'],
    ['others only', { participants: ['ben'], content: 'x' }, 403, 'forbidden: sender must be part of participants'],
    ['too much', { participants: ['anna'], content: 'x'.repeat(16_385) }, 413, 'content: must be at most 16384 bytes'],
  ])('%s is refused in plain text', async (_what, body, status, detail) => {
    expect(await people.ask(ANNA, send(body))).toMatchObject(plainText(status, detail));
  });

  test('a refusal is JSON for who asks for it', async () => {
    const request = { ...send({ content: 'x' }), headers: { accept: 'application/json' } };
    expect(await people.ask(ANNA, request)).toMatchObject(
      problem(400, 'invalid_body', 'participants array is required'),
    );
  });

  test('20 a second with a burst of 40', async () => {
    const token = foreignToken({ sub: 'loud' });
    const body = { participants: ['loud'], content: 'x' };
    const answers = await Promise.all(Array.from({ length: 400 }, () => limited.ask({ token, ...send(body) })));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused).toMatchObject(plainText(429, 'rate limit exceeded'));
    expect(refused?.headers.get('retry-after')).toBe('1');
  });
});

describe('paging through a channel', () => {
  const token = foreignToken({ sub: 'pager' });
  const contents = async (query: string): Promise<string[]> => {
    const answer = await people.ask(token, page(`?participants=pager${query}`));
    return (answer.json() as unknown as { content: string }[]).map(({ content }) => content);
  };

  beforeAll(async () => {
    let position = '';
    for (let i = 1; i <= 5; i++)
      ({ position } = await people.done(token, send({ participants: ['pager'], content: `m${i}` })));
    await people.seen(token, '/api/messages/get?participants=pager', position);
  });

  test.each([
    ['', ['m5', 'm4', 'm3', 'm2', 'm1']],
    ['&size=2', ['m5', 'm4']],
    ['&size=2&page=1', ['m3', 'm2']],
    ['&size=2&page=2', ['m1']],
    ['&size=2&page=3', []],
    ['&size=2&page=-1', ['m5', 'm4']],
    ['&size=0', ['m5']],
    ['&size=-3&page=x', ['m5']],
    ['&size=1000', ['m5', 'm4', 'm3', 'm2', 'm1']],
    ['&size=x', ['m5', 'm4', 'm3', 'm2', 'm1']],
    ['&page=1e300', []],
  ])('%j gives %j', async (query, expected) => {
    expect(await contents(query)).toEqual(expected);
  });

  test('who is no participant, and a channel without messages, get an empty array', async () => {
    const outsider = await people.ask(CLEO, page('?participants=pager'));
    expect({ status: outsider.status, text: outsider.text }).toEqual({ status: 200, text: '[]' });
    expect((await people.ask(CLEO, page('?participants=cleo,nobody'))).text).toBe('[]');
  });

  test.each(['', '?participants=', '?participants=,%20,'])('%j names no participants', async (query) => {
    expect(await people.ask(ANNA, page(query))).toMatchObject(
      plainText(400, 'participants query parameter is required'),
    );
  });

  test.each(['nonsense', '4-1'])('the position %j is refused', async (position) => {
    const answer = await people.ask(ANNA, page(`?participants=anna&position=${position}`));
    expect({ status: answer.status, type: answer.type }).toEqual({ status: 400, type: 'text/plain; charset=utf-8' });
  });
});

describe('signing in', () => {
  test.each([
    [undefined, 'missing authorization header'],
    ['Token abc', 'invalid authorization header format'],
    ['Bearer abc', 'invalid token'],
    [`Bearer ${foreignToken({ sub: 'anna', exp: 1_000_000_000 })}`, 'invalid token'],
  ])('%j is refused in plain text, before the body is looked at', async (authorization, detail) => {
    const headers = authorization === undefined ? {} : { authorization };
    expect(await api.ask({ ...send('{'), headers })).toMatchObject(plainText(401, detail));
    expect(await api.ask({ ...page(''), headers })).toMatchObject(plainText(401, detail));
  });

  test.each([
    ['GET', '/api/messages'],
    ['POST', '/api/messages/get'],
    ['GET', '/api/connections'],
    ['POST', '/health'],
  ])('%s %s is 405', async (method, url) => {
    expect(await people.ask(ANNA, { method, url })).toMatchObject(plainText(405, 'method not allowed'));
  });
});

describe('counting connections', () => {
  const count = (body: unknown) => ({ method: 'POST', url: '/api/connections', body });

  test('needs no token where that is allowed', async () => {
    const answer = await limited.ask(count({ users: ['alice', ' bob ', '__proto__'] }));
    expect({ status: answer.status, text: answer.text }).toEqual({
      status: 200,
      text: '{"alice":0,"bob":0,"__proto__":0}',
    });
    expect(await api.ask(count({ users: ['alice'] }))).toMatchObject(plainText(401, 'missing authorization header'));
    expect((await people.ask(ANNA, count({ users: ['alice'] }))).json()).toEqual({ alice: 0 });
  });

  test('counts what the gateways have, and a user with a connection is online', async () => {
    const nats = await connectNats(loadConfig({ NATS_URL: platform.nats.url }), 'spec');
    const troubles: string[] = [];
    const gateway = await PresenceLease.take(nats, { onTrouble: (problem) => troubles.push(problem) });
    gateway.connected('anna');
    gateway.connected('anna');
    gateway.connected('ben');
    const users = ['anna', 'ben', 'cleo'];
    await waitUntil('all are counted', 15_000, async () => {
      return (await limited.ask(count({ users }))).text === '{"anna":2,"ben":1,"cleo":0}';
    });
    const shown = async () => (await people.ask(BEN, { url: '/api/users/anna' })).json();
    await waitUntil('anna is online', 15_000, async () => (await shown())['online'] === true);
    await gateway.end();
    await waitUntil('all are gone', 15_000, async () => {
      return (await limited.ask(count({ users }))).text === '{"anna":0,"ben":0,"cleo":0}';
    });
    await waitUntil('anna is offline', 15_000, async () => (await shown())['online'] === false);
    expect((await shown())['lastSeen']).toMatch(/Z$/);
    expect(troubles).toEqual([]);
    await nats.close();
  });

  test.each([
    [{}, 'users array is required'],
    [{ users: null }, 'users array is required'],
    [{ users: [] }, 'users array is required'],
    [{ users: 'alice' }, 'bad request'],
    [{ users: Array.from({ length: 101 }, (_, i) => `u${i}`) }, 'bad request'],
    ['{', 'bad request'],
    ['', 'bad request'],
  ])('%j is refused', async (body, detail) => {
    expect(await limited.ask(count(body))).toMatchObject(plainText(400, detail));
  });
});
