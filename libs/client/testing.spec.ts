import { beforeEach, describe, expect, test } from '@jest/globals';
import { keyTimeMs } from '#contract';
import { clientContract, shown, until, type World } from './client-contract.js';
import { MockServer } from './testing.js';

describe('the client on the test kit', () => {
  let server: MockServer;
  let isAway = false;

  beforeEach(() => {
    server = new MockServer({ user: 'alice' });
    server.room('tea', { name: 'Tea room', messages: [{ sender: 'bob', content: 'Tea?' }] });
    isAway = false;
  });

  const world = (): World => ({
    user: 'alice',
    room: 'tea',
    history: ['Tea?'],
    client: () => server.client(),
    say: (content) => {
      server.say('tea', 'bob', content);
      return Promise.resolve();
    },
    cut: () => server.disconnect({ away: isAway }),
    away: (away) => {
      isAway = away;
      if (!away) server.comeBack();
    },
  });

  clientContract(world);

  test('events that come twice are shown once', async () => {
    server.trouble.duplicates = true;
    const client = server.client();
    const called: string[] = [];
    client.messages.on(({ content }) => called.push(content));
    await client.connect();
    for (const text of ['one', 'two']) server.say('tea', 'bob', text);
    await client.send('tea', 'three');
    await until('all are shown', () => shown(client, 'tea').length === 3);
    expect(called).toEqual(['one', 'two']);
    client.close();
  });

  test('a hole is fetched, and what was missed is news', async () => {
    const client = server.client();
    const called: string[] = [];
    client.messages.on(({ content }) => called.push(content));
    await client.connect();
    server.trouble.lost = (seq) => seq === 2;
    for (const text of ['lost', 'found']) server.say('tea', 'bob', text);
    await until('both are shown', () => called.length === 2);
    expect(called).toEqual(['lost', 'found']);
    expect(shown(client, 'tea')).toEqual(['Tea?', 'lost', 'found']);
    client.close();
  });

  test('a server that has forgotten the cursor makes the client fetch its rooms again', async () => {
    const client = server.client();
    const called: string[] = [];
    client.messages.on(({ content }) => called.push(content));
    await client.connect();
    server.trouble.forgetCursors = true;
    server.disconnect({ away: true });
    await until('the connection is lost', () => client.connectionState === 'waiting');
    server.say('tea', 'bob', 'while you were away');
    server.comeBack();
    await until('it is shown', () => shown(client, 'tea').includes('while you were away'));
    expect(called).toEqual(['while you were away']);
    client.close();
  });

  test('a send whose acknowledgement is lost is done once', async () => {
    const client = server.client();
    await client.connect();
    server.trouble.loseAcks = true;
    const sending = client.send('tea', 'once');
    await until('it was sent', () => server.received.some(({ op }) => op === 'send'));
    server.trouble.loseAcks = false;
    expect(await sending).toMatchObject({ duplicate: true });
    await client.load('tea');
    expect(shown(client, 'tea')).toEqual(['Tea?', 'once']);
    client.close();
  });

  test('a temporary refusal is waited out, in order', async () => {
    const client = server.client();
    await client.connect();
    let refusals = 2;
    server.trouble.refuse = ({ op }) =>
      op === 'send' && refusals-- > 0
        ? { code: 'rate_limited', message: 'rate limit exceeded', temporary: true, retryMs: 1 }
        : undefined;
    const acks = await Promise.all(['first', 'second'].map((text) => client.send('tea', text)));
    expect(acks[0]?.seq).toBeLessThan(acks[1]?.seq ?? 0);
    client.close();
  });

  test("a wrong clock makes no wrong keys: they carry the server's time", async () => {
    const aheadMs = 3_600_000;
    const clock = { now: () => Date.now() + aheadMs, after: () => () => undefined };
    const client = server.client({ clock });
    await client.connect();
    await client.send('tea', 'what time is it?');
    const key = String(server.received.find(({ op }) => op === 'send')?.['key']);
    expect(Math.abs((keyTimeMs(key) ?? 0) - Date.now())).toBeLessThan(aheadMs / 2);
    client.close();
  });

  test('a message may be taken back as long as it is not on its way', async () => {
    const client = server.client();
    await client.connect();
    server.disconnect({ away: true });
    await until('the connection is lost', () => client.connectionState !== 'live');
    const sending = client.send('tea', 'regret');
    expect(client.pending[0]?.cancel()).toBe(true);
    await expect(sending).rejects.toThrow('taken back');
    expect(client.pending).toEqual([]);
    client.close();
  });

  test('a close for good ends the client with its code', async () => {
    const client = server.client();
    await client.connect();
    const closed = new Promise((resolve) => {
      client.connection.on(({ state, error }) => {
        if (state === 'closed') resolve(error);
      });
    });
    server.disconnect({ code: 4505 });
    expect(await closed).toMatchObject({ name: 'ClosedError', closeCode: 4505 });
  });

  test('joining shows the room; leaving says so', async () => {
    server.room('cake', { members: ['bob'] });
    server.member('cake', 'alice', false);
    const client = server.client();
    await client.connect();
    expect(client.state.rooms.has('cake')).toBe(false);
    await client.join('cake');
    await until('it is joined', () => client.state.rooms.get('cake')?.joined === true);
    server.say('cake', 'bob', 'Cake?');
    await until('it talks', () => shown(client, 'cake').includes('Cake?'));
    await client.leave('cake');
    await until('it is left', () => client.state.rooms.get('cake')?.joined === false);
    client.close();
  });
});
