import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expected, progress, root } from './paths.mjs';

const lockFile = join(root, 'package-lock.json');
const modules = join(root, 'node_modules');
/** In node_modules, so that it goes with what it vouches for: npm ci removes the folder first and so never leaves a false one. */
const record = join(modules, '.parley-lock-sha256');

export function installPackages() {
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (existsSync(record) && readFileSync(record, 'utf8') === wanted) return;
  if (!isInstalledByHand()) {
    progress('installing packages (1/4)');
    npmCi();
  }
  writeFileSync(record, wanted);
}

/** No install script is needed, so none is run; development packages build the rest, whatever NODE_ENV says. */
function npmCi() {
  const args = [
    'ci',
    '--include=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
  ];
  const cli = process.env.npm_execpath;
  const [command, ...before] = cli ? [process.execPath, cli] : ['npm'];
  const shell = !cli && process.platform === 'win32';
  const { status, error } = spawnSync(command, [...before, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell,
  });
  if (error) throw expected(`npm could not be run (${error.message}): install npm, which comes with Node`);
  if (status !== 0)
    throw expected(`npm ci failed (exit code ${status}): see above, and check the network and npm's registry`);
}

/**
 * Someone may have run npm ci or npm install themselves. npm notes what it installed; when that is what the lock file asks
 * for (but for packages of other platforms), nothing is installed again.
 */
function isInstalledByHand() {
  const noted = join(modules, '.package-lock.json');
  if (!existsSync(noted)) return false;
  const present = JSON.parse(readFileSync(noted, 'utf8')).packages ?? {};
  const asked = JSON.parse(readFileSync(lockFile, 'utf8')).packages ?? {};
  return Object.entries(asked).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    return found ? found.version === entry.version && found.integrity === entry.integrity : entry.optional === true;
  });
}
