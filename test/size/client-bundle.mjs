/**
 * `npm run client:size`: bundles the SDK for browsers and prints what it weighs. With a folder as its argument it leaves the
 * package `@parley/client` there, ready to publish: the bundle, the test kit, and their types.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const GZIP_BYTES_MAX = 15_000;
const ENTRIES = { index: 'libs/client/index.ts', testing: 'libs/client/testing.ts' };

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const code = await bundle([ENTRIES.index], {});
const gzipped = gzipSync(code, { level: 9 }).length;
console.log(`@parley/client ${version}: ${code.length} bytes, ${gzipped} gzipped (at most ${GZIP_BYTES_MAX})`);
if (gzipped > GZIP_BYTES_MAX) process.exit(1);
if (process.argv[2] !== undefined) await writePackage(process.argv[2]);

async function bundle(entryPoints, options) {
  const settings = { bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022' };
  const given = { ...settings, entryPoints, absWorkingDir: root, conditions: ['source'], write: false, ...options };
  return (await build(given)).outputFiles?.[0]?.contents;
}

/** The kit and the SDK share their classes, so they are split, not bundled twice. */
async function writePackage(folder) {
  mkdirSync(folder, { recursive: true });
  await bundle(ENTRIES, { splitting: true, write: true, outdir: folder, allowOverwrite: true });
  writeTypes(join(folder, 'types'));
  const entry = (name) => ({ types: `./types/client/${name}.d.ts`, default: `./${name}.js` });
  const manifest = {
    name: '@parley/client',
    version,
    type: 'module',
    license: 'MIT',
    exports: { '.': entry('index'), './testing': entry('testing') },
    // Its types name the contract's, and those are inferred from zod's; no code of either is loaded.
    imports: { '#contract': './types/contract/index.d.ts', '#contract/protocol': './types/contract/protocol.d.ts' },
    dependencies: { zod: dependencies.zod },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function writeTypes(outDir) {
  const work = mkdtempSync(join(tmpdir(), 'parley-types-'));
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    incremental: false,
    tsBuildInfoFile: null,
    outDir,
    rootDir: join(root, 'libs'),
    typeRoots: [join(root, 'node_modules', '@types')],
  };
  const files = Object.values(ENTRIES).map((file) => join(root, file));
  const project = join(work, 'tsconfig.json');
  writeFileSync(project, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files }));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--project', project], { encoding: 'utf8' });
  rmSync(work, { recursive: true });
  if (status !== 0) throw new Error(`the types cannot be written:\n${stdout}`);
}
