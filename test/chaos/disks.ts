/** Disks that can be filled or slowed, by what this machine lets us do. */
import { execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BROKERS, POSTGRES } from './world.js';

const run = promisify(execFile);
const SIZES_MEBIBYTES: Readonly<Record<string, number>> = { [POSTGRES]: 640, broker: 256 };
const BALLAST = 'ballast';
const PIECE_BYTES = 1024 * 1024;
const LAST_PIECE_BYTES = 512;

const isRoot = (): boolean => process.getuid?.() === 0;

/** A small disk needs a mount, and that needs root. */
export async function canMountHere(folder: string): Promise<boolean> {
  if (!isRoot() || process.platform !== 'linux') return false;
  const probe = join(folder, 'probe');
  mkdirSync(probe);
  try {
    await mountSmall(probe, 1);
    await run('umount', [probe]);
    return true;
  } catch {
    return false; // a container without the capability
  } finally {
    rmdirSync(probe);
  }
}

const mountSmall = (folder: string, mebibytes: number): Promise<unknown> =>
  run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'parley-chaos', folder]);

/** The small disks of one platform, below its folder. */
export class SmallDisks {
  readonly #mounted = new Map<string, string>();

  constructor(private readonly folder: string) {}

  async mount(owner: string): Promise<void> {
    const place = join(this.folder, owner);
    mkdirSync(place, { recursive: true });
    const isBroker = (BROKERS as readonly string[]).includes(owner);
    await mountSmall(place, SIZES_MEBIBYTES[isBroker ? 'broker' : owner] ?? 0);
    this.#mounted.set(owner, place);
  }

  has(owner: string): boolean {
    return this.#mounted.has(owner);
  }

  /** Not a byte is left, until `empty`. */
  fill(owner: string): void {
    const file = openSync(this.#ballast(owner), 'a');
    for (const bytes of [PIECE_BYTES, LAST_PIECE_BYTES]) while (writes(file, Buffer.alloc(bytes)));
    closeSync(file);
  }

  empty(owner: string): void {
    rmSync(this.#ballast(owner), { force: true });
  }

  async unmount(): Promise<void> {
    for (const [owner, place] of this.#mounted) {
      await run('umount', ['--lazy', place]);
      this.#mounted.delete(owner);
    }
  }

  #ballast(owner: string): string {
    const place = this.#mounted.get(owner);
    if (place === undefined) throw new Error(`${owner} has no small disk`);
    return join(place, BALLAST);
  }
}

function writes(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

const BLKIO = '/sys/fs/cgroup/blkio';
/** Synced writes a second; a disk of this machine does some thousands. */
const SLOW_WRITES = 40;

/** How a disk is slowed here, for the report. */
export const slowingBy = (): 'blkio' | 'competition' =>
  isRoot() && existsSync(join(BLKIO, 'blkio.throttle.write_iops_device')) ? 'blkio' : 'competition';

/** Where nothing can be throttled: others who sync as often as they can. */
const COMPETITORS = 8;
const COMPETE = `
const { openSync, writeSync, fsyncSync } = require('node:fs');
const file = openSync(process.argv[1], 'w');
for (let at = 0; ; at = (at + 1) % 1024) {
  writeSync(file, Buffer.alloc(65536, at), 0, 65536, at * 65536);
  fsyncSync(file);
}`;

export function compete(folder: string): () => void {
  const files = Array.from({ length: COMPETITORS }, (_, at) => join(folder, `competitor-${at}`));
  const writers = files.map((file) => spawn(process.execPath, ['-e', COMPETE, file], { stdio: 'ignore' }));
  return () => {
    writers.forEach((writer) => writer.kill('SIGKILL'));
    files.forEach((file) => rmSync(file, { force: true }));
  };
}

/** Throttles the writes of these processes, and of what they start; resolves with what ends it. */
export function throttle(pids: readonly number[], folder: string): () => void {
  const group = join(BLKIO, `parley-chaos-${process.pid}-${pids[0] ?? 0}`);
  const { dev } = statSync(folder);
  const device = `${(dev >> 8) & 0xfff}:${dev & 0xff}`;
  mkdirSync(group);
  writeFileSync(join(group, 'blkio.throttle.write_iops_device'), `${device} ${SLOW_WRITES}`);
  move(pids, group);
  return () => {
    move(readFileSync(join(group, 'cgroup.procs'), 'utf8').trim().split('\n').filter(Boolean).map(Number), BLKIO);
    rmdirSync(group);
  };
}

/** One a write: the kernel takes no lists. */
function move(pids: readonly number[], group: string): void {
  for (const pid of pids) {
    try {
      writeFileSync(join(group, 'cgroup.procs'), String(pid));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has ended meanwhile
    }
  }
}
