/** The terminal client as a person uses it: in pipes, in a pseudo terminal, and in tmux where there is one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import { projectRoot, startRelay } from '#embedded';
import { hasTmux, openTerminal, openTmux, type Terminal, type TerminalOptions } from '../terminal.js';
import { eventually, worldOf } from './world.js';

const world = worldOf({ RATE_LIMITS: 'off' });
const MAIN = join(projectRoot(), 'dist', 'apps', 'cli', 'main.js');

interface Ran {
  readonly code: number;
  readonly out: string[];
  readonly errors: string;
}

const untimed = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^\[\d\d:\d\d:\d\d\]/, '[time]'));

async function run(
  command: readonly string[],
  input: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const [file = '', ...args] = command;
  const inherited = { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: 'UTC' };
  const child = spawn(file, args, { cwd: projectRoot(), env: { ...inherited, ...env } });
  const [out, errors] = [text(child.stdout), text(child.stderr)];
  child.stdin.on('error', () => undefined); // a program that ends before it has read everything
  child.stdin.end(input);
  const [code] = (await once(child, 'exit')) as [number];
  return { code, out: (await out).split('\n').slice(0, -1), errors: await errors };
}

const chatCommand = (...args: string[]): string[] => [
  process.execPath,
  MAIN,
  'chat',
  '--url',
  world.platform.url,
  ...args,
];
const chat = (user: string, input: string, ...args: string[]): Promise<Ran> =>
  run(chatCommand('--user', user, ...args), input);

describe('in a pipe', () => {
  test('the command of the README says hello, and ends when it has been acknowledged', async () => {
    const input = '/join General\nhello\n/quit\n';
    const ran = await run(['npm', 'run', '-s', 'chat', '--', '--user', 'alice'], input, {
      PARLEY_URL: world.platform.url,
    });
    expect(untimed(ran.out)).toEqual(['Joined chatroom General', '[time] alice: hello', 'Goodbye!']);
    expect(ran.code).toBe(0);
  });

  test('the rooms of the demo are listed', async () => {
    const { out } = await chat('bob', '/list\n');
    expect(out[0]).toBe('Available Chatrooms:');
    for (const room of ['General', 'Technology', 'Crypto', 'Sports', 'Movies', 'General Discussion', 'Tech Support'])
      expect(out).toContain(` - ${room}`);
  });

  test('two hundred and fifty lines arrive, each once and in order', async () => {
    const lines = Array.from({ length: 250 }, (_, i) => `line ${i}`);
    const { code, out } = await chat('alice', `/join Sports\n${lines.join('\n')}\n`);
    expect(code).toBe(0);
    expect(out.filter((line) => / alice: line /.test(line)).map((line) => line.replace(/.*: /, ''))).toEqual(lines);
    const { stdout } = await history('Sports');
    expect(stdout).toEqual(lines);
  });

  async function history(room: string): Promise<{ stdout: string[] }> {
    const said: string[] = [];
    const { id, token } = world.person('reader');
    const http = world.http.as(token);
    expect((await http.post(`/api/rooms/${room}/join`, {})).status).toBe(202);
    for (let cursor = ''; ;) {
      const page = await http.get(`/api/rooms/${room}/messages?order=asc&limit=100${cursor}`);
      const { items, next } = page.json as { items: { content: string; sender: string }[]; next: string | null };
      said.push(...items.filter(({ sender }) => sender !== id).map(({ content }) => content));
      if (next === null) return { stdout: said };
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
  }

  test('two people talk to each other directly, and see who is there and what they say of themselves', async () => {
    const first = await chat('alice', '/dm bob psst\n');
    expect(untimed(first.out)).toEqual(['[time] alice (to bob): psst', 'Goodbye!']);
    const second = await chat('bob', '/join @alice\nwhat?\n/status thinking\n');
    expect(untimed(second.out)).toEqual([
      'Joined chatroom @alice',
      '[time] alice: psst',
      '[time] bob: what?',
      'Your status: thinking',
      'Goodbye!',
    ]);
    const third = await chat('alice', '/join @bob\n/who\n');
    expect(third.out).toContain(' - bob (offline) thinking');
    expect(third.out).toContain(' - alice (online)');
  });

  test('an account signs in by its password, which need not be on the command line; a token does, too', async () => {
    const account = { username: 'Pia', email: 'pia@example.org', password: 'correct horse' };
    const registered = await world.http.post('/api/auth/register', account);
    expect(registered.status).toBe(201);
    const env = { PARLEY_PASSWORD: account.password, PARLEY_URL: world.platform.url };
    const ran = await run(
      [process.execPath, MAIN, 'chat', '--user', 'pia@example.org', '--room', 'Movies'],
      'hi\n',
      env,
    );
    expect(untimed(ran.out)).toEqual(['Joined chatroom Movies', '[time] Pia: hi', 'Goodbye!']);
    const { id, token } = world.person('tess');
    const second = await run(chatCommand('--room', 'Movies'), 'hi\n', { PARLEY_TOKEN: token });
    expect(untimed(second.out).at(-2)).toBe(`[time] ${id}: hi`);
  });

  test.each([
    ['nobody is named', [], 2, 'who are you? give --user or --token'],
    ['an option is unknown', ['--user', 'alice', '--frob'], 2, "Unknown option '--frob'"],
    ['the address is none', ['--user', 'alice', '--url', 'nowhere'], 2, 'takes http://host:port'],
    [
      'nobody answers',
      ['--user', 'alice', '--url', 'http://127.0.0.1:1'],
      1,
      'no Parley answers at http://127.0.0.1:1',
    ],
    ['nobody is called so', ['--user', 'nobody'], 1, 'there is no demo user nobody'],
    ['the password is wrong', ['--user', 'alice', '--password', 'x'], 1, 'invalid email or password'],
    ['the token is none', ['--token', 'x'], 1, 'the token is refused'],
  ])('when %s, one line says so', async (_what, args, code, problem) => {
    const ran = await run([process.execPath, MAIN, 'chat', '--url', world.platform.url, ...args], '');
    expect(ran).toMatchObject({ code, out: [] });
    expect(ran.errors).toMatch(/^parley chat: .*\n$/);
    expect(ran.errors).toContain(problem);
  });

  test('--help names the exit codes', async () => {
    const { code, out } = await chat('alice', '', '--help');
    expect(code).toBe(0);
    expect(out.join('\n')).toContain('Exit codes: 0 all went well; 1 something failed or was refused; 2 wrong usage.');
  });

  test('a reader that goes away ends it', async () => {
    const command = chatCommand('--user', 'bob').join(' ');
    const ran = await run(['sh', '-c', `yes /list | ${command} | head -1`], '');
    expect(ran.out).toEqual(['Available Chatrooms:']);
  });
});

/** The prompt is drawn a moment after what stands above it. */
const ends = (terminal: Terminal, row: string): Promise<true> =>
  eventually(`the last row is ${row}`, async () => (await terminal.screen()).at(-1) === row);

