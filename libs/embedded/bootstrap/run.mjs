import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expected, root } from './paths.mjs';
import { prepare, preparePostgres } from './prepare.mjs';

/**
 * A TypeScript program of `bench` or `test` that is not a spec, on a platform that is built: `run test/chaos/main.ts --seed 7`.
 * Its exit code is ours; a signal reaches it too, so that it ends what it started.
 */
export async function run([file, ...args]) {
  if (!file || !existsSync(join(root, file)))
    throw expected(`there is no program ${file ?? ''}: name a .ts file of this project`);
  await prepare();
  await preparePostgres();
  const flags = ['--enable-source-maps', '--conditions=source', '--import', '@swc-node/register/esm-register'];
  const child = spawn(process.execPath, [...flags, join(root, file), ...args], { cwd: root, stdio: 'inherit' });
  // A terminal interrupts both of us; this process waits for the program's own end.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
