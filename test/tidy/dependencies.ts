/** What is shipped runs without development dependencies: the image is made with `npm ci --omit=dev`. */
import { builtinModules } from 'node:module';
import type { Finding, Source } from './source.js';

export interface PackageFile {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const SHIPPED = /^(apps|libs)\//;
/** A library of tools for specs is built with the others and never loaded. */
const FOR_TESTS = 'libs/testing';
const BUILT_IN = new Set(builtinModules);

export function dependencyFindings(source: Source, { dependencies }: PackageFile): Finding[] {
  if (source.isTest || !SHIPPED.test(source.path) || source.owner === FOR_TESTS) return [];
  return source.imports.flatMap(({ specifier, typeOnly, line }) => {
    if (typeOnly || /^([.#]|node:)/.test(specifier)) return [];
    const name = packageName(specifier);
    const at = { path: source.path, line };
    if (BUILT_IN.has(name)) return [{ ...at, problem: `loads ${specifier}: write node:${specifier}` }];
    return name in dependencies ? [] : [{ ...at, problem: `loads ${name}, which is no dependency` }];
  });
}

/** Dependencies that no file loads. @param otherwise those that are used in another way, each with a reason */
export function unusedDependencies(
  sources: readonly Source[],
  { dependencies }: PackageFile,
  otherwise: Readonly<Record<string, string>>,
): string[] {
  const loaded = new Set(sources.flatMap(({ imports }) => imports.map(({ specifier }) => packageName(specifier))));
  return Object.keys(dependencies).filter((name) => !loaded.has(name) && !(name in otherwise));
}

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
