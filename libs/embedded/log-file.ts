import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * A child writes straight into a file, never into a pipe that we hold: it goes on writing when its owner has died, and the
 * owner never has to keep up with it. The owner reads the file when it wants to know something.
 */
export interface Log {
  readonly descriptor: number;
  /** What this run has written, at most the last `TAIL_BYTES_MAX` bytes of it. After `close` what it was then. */
  tail(): string;
  close(): void;
}

const TAIL_BYTES_MAX = 256 * 1024;

/** Appends to `file`; without one, to a file that loses its name at once and so goes with its last reader. */
export function openLog(file: string | undefined): Log {
  const path = file ?? join(tmpdir(), `parley-${randomUUID()}.log`);
  mkdirSync(dirname(path), { recursive: true });
  const descriptor = openSync(path, 'a+', 0o600);
  if (file === undefined) rmSync(path);
  const from = fstatSync(descriptor).size;
  let final: string | undefined;
  return {
    descriptor,
    tail: () => final ?? readFrom(descriptor, from),
    close: () => {
      if (final !== undefined) return;
      final = readFrom(descriptor, from);
      closeSync(descriptor);
    },
  };
}

function readFrom(descriptor: number, from: number): string {
  const size = fstatSync(descriptor).size;
  const start = Math.max(from, size - TAIL_BYTES_MAX);
  const bytes = Buffer.alloc(Math.max(0, size - start));
  return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, start));
}
