/** Documents name files, commands and pages: all of them are there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { codeSpans, fencedBlocks, links } from './markdown.js';
import { listFiles } from '../tidy/source.js';

const root = join(import.meta.dirname, '..', '..');
const documents = listFiles(root, /\.md$/);
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

/** `npm test`, `npm start` and the like need no `run`. */
const NPM_SCRIPT = /\bnpm (?:run )?(start|test|[a-z]+(?::[a-z]+)*)\b/g;
const NPM_ITSELF = new Set(['install', 'ci', 'pack', 'run']);
const PATH_IN_TREE = /^(apps|libs|deploy|docs|test|examples|bench)\/[\w./-]+$/;

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('links to what is there', () => {
    const local = links(text).filter((target) => !/^(https?:|#|mailto:)/.test(target));
    expect(local.filter((target) => !existsSync(join(root, dirname(path), target.replace(/#.*/, ''))))).toEqual([]);
  });

  test('names paths that are there', () => {
    const paths = codeSpans(text).filter((code) => PATH_IN_TREE.test(code));
    expect(paths.filter((each) => !existsSync(join(root, each)))).toEqual([]);
  });

  test('names npm scripts that are there', () => {
    const code = [...codeSpans(text), ...fencedBlocks(text).map((block) => block.text)].join('\n');
    const named = [...code.matchAll(NPM_SCRIPT)].map(([, name]) => String(name));
    expect(named.filter((name) => !NPM_ITSELF.has(name) && !(name in scripts))).toEqual([]);
  });
});

test('documents are found', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'docs/TESTING.md']));
});
