/**
 * `npm run audit`: known weaknesses of what we ship, as the registry tells them; and what the lock file says by itself, which needs no
 * registry. Not every registry answers that question: then it is said, and what could be checked counts.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#embedded';
import { dependencyFaults, type Lock } from './dependency-rules.js';

interface Report {
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
}

const SERIOUS = new Set(['moderate', 'high', 'critical']);
const root = projectRoot();
const read = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'));

const file = read('package.json') as Record<'dependencies' | 'devDependencies' | 'overrides', Record<string, string>>;
const asked = { ...file.dependencies, ...file.devDependencies };
const faults = dependencyFaults(read('package-lock.json') as Lock, asked, file.overrides);
const known = await knownWeaknesses();
process.stdout.write(
  [
    `lock file: ${faults.length === 0 ? 'good' : faults.join('\n  ')}`,
    known === undefined
      ? 'registry: does not answer audits; ask another one (npm audit --omit=dev --registry <url>)'
      : `registry: ${known.length === 0 ? 'knows of no weakness' : known.join('\n  ')}`,
    '',
  ].join('\n'),
);
process.exitCode = faults.length + (known?.length ?? 0) === 0 ? 0 : 1;

/** Undefined where the registry does not answer. */
async function knownWeaknesses(): Promise<string[] | undefined> {
  const said = await new Promise<string>((resolve) =>
    // It exits with 1 when it has found something: what counts is what it says.
    execFile('npm', ['audit', '--omit=dev', '--json'], { cwd: root }, (_error, stdout) => resolve(stdout)),
  );
  const { vulnerabilities } = JSON.parse(said === '' ? '{}' : said) as Report;
  if (vulnerabilities === undefined) return undefined;
  return Object.entries(vulnerabilities)
    .filter(([, { severity }]) => SERIOUS.has(severity))
    .map(([name, { severity, range }]) => `${name} ${range}: ${severity}`);
}
