import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { transformFile } from '@swc/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { inheritedEnvironment } from './environment.js';
import { startGuarded, type Launch } from './guard.js';
import { startNatsServer } from './nats-server.js';
import { projectRoot, temporaryFolder } from './places.js';
import { startPostgres } from './postgres.js';
import { childrenOf, isRunning, processNamed, signal, type ProcessName } from './process-table.js';
import { waitUntil } from './wait-until.js';

/** An owner must be a process of its own to be killed, and plain Node reads no TypeScript: a compiled copy of this library. */
const library = join(projectRoot(), 'node_modules', '.cache', `parley-owner-${process.pid}`);
const ENDS_WITHIN_MS = 20_000;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder('guard');
  mkdirSync(library, { recursive: true });
  const names = readdirSync(import.meta.dirname).filter((name) => /(?<!\.spec)\.ts$/.test(name));
  for (const name of names) {
    const syntax = { swcrc: false, jsc: { target: 'es2022', parser: { syntax: 'typescript' } } } as const;
    const { code } = await transformFile(join(import.meta.dirname, name), syntax);
    writeFileSync(join(library, name.replace(/ts$/, 'mjs')), code.replace(/(from '\.\/[^']+)\.js'/g, "$1.mjs'"));
  }
});

afterAll(async () => {
  rmSync(library, { recursive: true, force: true });
  await folder.remove();
});

interface Owner {
  readonly process: ChildProcess;
  readonly children: ProcessName[];
}

/** Runs `body` in a process of its own, with this library as `embedded`; it must set `pids` to those of its children. */
async function startOwner(body: string): Promise<Owner> {
  const index = pathToFileURL(join(library, 'index.mjs')).href;
  const script = `
    import * as embedded from ${JSON.stringify(index)};
    const folder = ${JSON.stringify(folder.path)};
    let pids;
    ${body}
    console.log(pids.join(' '));
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: inheritedEnvironment(),
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: owner.stdout }).once('line', resolve);
    owner.once('exit', (code) => reject(new Error(`the owner ended with ${code}`)));
  });
  const children = line.split(' ').map((pid) => processNamed(Number(pid)));
  return { process: owner, children: children.filter((name) => name !== undefined) };
}

async function allEnd(names: readonly ProcessName[]): Promise<void> {
  await waitUntil(`these end: ${JSON.stringify(names)}`, ENDS_WITHIN_MS, () => !names.some(isRunning));
}

function shell(script: string, more: Partial<Launch> = {}): Launch {
  const env = inheritedEnvironment();
  return {
    title: 'a shell',
    command: 'sh',
    args: ['-c', script],
    env,
    stopSignal: 'SIGTERM',
    graceSeconds: 1,
    ...more,
  };
}

describe('an owner that is killed', () => {
  test('leaves no nats-server and no PostgreSQL behind, and the next owner finds the data', async () => {
    const owner = await startOwner(`
      const [nats, postgres] = await Promise.all([
        embedded.startNatsServer({ storeDir: folder + '/nats' }),
        embedded.startPostgres({ dataDir: folder + '/postgres' }),
      ]);
      await postgres.createDatabase('kept');
      pids = [nats.pid, postgres.pid];`);
    expect(owner.children).toHaveLength(2);
    const backends = owner.children.flatMap(({ pid }) => childrenOf(pid));
    expect(backends.length).toBeGreaterThan(3);
    owner.process.kill('SIGKILL');
    await allEnd([...owner.children, ...backends]);
    const postgres = await startPostgres({ dataDir: join(folder.path, 'postgres') });
    await postgres.createDatabase('copy', { template: 'kept' });
    await postgres.stop();
  }, 120_000);

  test('is succeeded at once: the next owner ends what is still running', async () => {
    const owner = await startOwner(`
      const nats = await embedded.startNatsServer({ storeDir: folder + '/succeeded' });
      const postgres = await embedded.startPostgres({ dataDir: folder + '/succeeded-postgres' });
      pids = [nats.pid, postgres.pid];`);
    // Without its guard nobody ends a child but the successor. The group's leader is the guard.
    const guards = owner.children.map(({ pid }) => processNamed(parentOf(pid)));
    owner.process.kill('SIGSTOP');
    guards.forEach((guard) => guard && watchersOf(guard).forEach(({ pid }) => signal(pid, 'SIGKILL')));
    owner.process.kill('SIGKILL');
    expect(owner.children.every(isRunning)).toBe(true);
    const nats = await startNatsServer({ storeDir: join(folder.path, 'succeeded') });
    const postgres = await startPostgres({ dataDir: join(folder.path, 'succeeded-postgres') });
    expect(owner.children.some(isRunning)).toBe(false);
    await Promise.all([nats.stop(), postgres.stop()]);
  }, 120_000);

  test('ends a child that was paused', async () => {
    const owner = await startOwner(`
      const nats = await embedded.startNatsServer({ storeDir: folder + '/paused' });
      nats.pause();
      pids = [nats.pid];`);
    owner.process.kill('SIGKILL');
    await allEnd(owner.children);
  });
});

describe('a guard', () => {
  test('gives a child that ignores the stop signal its grace, then kills it', async () => {
    const owner = await startOwner(`
      const { startGuarded } = await import(${JSON.stringify(pathToFileURL(join(library, 'guard.mjs')).href)});
      const run = await startGuarded({ title: 'deaf', command: 'sh', args: ['-c', 'trap "" TERM; while :; do sleep 0.1; done'],
        env: process.env, stopSignal: 'SIGTERM', graceSeconds: 1 });
      pids = [run.child.pid];`);
    owner.process.kill('SIGKILL');
    await allEnd(owner.children);
  });

  test('says how a child ended', async () => {
    expect(await (await startGuarded(shell('exit 3'))).ended).toBe('exit code 3');
    expect(await (await startGuarded(shell('kill -s KILL $$'))).ended).toBe('SIGKILL');
    expect(await (await startGuarded(shell('', { command: '/no/such/program' }))).ended).toBe('exit code 127');
  });

  test('that is killed takes its child with it', async () => {
    const run = await startGuarded(shell('while :; do sleep 0.1; done'));
    signal(parentOf(run.child.pid), 'SIGKILL');
    expect(await run.ended).toBe('the guard was ended by SIGKILL');
    await allEnd([run.child]);
  });

  test('keeps what the child wrote, in a file or without one', async () => {
    const logFile = join(folder.path, 'logs', 'child.log');
    const named = await startGuarded(shell('echo one; echo two >&2', { logFile }));
    const nameless = await startGuarded(shell('echo three'));
    await Promise.all([named.ended, nameless.ended]);
    expect(readFileSync(logFile, 'utf8')).toBe('one\ntwo\n');
    expect(named.log.tail()).toBe('one\ntwo\n');
    expect(nameless.log.tail()).toBe('three\n');
  });
});

function parentOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
}

/** The guard's own children but for the one that it guards: shells. */
function watchersOf(guard: ProcessName): ProcessName[] {
  return childrenOf(guard.pid).filter(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/bin/sh'));
}
