import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../places.js';
import { missingOptionals, type LockFile } from './complete-lock.mjs';

const lock = JSON.parse(readFileSync(join(projectRoot(), 'package-lock.json'), 'utf8')) as LockFile;

describe('package-lock.json', () => {
  test('names the optional packages of every platform; else run node libs/embedded/bootstrap/complete-lock.mjs', () => {
    expect(missingOptionals(lock).map(([name]) => name)).toEqual([]);
  });

  test('names no registry', () => {
    expect(Object.keys(lock.packages).filter((path) => lock.packages[path]?.resolved)).toEqual([]);
  });

  test('an optional package may stand beneath any package around the one that asks for it', () => {
    const optionalDependencies = { native: '1.0.0' };
    const packages = {
      'node_modules/a/node_modules/b': { optionalDependencies },
      'node_modules/a/node_modules/native': {},
    };
    expect(missingOptionals({ packages })).toEqual([]);
    const [missing] = missingOptionals({ packages: { 'node_modules/b': { optionalDependencies } } });
    expect(missing?.slice(0, 2)).toEqual(['native', '1.0.0']);
  });
});
