/**
 * `npm run client:size`: bundles the SDK for browsers and prints what it weighs. With a folder as its argument it leaves the
 * bundle and a package.json there, ready to publish.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const GZIP_BYTES_MAX = 15_000;

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const { version } = await import('node:module').then(({ createRequire }) =>
  createRequire(import.meta.url)('../../package.json'),
);

const { outputFiles } = await build({
  entryPoints: [join(root, 'libs', 'client', 'index.ts')],
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  conditions: ['source'],
  write: false,
});
const code = outputFiles[0].contents;
const gzipped = gzipSync(code, { level: 9 }).length;
console.log(`@parley/client ${version}: ${code.length} bytes, ${gzipped} gzipped (at most ${GZIP_BYTES_MAX})`);

const folder = process.argv[2];
if (folder !== undefined) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.js'), code);
  const manifest = { name: '@parley/client', version, type: 'module', exports: './index.js', license: 'MIT' };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
if (gzipped > GZIP_BYTES_MAX) process.exit(1);
