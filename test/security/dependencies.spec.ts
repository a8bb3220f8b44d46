import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { projectRoot } from '#embedded';
import { dependencyFaults, type Lock, type LockedPackage } from './dependency-rules.js';

const read = (name: string): unknown => JSON.parse(readFileSync(join(projectRoot(), name), 'utf8'));
const lock = read('package-lock.json') as Lock;
const file = read('package.json') as Record<'dependencies' | 'devDependencies' | 'overrides', Record<string, string>>;

test('what we depend on is pinned, permissively licensed, alive, and runs nothing unknown when it is installed', () => {
  const asked = { ...file.dependencies, ...file.devDependencies };
  expect(Object.keys(lock.packages).length).toBeGreaterThan(200);
  expect(dependencyFaults(lock, asked, file.overrides)).toEqual([]);
});

describe('a dependency that', () => {
  const good = { version: '1.0.0', integrity: 'sha512-x', license: 'MIT' };
  const faults = (change: LockedPackage, asked = '1.0.0'): string[] =>
    dependencyFaults({ packages: { '': {}, 'node_modules/a': { ...good, ...change } } }, { a: asked });

  test.each([
    ['has a licence that asks for more', { license: 'GPL-3.0' }, 'has the licence GPL-3.0'],
    ['asks for more in a part of it', { license: 'MIT AND LGPL-3.0' }, 'has the licence'],
    ['is deprecated', { deprecated: 'use b' }, 'is deprecated: use b'],
    ['runs something', { hasInstallScript: true }, 'runs a script'],
    ['may be replaced', { integrity: 'sha1-x' }, 'is not pinned'],
    ['comes from elsewhere', { resolved: 'https://evil.example/a.tgz' }, 'a place of its own'],
  ])('%s is found', (_what, change, fault) => {
    expect(faults(change)).toEqual([expect.stringContaining(fault)]);
  });

  test('is asked for by a range is found; a choice of licences is one', () => {
    expect(faults({}, '^1.0.0')).toEqual(['a is asked for as ^1.0.0, which is no exact version']);
    expect(faults({ license: '(MIT OR GPL-3.0)' })).toEqual([]);
  });
});
