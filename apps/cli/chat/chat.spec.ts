import { describe, expect, test } from '@jest/globals';
import { until } from '#client/contract';
import { talk, teaServer } from './test-chat.js';

/** Lines without the time that each message begins with. */
const untimed = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^\[\d\d:\d\d:\d\d\]/, '[time]'));
const records = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe('in a pipe', () => {
  test('rooms are listed, one is joined with its history, and what is said is shown once acknowledged', async () => {
    const chat = talk(teaServer());
    for (const line of ['/list', '/join Tea room', 'Yes please', '/messages', '/quit']) chat.type(line);
    const { code, out, errors } = await chat.end();
    expect(untimed(out)).toEqual([
      'Available Chatrooms:',
      ' - Tea room',
      ' - General',
      'Joined chatroom Tea room',
      '[time] bob: Tea?',
      '[time] alice: Yes please',
      'Recent messages in [Tea room]:',
      '[time] bob: Tea?',
      '[time] alice: Yes please',
      'Goodbye!',
    ]);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
  });

  test('a room is joined by its id, too, and one that the user is not in becomes theirs', async () => {
    const server = teaServer();
    const chat = talk(server);
    for (const line of ['/join General', 'hello', '/who', '/leave', 'again']) chat.type(line);
    const { code, out } = await chat.end();
    expect(untimed(out)).toEqual([
      'Joined chatroom General',
      '[time] alice: hello',
      'Members of [General]:',
      ' - bob (offline)',
      ' - alice (offline)',
      'Left chatroom General',
      'You must join a chatroom first with /join <room>',
      'Goodbye!',
    ]);
    expect(code).toBe(1);
    expect(server.received.map(({ op }) => op)).toEqual(expect.arrayContaining(['join', 'send', 'leave']));
  });

  test.each([
    ['/join', 'Usage: /join <roomname>'],
    ['/join   ', 'Usage: /join <roomname>'],
    ['hello', 'You must join a chatroom first with /join <room>'],
    ['/messages', 'You must join a chatroom first with /join <room>'],
    ['/who', 'You must join a chatroom first with /join <room>'],
    ['/leave', 'You must join a chatroom first with /join <room>'],
    ['/frobnicate now', 'Unknown command: /frobnicate. Type /help for available commands.'],
    ['/dm bob', 'Usage: /dm <user> <text>'],
    ['/status', 'Usage: /status <text>'],
  ])('%s is answered: %s', async (line, answer) => {
    const chat = talk(teaServer());
    chat.type(line);
    expect(await chat.end()).toEqual({ code: 1, out: [answer, 'Goodbye!'], errors: '' });
  });

  test('/help names every command', async () => {
    const chat = talk(teaServer());
    chat.type('/help');
    const { code, out } = await chat.end();
    for (const command of [
      '/list',
      '/join <room>',
      '/messages',
      '/who',
      '/dm <user> <text>',
      '/status <text>',
      '/leave',
      '/help',
      '/quit',
    ])
      expect(out.join('\n')).toContain(`  ${command}`);
    expect(code).toBe(0);
  });

  test('a refusal goes beside the output, the rest goes on, and the exit code tells', async () => {
    const server = teaServer();
    server.trouble.refuse = ({ op, content }) =>
      op === 'send' && content === 'bad'
        ? { code: 'muted', message: 'user is muted in this room', temporary: false }
        : undefined;
    const chat = talk(server);
    for (const line of ['/join tea', 'bad', 'good', '/dm nobody psst']) chat.type(line);
    const { code, out, errors } = await chat.end();
    expect(untimed(out)).toEqual(['Joined chatroom Tea room', '[time] bob: Tea?', '[time] alice: good', 'Goodbye!']);
    expect(errors).toBe('user is muted in this room\nuser not found: nobody\n');
    expect(code).toBe(1);
  });

  test('a message to one person finds them by name', async () => {
    const server = teaServer();
    const chat = talk(server);
    chat.type('/dm Bob psst');
    const { code, out } = await chat.end();
    expect(untimed(out)).toEqual(['[time] alice (to bob): psst', 'Goodbye!']);
    expect(server.received.find(({ op }) => op === 'send')).toMatchObject({ participants: ['user1', 'user2'] });
    expect(code).toBe(0);
  });

  test('what others write moves no cursor, and stays in its own lines', async () => {
    const server = teaServer();
    server.say('tea', 'user2', 'one\ntwo\u001b[2J\u0007\r> fake');
    const chat = talk(server);
    chat.type('/join tea');
    const { out } = await chat.end();
    expect(untimed(out).slice(2)).toEqual(['[time] bob: one', '           two[2J> fake', 'Goodbye!']);
  });

  test('nothing is lost by lost acknowledgements and connections, and nothing is shown twice', async () => {
    const server = teaServer();
    const chat = talk(server);
    chat.type('/join tea');
    await until('the room is joined', () => chat.shown.includes('Joined'));
    server.trouble.loseAcks = true;
    chat.type('one');
    await until('it has arrived', () => server.received.some(({ op }) => op === 'send'));
    server.trouble.loseAcks = false;
    server.disconnect({ away: true });
    chat.type('two');
    server.say('tea', 'user2', 'meanwhile');
    server.comeBack();
    const { code, out } = await chat.end();
    const said = untimed(out).filter((line) => line.startsWith('[time]'));
    expect([...said].sort()).toEqual([
      '[time] alice: one',
      '[time] alice: two',
      '[time] bob: Tea?',
      '[time] bob: meanwhile',
    ]);
    expect(code).toBe(0);
  });

  test('what is not acknowledged in time is a failure that says so', async () => {
    const server = teaServer();
    const chat = talk(server, { waitMs: 50 });
    chat.type('/join tea');
    await until('the room is joined', () => chat.shown.includes('Joined'));
    server.disconnect({ away: true });
    chat.type('lost?');
    const { code, errors } = await chat.end();
    expect({ code, errors }).toEqual({ code: 1, errors: 'not acknowledged, and perhaps not sent: 1\n' });
  });

  test('what was shown is marked as read', async () => {
    const server = teaServer();
    const chat = talk(server);
    chat.type('/join tea');
    await chat.end();
    expect(server.received.find(({ op }) => op === 'read')).toMatchObject({ room: 'tea', messageId: 'msg_1024' });
  });
});

