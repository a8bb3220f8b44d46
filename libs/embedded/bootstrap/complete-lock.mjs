/**
 * Adds to package-lock.json the optional packages of other platforms that npm has left out. npm leaves out what the registry
 * in use did not have when the file was written, and `npm ci` then refuses the file everywhere. `node
 * libs/embedded/bootstrap/complete-lock.mjs` repairs it; a spec says when that is needed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { root } from './paths.mjs';

const SYSTEMS = ['darwin', 'linux', 'win32', 'freebsd', 'android', 'openharmony'];
const PROCESSORS = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 's390x', 'riscv64', 'loong64', 'wasm32'];

/** `[name, version range, the entry that asks for it]` of each optional package that has no entry. */
export function missingOptionals({ packages }) {
  return Object.entries(packages).flatMap(([path, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !placesFor(path, name).some((place) => packages[place]))
      .map(([name, range]) => [name, range, entry]),
  );
}

/** Where a package at `path` may find `name`: beneath itself, then beneath each package that it stands in. */
function placesFor(path, name) {
  const below = path === '' ? '' : `${path}/`;
  const here = `${below}node_modules/${name}`;
  if (path === '') return [here];
  const above = path.slice(0, Math.max(0, path.lastIndexOf('node_modules/') - 1));
  return [here, ...placesFor(above, name)];
}

function complete(file) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingOptionals(lock);
  for (const [name, range, parent] of missing) lock.packages[`node_modules/${name}`] = entryFor(name, range, parent);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${missing.length} entries added to ${file}`);
}

/** Such packages carry their platform in their name (`@swc/core-darwin-arm64`), and exactly one version fits. */
function entryFor(name, range, parent) {
  const os = SYSTEMS.find((system) => name.includes(`-${system}`));
  const cpu = PROCESSORS.find((processor) => name.includes(`-${processor}`));
  return {
    version: range.replace(/^[~^]/, ''),
    ...(cpu && { cpu: [cpu] }),
    ...(parent.dev && { dev: true }),
    optional: true,
    ...(os && { os: [os] }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) complete(join(root, 'package-lock.json'));
