/** What the manifests are held against: facts read out of the code itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const source = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The environment variables that libs/service/config.ts reads: the keys of its schema. */
export function configVariables(): string[] {
  const [, schema = ''] = source('libs/service/config.ts').split('const environment = z.object({');
  const names = [...schema.slice(0, schema.indexOf('\n});')).matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)];
  return names.map(([, name]) => String(name));
}

/** How long a service may take to drain before it cuts itself off. */
export function drainMaxMs(): number {
  const [, digits] = /DRAIN_MAX_MS = ([\d_]+)/.exec(source('libs/service/process.ts')) ?? [];
  if (digits === undefined) throw new Error('libs/service/process.ts names no DRAIN_MAX_MS');
  return Number(digits.replaceAll('_', ''));
}

/** The paths that the proxy of the cluster runner sends to the gateways; compose and Kubernetes have to send the same. */
export function pathsToGateway(): string[] {
  const [, alternatives] = /TO_GATEWAYS = \/\^\\\/\(([^)]+)\)/.exec(source('libs/embedded/proxy.ts')) ?? [];
  if (alternatives === undefined) throw new Error('libs/embedded/proxy.ts names no TO_GATEWAYS');
  return alternatives
    .replaceAll('\\/', '/')
    .split('|')
    .map((path) => `/${path}`)
    .sort();
}

/** The services that the image starts by name. */
export function imageEntries(): string[] {
  const [, names] = /^ {2}([a-z |]+)\)$/m.exec(source('deploy/docker/entry.sh')) ?? [];
  if (names === undefined) throw new Error('deploy/docker/entry.sh names no services');
  return names.split('|').map((name) => name.trim());
}
