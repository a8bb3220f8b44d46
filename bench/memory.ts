/** Memory of a process, as Linux counts it, once its garbage is gone. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitUntil } from '#embedded';
import { residentBytes } from './cpu.js';

export const MEGABYTE = 1_048_576;
const SETTLED_AFTER_MS = 1_000;
const SETTLES_WITHIN_MS = 60_000;

/** For the environment of a service whose memory is weighed: it collects its garbage when it is told to. */
export const COLLECTING = {
  NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'collector.mjs')).href}`,
};

/** Resident bytes once the garbage is gone and nothing more is given back. */
export async function settledBytes(pid: number): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  let least = residentBytes(pid);
  let sinceMs = performance.now();
  await waitUntil('memory settles', SETTLES_WITHIN_MS, () => {
    const bytes = residentBytes(pid);
    if (bytes < least) [least, sinceMs] = [bytes, performance.now()];
    return performance.now() - sinceMs > SETTLED_AFTER_MS;
  });
  return least;
}
