/** All benchmarks there are: every file of `rows/` says which are in it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Benchmark } from './benchmark.js';
import { parseGoal } from './goal.js';

const ROWS = join(import.meta.dirname, 'rows');
const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** In the order of the files, and in a file as it has them. @throws Error for one that is not well formed */
export async function catalogue(folder = ROWS): Promise<readonly Benchmark[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.bench.ts'));
  const all: Benchmark[] = [];
  for (const file of files.sort()) {
    const { benchmarks } = (await import(pathToFileURL(join(folder, file)).href)) as {
      benchmarks: readonly Benchmark[];
    };
    all.push(...benchmarks);
  }
  for (const benchmark of all) examine(benchmark, all);
  return all;
}

/** A wrong goal is found before anything is measured. */
function examine(benchmark: Benchmark, all: readonly Benchmark[]): void {
  const { name, goals, subjects } = benchmark;
  if (!NAME.test(name)) throw new Error(`"${name}" is no name of a benchmark`);
  if (all.some((other) => other !== benchmark && other.name === name)) throw new Error(`two benchmarks are ${name}`);
  for (const { text, against } of goals.map(parseGoal))
    if (against !== undefined && !subjects.some((subject) => subject.name === against))
      throw new Error(`${name}: "${text}" names no subject of it`);
}

/** @throws Error for a name that is nobody's */
export function chosen(all: readonly Benchmark[], names: readonly string[]): readonly Benchmark[] {
  for (const begin of names)
    if (!all.some(({ name }) => name.startsWith(begin))) throw new Error(`no benchmark begins with "${begin}"`);
  return names.length === 0 ? all : all.filter(({ name }) => names.some((begin) => name.startsWith(begin)));
}
