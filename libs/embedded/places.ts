import { accessSync, chmodSync, constants, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { environment } from './environment.js';

/** The clone's root: the nearest folder above this file with a package.json, so that it is right in `libs` and in `dist`. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`no package.json above ${import.meta.dirname}: run Parley from its clone`);
    folder = above;
  }
  return folder;
}

/**
 * Where downloaded binaries and the initialised PostgreSQL template are kept between clones: `PARLEY_CACHE`, else
 * `~/.cache/parley`, else (no writable home, as in some containers) a private folder under the temporary one.
 */
export function cacheFolder(): string {
  const chosen = environment().PARLEY_CACHE;
  if (chosen) return writableFolder(chosen);
  try {
    return writableFolder(join(homedir(), '.cache', 'parley'));
  } catch (error) {
    if (!isFileError(error)) throw error;
    return privateTemporaryCache();
  }
}

/** A new empty folder that PostgreSQL's unprivileged user can pass through when we are root. */
export async function temporaryFolder(prefix: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `parley-${prefix}-`));
  if (isRoot()) await chmod(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function writableFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  accessSync(path, constants.W_OK);
  return path;
}

/** Its name can be guessed, so a folder that somebody else made is refused: what lies there is executed. */
function privateTemporaryCache(): string {
  const uid = process.getuid?.() ?? 0;
  const path = join(tmpdir(), `parley-cache-${uid}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const made = lstatSync(path);
  if (!made.isDirectory() || made.uid !== uid) {
    throw new Error(`${path} belongs to somebody else: remove it, or name a folder in PARLEY_CACHE`);
  }
  chmodSync(path, 0o700);
  return path;
}

function isFileError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).code === 'string';
}
