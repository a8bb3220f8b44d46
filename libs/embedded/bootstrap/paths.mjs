import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const dist = join(root, 'dist');
export const standalone = join(dist, 'apps', 'standalone', 'main.js');

/** A problem that its message explains fully. */
export function expected(message) {
  return Object.assign(new Error(message), { isExpected: true });
}

export function progress(text) {
  console.log(`parley: ${text}`);
}
