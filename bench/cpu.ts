/** CPU time of processes and of the whole machine, as Linux counts it; elsewhere there is none to be had, and none is shown. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { waitUntil } from '#embedded';

/** Of /proc, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const QUIET_CORES = 0.2;
const QUIET_WINDOW_MS = 250;

export interface CpuSample {
  readonly atMs: number;
  /** Seconds, by name of the process. */
  readonly named: ReadonlyMap<string, number>;
  /** Seconds of this process and of all that it started. */
  readonly all: number;
  /** Seconds that the machine was busy. */
  readonly busy: number;
}

const canTell = existsSync('/proc/stat');

/** @param processes by name; each counts with its descendants, but this one, which started all the others, by itself */
export function sampleCpu(processes: Readonly<Record<string, number>>): CpuSample {
  const atMs = performance.now();
  if (!canTell) return { atMs, named: new Map(), all: 0, busy: 0 };
  const table = readProcesses();
  const secondsOf = (pid: number): number =>
    pid === process.pid ? (table.get(pid)?.own ?? 0) : secondsOfTree(table, pid);
  const named = Object.entries(processes).map(([name, pid]) => [name, secondsOf(pid)] as const);
  return { atMs, named: new Map(named), all: secondsOfTree(table, process.pid), busy: busySeconds() };
}

/** Cores used between two samples: by each process, by the `rest` of what we started, and by `other` programs. */
export function coresBetween(before: CpuSample, after: CpuSample): Record<string, number> {
  if (!canTell) return {};
  const elapsed = (after.atMs - before.atMs) / 1_000;
  const cores: Record<string, number> = {};
  let sum = 0;
  for (const [name, seconds] of after.named) {
    cores[name] = (seconds - (before.named.get(name) ?? 0)) / elapsed;
    sum += cores[name];
  }
  const all = (after.all - before.all) / elapsed;
  cores.rest = Math.max(0, all - sum);
  cores.other = Math.max(0, (after.busy - before.busy) / elapsed - all);
  return cores;
}

/** Seconds of CPU that each process used for some work, and what came of the work. */
export async function cpuFor<Name extends string, T>(
  processes: Readonly<Record<Name, number>>,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly seconds: Readonly<Record<Name, number>> }> {
  const before = sampleCpu(processes);
  const result = await work();
  const after = sampleCpu(processes);
  const used = Object.keys(processes).map((name) => [
    name,
    (after.named.get(name) ?? NaN) - (before.named.get(name) ?? NaN),
  ]);
  return { result, seconds: Object.fromEntries(used) as Record<Name, number> };
}

/** Until the machine has next to nothing to do, or patience ends. @returns cores used in the last look at it */
export async function untilQuiet(patienceMs: number): Promise<number> {
  if (!canTell) return 0;
  let before = { atMs: performance.now(), busy: busySeconds() };
  let cores = 0;
  const giveUpAt = before.atMs + patienceMs;
  await waitUntil('the machine is quiet, or patience ends', patienceMs + 10 * QUIET_WINDOW_MS, () => {
    const now = { atMs: performance.now(), busy: busySeconds() };
    if (now.atMs - before.atMs < QUIET_WINDOW_MS) return false;
    cores = ((now.busy - before.busy) * 1_000) / (now.atMs - before.atMs);
    before = now;
    return cores < QUIET_CORES || now.atMs > giveUpAt;
  });
  return cores;
}

/** Bytes of memory that a process has in RAM. */
export function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`no VmRSS of ${pid}`);
  return Number(kilobytes) * 1_024;
}

interface ProcessCpu {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended. */
  readonly ended: number;
}

function readProcesses(): Map<number, ProcessCpu> {
  const table = new Map<number, ProcessCpu>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statFields(entry);
    if (fields === undefined) continue;
    const [, parent, , , , , , , , , , user, system, endedUser, endedSystem] = fields.map(Number);
    table.set(Number(entry), {
      parent: parent ?? 0,
      own: ((user ?? 0) + (system ?? 0)) / TICKS_PER_SECOND,
      ended: ((endedUser ?? 0) + (endedSystem ?? 0)) / TICKS_PER_SECOND,
    });
  }
  return table;
}

/** What follows the command's name: state, parent, ...; undefined for a process that has just ended. */
function statFields(pid: string): string[] | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function secondsOfTree(table: ReadonlyMap<number, ProcessCpu>, root: number): number {
  let sum = 0;
  for (const [pid, cpu] of table) if (isBelow(table, pid, root)) sum += cpu.own + cpu.ended;
  return sum;
}

function isBelow(table: ReadonlyMap<number, ProcessCpu>, pid: number, root: number): boolean {
  for (let at = pid; at > 1; at = table.get(at)?.parent ?? 0) if (at === root) return true;
  return false;
}

function busySeconds(): number {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
