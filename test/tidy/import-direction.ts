/**
 * Imports run one way: apps -> domain, event-log, read-models, client -> contract. What a folder may import stands in one
 * table here; whatever is not in it is a finding, so a new library or a new direction is a decision, not an accident.
 */
import { posix } from 'node:path';
import { type Finding, type Import, isTestPath, type Source } from './source.js';

/** Libraries that the shipped files of a folder may load. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'libs/contract': [],
  'libs/domain': ['libs/contract'],
  'libs/event-log': ['libs/contract'],
  'libs/read-models': ['libs/contract'],
  'libs/client': ['libs/contract'],
  /** One definition of refusals and of the edges' command path: docs/adr/0006-service-imports-contract.md. */
  'libs/service': ['libs/contract'],
  'libs/embedded': ['libs/contract'],
  'libs/testing': ['libs/contract', 'libs/domain', 'libs/event-log', 'libs/read-models', 'libs/client'],
  'apps/web': ['libs/contract', 'libs/client'],
};
/** Parts of an app that may take less than the app. The terminal client is a client like any other. */
const PARTS_MAY_IMPORT: readonly (readonly [folder: string, libraries: readonly string[]])[] = [
  ['apps/cli/chat/', ['libs/client']],
];
const APPS_MAY_IMPORT = [
  'libs/contract',
  'libs/domain',
  'libs/event-log',
  'libs/read-models',
  'libs/client',
  'libs/service',
];
const ALL_IN_ONE = 'apps/standalone';
/** Replaces parts of services where they are wired, so it wires them itself. */
const REWIRES = 'test/planted/';
/** Tests may load every library, and these two nobody else may. */
const TESTS_ONLY = new Set(['libs/testing', 'libs/embedded']);
/** What the browser loads takes types and this one file of constant tables, so that no schema library reaches it. */
const BROWSER_SIDE = new Set(['libs/client', 'apps/web']);
const BROWSER_ENTRY = '#contract/protocol';

export function importFindings(source: Source): Finding[] {
  return source.imports.flatMap((each) => {
    const problem = problemWith(source, each);
    return problem === undefined ? [] : [{ path: source.path, line: each.line, problem }];
  });
}

function problemWith(source: Source, each: Import): string | undefined {
  if (each.specifier.startsWith('.')) return relativeProblem(source, each);
  if (!each.specifier.startsWith('#')) return undefined;
  const target = `libs/${each.specifier.slice(1).split('/')[0]}`;
  if (target === source.owner)
    return source.isTest ? undefined : `imports ${each.specifier}, its own library: use a relative path`;
  if (!mayImport(source, target)) return `${posix.dirname(source.path)} may not import ${each.specifier}`;
  if (BROWSER_SIDE.has(source.owner) && target === 'libs/contract' && !source.isTest)
    return each.typeOnly || each.specifier === BROWSER_ENTRY
      ? undefined
      : `takes more than types from ${each.specifier}: only ${BROWSER_ENTRY} may be loaded here`;
  return undefined;
}

function mayImport(source: Source, target: string): boolean {
  if (source.isTest) return true;
  if (source.owner === ALL_IN_ONE && target === 'libs/embedded') return true;
  if (TESTS_ONLY.has(target)) return false;
  const part = PARTS_MAY_IMPORT.find(([folder]) => source.path.startsWith(folder));
  const listed = part?.[1] ?? MAY_IMPORT[source.owner];
  if (listed) return listed.includes(target);
  return source.owner.startsWith('apps/') ? APPS_MAY_IMPORT.includes(target) : !source.owner.startsWith('libs/');
}

function relativeProblem(source: Source, each: Import): string | undefined {
  const target = posix.join(posix.dirname(source.path), each.specifier);
  const [top = '', second = ''] = target.split('/');
  const owner = top === 'libs' || top === 'apps' ? `${top}/${second}` : top;
  if (top === 'libs' && owner !== source.owner) return `reaches into ${owner} by path: import #${second}`;
  const mayReachApps = source.owner === ALL_IN_ONE || source.path.startsWith(REWIRES);
  if (top === 'apps' && owner !== source.owner && !mayReachApps)
    return `imports another app (${owner}): only ${ALL_IN_ONE} may; tests start apps as processes`;
  return isTestPath(target) && !source.isTest ? `imports test code (${target})` : undefined;
}
