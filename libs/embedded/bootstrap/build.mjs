import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { dist, expected, progress, root } from './paths.mjs';

const SOURCES = ['apps', 'libs', 'examples'];
/** What the sources are built with, and what is copied beside them. */
const SETTINGS = ['.swcrc', 'nest-cli.json', 'tsconfig.json', 'libs/contract/chat.proto'];
const record = join(dist, '.sources-sha256');

/** Builds unless dist was built from exactly these sources; true when it built. */
export function build() {
  const wanted = fingerprint();
  if (existsSync(record) && readFileSync(record, 'utf8') === wanted) return false;
  progress('building (2/4)');
  rmSync(record, { force: true });
  const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  // Without this variable the compiler's own stack stands between the reader and the line that is wrong.
  const env = { ...process.env, RUST_BACKTRACE: '0' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [nest, 'build'], { cwd: root, encoding: 'utf8', env });
  if (status !== 0) throw expected(`the build failed:\n${stdout}${stderr}`);
  removeOrphans();
  writeFileSync(record, wanted);
  return true;
}

/** Names, sizes and times of all sources: a few milliseconds for a few hundred files. */
export function fingerprint() {
  const hash = createHash('sha256');
  for (const file of [...sources(), ...SETTINGS.map((name) => join(root, name))]) {
    const { mtimeMs, size } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 };
    hash.update(`${relative(root, file)} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

function sources() {
  return SOURCES.flatMap((folder) => filesIn(join(root, folder))).filter((file) => /(?<!\.spec|\.d)\.ts$/.test(file));
}

/** The build writes and never removes: what stands in dist without a source would still be loaded. */
function removeOrphans() {
  const kept = new Set(sources().map((file) => relative(root, file).replace(/\.ts$/, '.js')));
  for (const file of SOURCES.flatMap((folder) => filesIn(join(dist, folder)))) {
    const made = relative(dist, file).replace(/\.map$/, '');
    if (made.endsWith('.js') && !kept.has(made)) rmSync(file);
  }
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path);
    return [path];
  });
}
