import { chownSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRoot } from './places.js';

/** The operating system's user that PostgreSQL runs as. Undefined: the one that we are. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root. These are tried in this order; `nobody` is on every system, and makes no user necessary. */
const CANDIDATES = ['postgres', 'nobody'];

export function postgresAccount(): Account | undefined {
  if (!isRoot()) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of CANDIDATES) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (Number(uid) > 0 && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    `PostgreSQL does not run as root and there is no user ${CANDIDATES.join(' or ')}: add one, or set DATABASE_URL`,
  );
}

/** Whether the account may pass through every folder down to `path` (mode bits only: no access list makes it wrong in practice). */
export function canReach(path: string, account: Account | undefined): boolean {
  return account === undefined || barrier(path, account) === undefined;
}

export function barrier(path: string, { uid, gid }: Account): string | undefined {
  for (let folder = path; ; folder = dirname(folder)) {
    const at = statSync(folder);
    const executable = at.uid === uid ? 0o100 : at.gid === gid ? 0o010 : 0o001;
    if ((at.mode & executable) === 0) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

export function giveTo(path: string, account: Account | undefined): void {
  if (account) chownSync(path, account.uid, account.gid);
}