type Open = (command: readonly string[], options?: TerminalOptions) => Terminal;
const TERMINALS: readonly (readonly [string, Open])[] = [
  ['a pseudo terminal', openTerminal],
  ...(hasTmux ? ([['tmux', openTmux]] as const) : []),
];

describe.each(TERMINALS)('in %s', (kind, open) => {
  const terminals: Terminal[] = [];
  afterEach(() => {
    for (const terminal of terminals.splice(0)) terminal.close();
  });
  const start = async (user: string, options: TerminalOptions = {}, ...args: string[]): Promise<Terminal> => {
    const terminal = open(chatCommand('--user', user, ...args), options);
    terminals.push(terminal);
    await terminal.shows(`Signed in as ${user}`);
    return terminal;
  };
  const joined = async (user: string, roomId: string): Promise<Terminal> => {
    const terminal = await start(user);
    terminal.type(`/join ${roomId}\r`);
    await terminal.shows(`[${roomId}] >`);
    return terminal;
  };

  test('a prompt names the room, a line that is typed becomes a message, and the end says goodbye', async () => {
    const id = `${kind.replaceAll(' ', '-')}-prompt`;
    const terminal = await start('alice');
    await ends(terminal, '>');
    terminal.type(`/join ${id}\r`);
    await terminal.shows(`[${id}] >`);
    terminal.type('hello everybody\r');
    await terminal.shows('alice: hello everybody');
    const screen = untimed(await terminal.screen());
    expect(screen.filter((row) => row.includes('hello everybody'))).toEqual(['[time] alice: hello everybody']);
    await ends(terminal, `[${id}] >`);
    terminal.type('/quit\r');
    await terminal.shows('Goodbye!');
    expect(await terminal.ended()).toBe(0);
  });

  test('what others say stands above the line that is being typed, however long that is', async () => {
    const id = `${kind.replaceAll(' ', '-')}-editing`;
    const terminal = await joined('alice', id);
    const typed = 'this is half a line, long enough for two rows of the screen';
    terminal.type(typed);
    await terminal.shows(typed);
    expect((await chat('bob', `/join ${id}\nfirst interruption\nsecond interruption\n`)).code).toBe(0);
    await terminal.shows('second interruption');
    await terminal.shows(typed);
    const before = untimed(await terminal.screen());
    const place = before.indexOf('[time] bob: first interruption');
    expect(before.slice(place, place + 2)).toEqual([
      '[time] bob: first interruption',
      '[time] bob: second interruption',
    ]);
    expect(before.join('')).toContain(`[${id}] > ${typed}`);
    terminal.type(', and its end\r');
    await terminal.shows(`alice: ${typed}, and its end`);
    const after = (await terminal.screen()).join('');
    expect(after.split(typed)).toHaveLength(2);
  });

  test('who types is shown beside the prompt, and who is there', async () => {
    const id = `${kind.replaceAll(' ', '-')}-typing`;
    const terminal = await joined('alice', id);
    const other = await joined('bob', id);
    await terminal.shows('bob joined');
    other.type('I am thinking');
    await terminal.shows('bob is typing');
    other.type(' of you\r');
    await terminal.shows('bob: I am thinking of you');
    await eventually('the notice goes', async () => !(await terminal.screen()).join('\n').includes('is typing'));
    other.type('/quit\r');
    await terminal.shows('bob is offline');
    await ends(terminal, `[${id}] >`);
  });

  test('messages elsewhere are counted, and direct ones shown', async () => {
    const id = `${kind.replaceAll(' ', '-')}-elsewhere`;
    const terminal = await joined('alice', id);
    terminal.type(`/join Crypto\r`);
    await terminal.shows('[Crypto] >');
    await chat('bob', `/join ${id}\nover here\n/dm alice a word in private\n`);
    await terminal.shows(`1 unread in ${id}`);
    await terminal.shows('bob (to you): a word in private');
    terminal.type('/list\r');
    await terminal.shows(` - ${id} (1 unread)`);
    terminal.type(`/join ${id}\r`);
    await terminal.shows('bob: over here');
    terminal.type('/leave\r');
    await terminal.shows(`Left chatroom ${id}`);
    await ends(terminal, '>');
  });

  test('a lost connection is said, what is typed meanwhile is kept, and nothing is lost by it', async () => {
    const id = `${kind.replaceAll(' ', '-')}-away`;
    const { port } = new URL(world.platform.url);
    const relay = await startRelay(Number(port));
    try {
      const terminal = await start('alice', {}, '--url', `http://127.0.0.1:${relay.port}`, '--room', id);
      await terminal.shows(`[${id}] >`);
      relay.cut();
      await terminal.shows('Connection lost');
      terminal.type('typed while away\r');
      await terminal.shows('Kept until the connection is back: typed while away');
      await chat('bob', `/join ${id}\nsaid meanwhile\n`);
      relay.heal();
      await terminal.shows('Connected again');
      await terminal.shows('alice: typed while away');
      await terminal.shows('bob: said meanwhile');
      const screen = (await terminal.screen()).join('\n');
      expect(screen.split('alice: typed while away')).toHaveLength(2);
      expect(screen.split('bob: said meanwhile')).toHaveLength(2);
    } finally {
      await relay.stop();
    }
  });

  test('Ctrl-C takes back what was typed, and ends on an empty line', async () => {
    const terminal = await start('alice');
    terminal.type('never mind');
    await terminal.shows('> never mind');
    terminal.type('\u0003');
    await eventually('the line is empty', async () => (await terminal.screen()).at(-1) === '>');
    terminal.type('\u0003');
    await terminal.shows('Goodbye!');
    expect(await terminal.ended()).toBe(0);
  });
});

describe('colours', () => {
  test.each([
    ['a terminal has them', {}, true],
    ['NO_COLOR is respected', { NO_COLOR: '1' }, false],
    ['so is a terminal that has none', { TERM: 'dumb' }, false],
  ])('%s', async (_what, env, expected) => {
    const terminal = openTerminal(chatCommand('--user', 'alice', '--room', 'Technology'), { env });
    try {
      await terminal.shows('Joined chatroom Technology');
      expect(/\u001b\[(2|3[1-6])m/.test(terminal.raw())).toBe(expected);
    } finally {
      terminal.close();
    }
  });

  test('a pipe has none', async () => {
    const { out } = await chat('alice', '/join Technology\nplain\n');
    expect(out.join('\n')).not.toContain('\u001b');
  });
});
