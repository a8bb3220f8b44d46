import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { countsIn } from './counts.mjs';
import { progress, root } from './paths.mjs';
import { prepare, preparePostgres } from './prepare.mjs';

const KILL = '\\.kill\\.spec\\.ts$';
const NEVER = ['/node_modules/', '/dist/'];

/**
 * All specs: first those that can run side by side, then, one at a time, those that kill what they started: a machine that is busy
 * with other things takes longer to come back. Arguments go to jest, which then runs once. The last line is `N passed, N failed`, and the exit code follows it.
 */
export async function run(args) {
  const total = { passed: 0, failed: 0 };
  try {
    await prepare();
    await preparePostgres();
    progress('testing (4/4)');
    for (const each of runsFor(args)) {
      add(total, await jest(each));
      if (interrupted) break;
    }
  } catch (error) {
    console.error(`parley: ${error.isExpected ? error.message : error.stack}`);
    add(total, { passed: 0, failed: 1 });
  }
  process.exitCode = total.failed > 0 ? 1 : 0;
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
}

/** Set by the first signal that ends the run: what was counted until then is still said. */
let interrupted = false;

function add(total, { passed, failed }) {
  total.passed += passed;
  total.failed += failed;
}

function runsFor(args) {
  if (args.length > 0) return [args];
  return [
    ['--maxWorkers=2', '--testPathIgnorePatterns', ...NEVER, KILL],
    ['--maxWorkers=1', '--testPathPatterns', KILL],
  ];
}

async function jest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'parley-test-'));
  const report = join(folder, 'report.json');
  try {
    const exitCode = await spawnJest(['--json', `--outputFile=${report}`, '--passWithNoTests', '--forceExit', ...args]);
    return countsIn(report, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Jest's report goes to standard error; the interrupt of a terminal reaches it as well as us. */
function spawnJest(args) {
  const cli = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const options = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim();
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: options },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      interrupted = true;
      child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
