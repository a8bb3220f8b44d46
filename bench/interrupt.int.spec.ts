/** A harness that is told to end in the middle of a benchmark, with real servers under it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { childrenOf, isRunning, type ProcessName, projectRoot, waitUntil } from '#embedded';

const FLAGS = ['--enable-source-maps', '--conditions=source', '--import', '@swc-node/register/esm-register'];
const WITHIN_MS = 120_000;

const belowOf = (pid: number): ProcessName[] => childrenOf(pid).flatMap((child) => [child, ...belowOf(child.pid)]);

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'after %s no process and no folder of it is left',
  async (signal, exitCode) => {
    const main = join(import.meta.dirname, 'main.ts');
    const harness = spawn(process.execPath, [...FLAGS, main, '--quick', '--patience', '0', 'curve-partitions'], {
      cwd: projectRoot(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(harness, 'exit');
    let said = '';
    harness.stdout.on('data', (chunk) => (said += String(chunk)));
    await waitUntil('the first round has ended', WITHIN_MS, () => said.includes('round 1, 1:'));
    const pid = harness.pid ?? 0;
    const below = belowOf(pid);
    const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith(`parley-bench-${pid}-`));
    expect(below.length).toBeGreaterThan(0);
    expect(folders()).toHaveLength(1);

    harness.kill(signal);

    expect(await ended).toEqual([exitCode, null]);
    expect(folders()).toEqual([]);
    await waitUntil('everything that it started has ended', WITHIN_MS, () => !below.some(isRunning));
    expect(said).toContain(`ended by ${signal}`);
  },
  2 * WITHIN_MS,
);
