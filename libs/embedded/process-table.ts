import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * A process named so that it cannot be mistaken: a pid is given again after its process has ended, a pid together with its start
 * time is not. Everything that ends a process found in a file compares both.
 */
export interface ProcessName {
  readonly pid: number;
  readonly started: string;
}

const onLinux = process.platform === 'linux';

/** The living process with this pid, or undefined; a zombie counts as ended. */
export function processNamed(pid: number): ProcessName | undefined {
  const started = onLinux ? startedOnLinux(pid) : startedElsewhere(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isRunning(name: ProcessName): boolean {
  return processNamed(name.pid)?.started === name.started;
}

/** Whether SIGSTOP has taken hold: the signal is sent at once and obeyed a moment later. */
export function isStopped(pid: number): boolean {
  return (onLinux ? statFields(pid)?.[0] : ps('-o', 'state=', '-p', String(pid)).trim()[0]) === 'T';
}

/** Sends a signal; false when there is no such process (a negative pid is a process group). */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

export function childrenOf(parent: number): ProcessName[] {
  const pids = onLinux ? childrenOnLinux(parent) : childrenElsewhere(parent);
  return pids.map(processNamed).filter((name) => name !== undefined);
}

/** Processes whose working folder is `folder`: how orphaned PostgreSQL backends are found. Only Linux can tell. */
export function processesIn(folder: string): ProcessName[] {
  if (!onLinux) return [];
  return allPids()
    .filter((pid) => workingFolder(pid) === folder)
    .map(processNamed)
    .filter((name) => name !== undefined);
}

let boot: string | undefined;

function startedOnLinux(pid: number): string | undefined {
  const fields = statFields(pid);
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot}/${fields[19]}`;
}

function childrenOnLinux(parent: number): number[] {
  return allPids().filter((pid) => Number(statFields(pid)?.[1]) === parent);
}

/** What follows the command name in /proc/<pid>/stat: state, parent, ...; the start time is the twentieth. */
function statFields(pid: number): string[] | undefined {
  const line = unlessGone(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return line?.slice(line.lastIndexOf(')') + 2).split(' ');
}

function workingFolder(pid: number): string | undefined {
  return unlessGone(() => readlinkSync(`/proc/${pid}/cwd`));
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** A process may end while it is read, and some belong to others: both mean that it is not what we look for. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

function startedElsewhere(pid: number): string | undefined {
  const [state, ...started] = ps('-o', 'state=,lstart=', '-p', String(pid)).trim().split(/\s+/);
  return !state || state.startsWith('Z') ? undefined : started.join(' ');
}

function childrenElsewhere(parent: number): number[] {
  return ps('-axo', 'pid=,ppid=')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, above]) => (pid !== undefined && above === parent ? [pid] : []));
}

function ps(...args: string[]): string {
  return spawnSync('ps', args, { encoding: 'utf8' }).stdout ?? '';
}
