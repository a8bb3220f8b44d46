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
/** A loop that never waits keeps even a test's own timeout from coming. Of one run of jest; the whole takes a third of it on two quiet cores. */
const JEST_WITHIN_MS = 45 * 60_000;
const REPORTERS = [
  '--reporters=default',
  `--reporters=${join(root, 'libs', 'embedded', 'bootstrap', 'long-suites.mjs')}`,
];

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
    const output = ['--json', `--outputFile=${report}`, ...REPORTERS];
    const exitCode = await spawnJest([...output, '--passWithNoTests', '--forceExit', ...args]);
    return countsIn(report, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Jest's report goes to standard error. It and its workers are a process group, so that a signal reaches all of them, whatever keeps them busy. */
function spawnJest(args) {
  const cli = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const options = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim();
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: options },
    detached: true,
  });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      interrupted = true;
      killGroup(child, signal);
    });
  }
  const deadline = setTimeout(() => {
    console.error(
      `parley: the run has not ended in ${JEST_WITHIN_MS / 60_000} minutes and is killed: see which suite has no line above`,
    );
    killGroup(child, 'SIGKILL');
  }, JEST_WITHIN_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(deadline);
      resolve(code ?? 1);
    });
  });
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
