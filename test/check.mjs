/**
 * `npm run check`: format, lint, types and the tidy rules (import direction among them), side by side so that it stays under a
 * minute on two cores. What each has to say is printed when it ends; the exit code says whether all were content.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const CHECKS = {
  lint: ['eslint/bin/eslint.js', '.'],
  format: ['prettier/bin/prettier.cjs', '--check', '.'],
  types: ['typescript/bin/tsc'],
  tidy: ['jest/bin/jest.js', 'test/tidy'],
};

function run([name, [tool, ...args]]) {
  const startMs = performance.now();
  const env = { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --no-warnings' };
  const child = spawn(process.execPath, [join(root, 'node_modules', tool), ...args], { cwd: root, env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += bytes));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
      console.log(`${name}: ${code === 0 ? 'good' : 'not good'} (${seconds} s)`);
      if (code !== 0) console.log(said);
      resolve(code === 0);
    });
  });
}

const outcomes = await Promise.all(Object.entries(CHECKS).map(run));
process.exitCode = outcomes.every(Boolean) ? 0 : 1;
