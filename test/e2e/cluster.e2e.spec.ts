/** `npm run cluster` as somebody at a terminal has it: a ready line, people who talk, kill -9, Ctrl-C, and nothing left behind. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isRunning, processNamed, projectRoot, waitUntil, type ProcessName } from '#embedded';
import { Http, textAt } from '../http.js';
import { connect } from '../socket.js';
import { eventually, receives } from './world.js';

const READY_MS = 120_000;
const AGAIN_MS = 60_000;
const END_MS = 60_000;
const FROM_SOURCES = ['--enable-source-maps', '--conditions=source', '--import', '@swc-node/register/esm-register'];
const PROGRAM = 'test/cluster/main.ts';

/** The program in a process group of its own, as a terminal has it. */
class Terminal {
  said = '';
  code: number | null | undefined;
  readonly #child;

  constructor(...args: string[]) {
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    this.#child = spawn(process.execPath, [...FROM_SOURCES, join(projectRoot(), PROGRAM), ...args], {
      cwd: projectRoot(),
      detached: true,
      env: { PATH, HOME, ...(TMPDIR !== undefined && { TMPDIR }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.#child.once('close', (code) => (this.code = code));
  }

  /** Waits for a line; fails at once when the program has ended without it. */
  async says(line: RegExp, withinMs: number): Promise<string> {
    const found = (): string | undefined => line.exec(this.said)?.[1];
    await waitUntil(`it says ${String(line)}`, withinMs, () => {
      if (found() === undefined && this.code !== undefined) throw new Error(`ended with ${this.code}:\n${this.said}`);
      return found() !== undefined;
    });
    return found() ?? '';
  }

  async ended(): Promise<number | null> {
    await waitUntil('it ends', END_MS, () => this.code !== undefined);
    return this.code ?? null;
  }

  /** What Ctrl-C does: every process of the group gets it. */
  interrupt(): void {
    if (this.code === undefined && this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGINT');
  }
}

let stranger: Server;
let terminal: Terminal;

beforeAll(async () => {
  stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  terminal = new Terminal('--port', String((stranger.address() as AddressInfo).port));
});

afterAll(async () => {
  terminal.interrupt();
  await terminal.ended();
  stranger.close();
}, END_MS);

const pidOf = (name: string): number => Number(new RegExp(`${name} \\(pid (\\d+)\\)`).exec(terminal.said)?.[1]);

test('people talk, a process that is killed comes back, and Ctrl-C leaves nothing', async () => {
  const url = await terminal.says(/^parley cluster ready (http:\S+)$/m, READY_MS);
  const taken = (stranger.address() as AddressInfo).port;
  expect(terminal.said).toContain(`port ${taken} is taken, using ${new URL(url).port}`);
  const names = [...terminal.said.matchAll(/([\w-]+) \(pid (\d+)\)/g)].map(([, name]) => String(name));
  const services = ['commands', 'projection', 'gateway', 'api'].flatMap((app) => [`${app}-1`, `${app}-2`]);
  expect(names).toEqual([...services, 'node-0', 'node-1', 'node-2', 'postgres']);
  const folder = dirname(await terminal.says(/one log a process: (\S+)/, 0));
  for (const name of names) expect(existsSync(join(folder, `${name}.log`))).toBe(true);
  expect(readFileSync(join(folder, 'gateway-1.log'), 'utf8')).toContain('parley gateway ready');

  const [alice, bob] = [await signedIn(url, 'alice'), await signedIn(url, 'bob')];
  const socket = await connect(`${url.replace('http', 'ws')}/ws`, bob.token);
  await say(alice.http, 'is everybody there?');
  await receives(socket, 'room1', 'is everybody there?');

  const before = pidOf('commands-1');
  process.kill(before, 'SIGKILL');
  await terminal.says(/(commands-1 ended \(SIGKILL\), starting it again)/, AGAIN_MS);
  await say(alice.http, 'one is away');
  await receives(socket, 'room1', 'one is away');
  const again = Number(await terminal.says(/commands-1 runs again \(pid (\d+)\)/, AGAIN_MS));
  expect(again).not.toBe(before);
  await socket.request({ op: 'send', room: 'room1', content: 'and back' });
  await socket.close();

  const running = [...names.slice(1).map(pidOf), again].map((pid) => processNamed(pid) as ProcessName);
  expect(running.every(isRunning)).toBe(true);
  terminal.interrupt();
  expect(await terminal.ended()).toBe(0);
  expect(terminal.said).toMatch(/stopped, nothing is left\n$/);
  expect(running.filter(isRunning)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
}, 300_000);

test('a wrong option is one line, and --help says what there is', async () => {
  const [wrong, help] = [new Terminal('--nodes', '2'), new Terminal('--help')];
  expect(await wrong.ended()).toBe(2);
  expect(wrong.said).toBe('parley cluster: --nodes 2: takes 1 or 3\n');
  expect(await help.ended()).toBe(0);
  expect(help.said).toMatch(/--port .*\n.*--nodes .*\n.*--folder/);
}, 60_000);

async function signedIn(url: string, user: string): Promise<{ token: string; http: Http }> {
  const http = new Http(url);
  // The demo is made beside the start.
  await eventually(`${user} can read room1`, async () => {
    const { status, json } = await http.post('/api/auth/demo', { user });
    return status === 200 && (await http.as(textAt(json, 'token')).get('/api/rooms/room1/messages')).status === 200;
  });
  const token = textAt((await http.post('/api/auth/demo', { user })).json, 'token');
  return { token, http: http.as(token) };
}

/** As a client does it: what nobody answered is said again, with the same key. */
async function say(http: Http, content: string): Promise<void> {
  const headers = { 'idempotency-key': content.replaceAll(/\W/g, '-') };
  await eventually(content, async () => {
    return (await http.post('/api/rooms/room1/messages', { content }, { headers })).status === 202;
  });
}
