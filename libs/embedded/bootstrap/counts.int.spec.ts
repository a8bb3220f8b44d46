import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, temporaryFolder } from '../places.js';
import { countsIn } from './counts.mjs';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let report: string;

beforeEach(async () => {
  folder = await temporaryFolder('counts');
  report = join(folder.path, 'report.json');
});

afterEach(() => folder.remove());

interface Ended {
  readonly exitCode: number;
  readonly said: string;
}

/** Runs a real jest on these suites alone. */
function jest(suites: Record<string, string>, reporters: readonly unknown[] = ['default']): Promise<Ended> {
  writeFileSync(join(folder.path, 'package.json'), '{}');
  for (const [name, text] of Object.entries(suites)) writeFileSync(join(folder.path, `${name}.test.js`), text);
  const cli = join(projectRoot(), 'node_modules', 'jest', 'bin', 'jest.js');
  const config = JSON.stringify({ rootDir: folder.path, testPathIgnorePatterns: [], transform: {}, reporters });
  const args = [cli, '--json', `--outputFile=${report}`, '--runInBand', '--config', config];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder.path }, (error, _, said) =>
      resolve({ exitCode: error ? Number(error.code ?? 1) : 0, said }),
    );
  });
}

const PASSES = `test('is so', () => expect(1).toBe(1));`;

test('tests are counted, and so are suites that fall over beside them', async () => {
  const { exitCode } = await jest({
    passes: PASSES,
    fails: `${PASSES} test('is not so', () => expect(1).toBe(2));`,
    'cannot-be-loaded': `require('./no-such-file.js'); ${PASSES}`,
    'falls-over-at-its-end': `${PASSES} afterAll(() => { throw new Error('late'); });`,
  });
  expect(exitCode).toBe(1);
  expect(countsIn(report, exitCode)).toEqual({ passed: 3, failed: 3 });
});

test('nothing failed is nothing failed', async () => {
  const { exitCode } = await jest({ passes: PASSES });
  expect(countsIn(report, exitCode)).toEqual({ passed: 1, failed: 0 });
});

test('a jest that failed without a word is a failure', () => {
  expect(countsIn(join(folder.path, 'no-report.json'), 1)).toEqual({ passed: 0, failed: 1 });
  writeFileSync(report, JSON.stringify({ numPassedTests: 2, numFailedTests: 0, testResults: [] }));
  expect(countsIn(report, 1)).toEqual({ passed: 2, failed: 1 });
});

test('a suite that takes long is named while it runs', async () => {
  const reporter = join(import.meta.dirname, 'long-suites.mjs');
  const waits = `test('waits', () => new Promise((resolve) => setTimeout(resolve, 1_000)));`;
  const { exitCode, said } = await jest({ waits, passes: PASSES }, [[reporter, { everyMs: 300 }]]);
  expect(exitCode).toBe(0);
  expect(said).toMatch(/^parley: .*waits\.test\.js has run for \d+ s$/m);
  expect(said).not.toContain('passes.test.js');
});
