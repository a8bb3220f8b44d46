import { statfsSync } from 'node:fs';

const FREE_MIN_MEBIBYTES = 64;

/** A server on a full disk starts, and then refuses everything or panics; saying so before that is kinder. */
export function requireDisk(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const freeMebibytes = Math.floor((bavail * bsize) / 1024 / 1024);
  if (freeMebibytes >= FREE_MIN_MEBIBYTES) return;
  throw new Error(
    `the disk of ${folder} is full: ${freeMebibytes} MiB are left, ${FREE_MIN_MEBIBYTES} are needed; make room`,
  );
}
