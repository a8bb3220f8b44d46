/** Reads every source of the tree: an import against the direction, or a broken house rule, fails here with its place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { boundaryFindings } from './boundaries.js';
import { dependencyFindings, type PackageFile, unusedDependencies } from './dependencies.js';
import { LOADED_BY_OTHERS, LONG_FILES } from './exceptions.js';
import { importFindings } from './import-direction.js';
import { type Finding, listFiles, readTree, type Source } from './source.js';
import { laterFindings, styleFindings } from './style.js';

const root = join(import.meta.dirname, '..', '..');
const PROSE = /(\.(md|ya?ml|conf|json|html|css|sh)|Dockerfile)$/;
const FOUND_AT_LEAST = 50;

/** One line a finding, so that a failing test reads like a compiler. */
const listed = (findings: readonly Finding[]): string[] =>
  findings.map(({ path, line, problem }) => `${path}:${line} ${problem}`);

let sources: Source[];
beforeAll(() => {
  sources = readTree(root);
});

describe('the tree', () => {
  test('is read at all', () => {
    expect(sources.length).toBeGreaterThan(FOUND_AT_LEAST);
    expect(sources.map((source) => source.path)).toContain('libs/contract/subjects.ts');
  });

  test('imports in one direction', () => {
    expect(listed(sources.flatMap(importFindings))).toEqual([]);
  });

  test('touches JetStream, the environment and subjects in one place each', () => {
    expect(listed(sources.flatMap(boundaryFindings))).toEqual([]);
  });

  test('ships nothing that needs a development dependency, and has no dependency that nothing needs', () => {
    const packages = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageFile;
    expect(listed(sources.flatMap((source) => dependencyFindings(source, packages)))).toEqual([]);
    expect(unusedDependencies(sources, packages, LOADED_BY_OTHERS)).toEqual([]);
  });

  test('keeps the house style', () => {
    expect(listed(sources.flatMap((source) => styleFindings(source, LONG_FILES)))).toEqual([]);
  });

  test('has no exception for a file that is gone', () => {
    const paths = new Set(sources.map((source) => source.path));
    expect(Object.keys(LONG_FILES).filter((path) => !paths.has(path))).toEqual([]);
  });

  test('leaves nothing to be done later in its documents', () => {
    const documents = listFiles(root, PROSE);
    expect(listed(documents.flatMap((path) => laterFindings(path, readFileSync(join(root, path), 'utf8'))))).toEqual(
      [],
    );
  });
});
