/**
 * What is mutated, and which specs have to notice. `npm run mutation [-- domain|resume]`; docs/TESTING.md has the scores. The specs
 * of a part are listed, so that a mutant is judged by those that are about it and a run takes minutes.
 */
import jestConfig from '../../jest.config.js';

const PARTS = {
  domain: {
    mutate: ['libs/domain/*.ts', '!libs/domain/index.ts'],
    specs: ['libs/domain/{users,membership,moderation,rooms,sending}.spec.ts'],
  },
};
const part = process.env['MUTATED_PART'] ?? 'domain';
const { mutate, specs } = PARTS[part];

export default {
  mutate: [...mutate, '!**/*.spec.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings'],
  plugins: ['@stryker-mutator/jest-runner'],
  jest: {
    enableFindRelatedTests: false,
    config: {
      ...jestConfig,
      roots: ['<rootDir>/apps', '<rootDir>/libs'],
      testMatch: specs.map((spec) => `<rootDir>/${spec}`),
      setupFiles: ['<rootDir>/test/mutation/quick-failures.ts'],
    },
  },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // Where the machine has other things to do, a slow run is no endless loop.
  timeoutMS: 60_000,
  checkers: [],
  disableTypeChecks: false,
  reporters: ['clear-text', 'progress', 'json'],
  jsonReporter: { fileName: `coverage/mutation-${part}.json` },
  tempDirName: '.stryker-tmp',
  ignorePatterns: ['dist', 'coverage', 'bench', 'apps/web', '.parley', 'docs'],
};
