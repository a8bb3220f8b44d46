/** Stryker's configuration; the part comes from `run.mjs`. What it writes is not committed. */
import { fileURLToPath } from 'node:url';
import jestConfig from '../../jest.config.js';
import { PARTS } from './parts.mjs';

const part = process.env['MUTATED_PART'];
const { mutate } = PARTS[part];

export default {
  mutate: [...mutate, '!**/*.spec.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings'],
  plugins: ['@stryker-mutator/jest-runner'],
  jest: {
    enableFindRelatedTests: false,
    config: {
      ...jestConfig,
      roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test/mutation'],
      testMatch: ['<rootDir>/test/mutation/judges.mjs'],
      testEnvironment: fileURLToPath(new URL('./first-failure.cjs', import.meta.url)),
      // The slowest of the specs takes 2 s; what waits for ever is as dead after this as after two minutes.
      testTimeout: 10_000,
      setupFiles: ['<rootDir>/test/mutation/quick-failures.ts'],
    },
  },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // Modules that were loaded are never given back, and a heap of gigabytes takes more time than a new process.
  maxTestRunnerReuse: 50,
  // Where the machine has other things to do, a slow run is no endless loop.
  timeoutMS: 60_000,
  reporters: ['clear-text', 'progress', 'json'],
  jsonReporter: { fileName: `coverage/mutation-${part}.json` },
  tempDirName: '.stryker-tmp',
  ignorePatterns: ['dist', 'coverage', 'bench', 'apps/web', '.parley', 'docs'],
};
