/** The examples as a newcomer runs them: each says something, and hears what the others say. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { projectRoot, temporaryFolder, waitUntil } from '#embedded';
import { worldOf } from './world.js';

const world = worldOf({ PARLEY_DEMO: '1' });
const WAIT_MS = 30_000;
const root = projectRoot();
const running: ChildProcess[] = [];

afterEach(() => running.splice(0).forEach((child) => child.kill('SIGKILL')));

/** A program that listens; its lines so far. */
function listening(command: string, args: readonly string[]): { lines(): string[]; says(line: string): Promise<void> } {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  let text = '';
  child.stdout.on('data', (bytes) => (text += String(bytes)));
  const lines = (): string[] => text.split('\n');
  const says = (line: string): Promise<void> =>
    waitUntil(`${command} prints "${line}"`, WAIT_MS, () => lines().includes(line)).then(() => undefined);
  return { lines, says };
}

function ends(command: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', timeout: WAIT_MS });
  return { status, stdout, stderr };
}

const has = (command: string): boolean => spawnSync(command, ['--version']).status === 0;

async function demo(user: string): Promise<ReturnType<typeof world.http.as>> {
  const { json } = await world.http.post('/api/auth/demo', { user });
  return world.http.as(String(json['token']));
}

const say = async (content: string): Promise<void> => {
  const alice = await demo('alice');
  expect((await alice.post('/api/rooms/General/messages', { content })).status).toBe(202);
};

/** Listens as bob, says something as charlie, and is cut off once in between. */
async function talks(command: string, before: readonly string[], address: string): Promise<void> {
  const listener = listening(command, [...before, address, 'bob', 'General']);
  await listener.says('listening in General');
  const said = ends(command, [...before, address, 'charlie', 'General', 'Hello from', command, '"quoted" ü']);
  expect(said).toMatchObject({ status: 0, stdout: expect.stringMatching(/^msg_\d+\n$/) });
  await listener.says(`user3: Hello from ${command} "quoted" ü`);
  await world.platform.process.kill();
  await world.platform.process.restart();
  await say(`after the kill, to ${command}`);
  await listener.says(`user1: after the kill, to ${command}`);
  expect(listener.lines().filter((line) => line.includes('after the kill, to'))).toHaveLength(1);
  expect(ends(command, [...before, address, 'nobody', 'General', 'x'])).toMatchObject({ status: 1 });
}

test('the bot answers', async () => {
  const bot = listening(process.execPath, ['dist/examples/bot/bot.js', world.platform.url, 'charlie', 'Technology']);
  await bot.says('bot: listening in Technology');
  const alice = await demo('alice');
  const { json } = await alice.post('/api/rooms/Technology/messages', { content: '!ping' });
  const answer = async (): Promise<unknown> => {
    const page = await alice.get('/api/rooms/Technology/messages');
    return (page.json['items'] as { content: string; replyTo: string | null }[]).find(
      ({ replyTo }) => replyTo === json['id'],
    );
  };
  let found: unknown;
  await waitUntil('the bot answers', WAIT_MS, async () => (found = await answer()) !== undefined);
  expect(found).toMatchObject({ content: 'pong', sender: 'user3' });
});

test('Python, with its standard library only', async () => {
  if (!has('python3')) return console.warn('python3 is not at hand: examples/python was not run');
  await talks('python3', ['examples/python/chat.py'], world.platform.url);
}, 120_000);

test('Rust, with its standard library only', async () => {
  if (!has('rustc')) return console.warn('rustc is not at hand: examples/rust was not compiled');
  const folder = await temporaryFolder('rust');
  const program = join(folder.path, 'chat');
  expect(ends('rustc', ['--edition', '2021', 'examples/rust/chat.rs', '-o', program])).toMatchObject({ status: 0 });
  await talks(program, [], world.platform.url.replace('http://', ''));
  await folder.remove();
}, 120_000);
