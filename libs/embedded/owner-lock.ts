import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, processNamed, signal, type ProcessName } from './process-table.js';
import { waitUntil } from './wait-until.js';

/**
 * A data folder belongs to one owner process at a time. `owner.json` in it says who that is and which processes it started.
 * The next owner of a folder whose owner is gone first ends what that one left running; a folder whose owner lives is refused.
 */
export interface OwnerLock {
  /** Notes a process that the owner has started, so that a later owner can end it. */
  record(processes: StartedProcesses): void;
  release(): void;
}

export interface StartedProcesses {
  readonly guard?: ProcessName;
  readonly child?: ProcessName;
  /** What asks the child to end in order. */
  readonly stopSignal?: NodeJS.Signals;
}

interface Claim extends StartedProcesses {
  readonly owner: ProcessName;
}

const FILE = 'owner.json';
const OWNER_PATIENCE_MS = 2_000;
/** How long a leftover gets to end in order before it is killed. The guard of a dead owner is ending it at the same time. */
const LEFTOVER_GRACE_MS = 5_000;
const LEFTOVER_KILL_MS = 10_000;

export async function claimFolder(folder: string, title: string): Promise<OwnerLock> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, FILE);
  const owner = processNamed(process.pid);
  if (!owner) throw new Error('this process is not in the process table');
  while (!createExclusively(file, { owner })) {
    const claim = readClaim(file);
    if (claim && !(await endsSoon(claim.owner))) {
      throw new Error(
        `${title}: ${folder} is in use by process ${claim.owner.pid}; stop that one or choose another folder`,
      );
    }
    if (claim) await endLeftovers(claim, title);
    takeAway(file, claim);
  }
  return {
    record: (processes) => replace(file, { owner, ...processes }),
    release: () => rmSync(file, { force: true }),
  };
}

/** An owner that has just been killed, or is on its way out, is worth a moment's wait. */
async function endsSoon(owner: ProcessName): Promise<boolean> {
  if (owner.pid === process.pid && isRunning(owner)) return false;
  const deadline = Date.now() + OWNER_PATIENCE_MS;
  await waitUntil('the owner ends', OWNER_PATIENCE_MS * 2, () => !isRunning(owner) || Date.now() > deadline);
  return !isRunning(owner);
}

/** Removes a data folder with all that is in it; refuses while its owner runs, and ends what a dead one left. */
export async function forgetFolder(folder: string, title: string): Promise<void> {
  if (!existsSync(folder)) return;
  await claimFolder(folder, title);
  rmSync(folder, { recursive: true, force: true });
}

async function endLeftovers(claim: Claim, title: string): Promise<void> {
  const left = [claim.child, claim.guard].filter((name) => name !== undefined && isRunning(name)) as ProcessName[];
  if (left.length === 0) return;
  if (claim.child && isRunning(claim.child)) {
    signal(claim.child.pid, claim.stopSignal ?? 'SIGTERM');
    signal(claim.child.pid, 'SIGCONT');
  }
  const gone = (): boolean => !left.some(isRunning);
  const deadline = Date.now() + LEFTOVER_GRACE_MS;
  await waitUntil(`${title}: leftovers end`, LEFTOVER_KILL_MS, () => {
    if (Date.now() > deadline) left.filter(isRunning).forEach((name) => signal(name.pid, 'SIGKILL'));
    return gone();
  });
}

/** A hard link fails when the name exists, and the file that it names is already whole: nobody reads half a claim. */
function createExclusively(file: string, claim: Claim): boolean {
  const draft = writeDraft(file, claim);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a dead owner's claim. Of two who found it dead one may have claimed anew: that claim is put back. */
function takeAway(file: string, expected: Claim | undefined): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const taken = readClaim(aside);
  if (taken && JSON.stringify(taken) !== JSON.stringify(expected) && isRunning(taken.owner)) linkSync(aside, file);
  rmSync(aside);
}

function replace(file: string, claim: Claim): void {
  renameSync(writeDraft(file, claim), file);
}

function writeDraft(file: string, claim: Claim): string {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(claim), { mode: 0o600 });
  return draft;
}

/** Undefined when there is none, or when a power cut left one that cannot be read: then nothing of that boot runs any more. */
function readClaim(file: string): Claim | undefined {
  try {
    const claim = JSON.parse(readFileSync(file, 'utf8')) as Partial<Claim>;
    return claim.owner ? (claim as Claim) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