describe('with --json', () => {
  test('each line is an object; requests come as objects or as they are typed, and answers carry their names', async () => {
    const server = teaServer();
    const chat = talk(server, { json: true });
    chat.type('{"op":"join","room":"tea","id":1}');
    chat.type('{"op":"say","text":"hello","id":"two"}');
    chat.type('{"op":"say","text":"elsewhere","room":"General","id":3}');
    chat.type('/list');
    chat.type('{"op":"nonsense"}');
    chat.type('{');
    const { code, out } = await chat.end();
    const [ready, ...rest] = records(out);
    expect(ready).toEqual({ type: 'ready', user: 'user1', name: 'alice', url: 'http://mock' });
    expect(rest).toContainEqual(
      expect.objectContaining({ type: 'joined', room: 'tea', roomName: 'Tea room', request: 1 }),
    );
    const sent = { type: 'sent', room: 'tea', content: 'hello', name: 'alice', duplicate: false, request: 'two' };
    expect(rest).toContainEqual(expect.objectContaining(sent));
    expect(rest).toContainEqual(expect.objectContaining({ type: 'error', code: 'not_member', request: 3 }));
    expect(rest).toContainEqual(
      expect.objectContaining({
        type: 'rooms',
        rooms: expect.arrayContaining([expect.objectContaining({ id: 'General', joined: false })]),
      }),
    );
    expect(rest.filter(({ type }) => type === 'error').map(({ code }) => code)).toEqual(
      expect.arrayContaining(['usage', 'invalid_json']),
    );
    expect(rest.at(-1)).toEqual({ type: 'goodbye', unacknowledged: 0 });
    expect(code).toBe(1);
  });

  test('messages of all rooms come as they happen, and who comes and goes', async () => {
    const server = teaServer();
    const chat = talk(server, { json: true, room: 'tea' });
    await until('the room is joined', () => chat.shown.includes('"joined"'));
    server.member('tea', 'user3', true);
    server.say('tea', 'user3', 'hello');
    server.member('tea', 'user3', false);
    server.push({ op: 'typing', room: 'tea', user: 'user2', typing: true });
    await until('they have come', () => chat.shown.includes('"typing"'));
    const { out } = await chat.end();
    const happened = records(out).filter(({ type }) => ['member', 'message', 'typing'].includes(String(type)));
    // The kit's clock lets a notice of typing end at once.
    expect(happened.slice(0, 4)).toEqual([
      expect.objectContaining({ type: 'member', name: 'charlie', change: 'joined' }),
      expect.objectContaining({ type: 'message', name: 'charlie', content: 'hello', here: true }),
      expect.objectContaining({ type: 'member', name: 'charlie', change: 'left' }),
      expect.objectContaining({ type: 'typing', names: ['bob'] }),
    ]);
  });
});
