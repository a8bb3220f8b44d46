import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

test('the bundle for browsers stays under its limit, and brings nothing but itself', () => {
  const script = join(import.meta.dirname, 'client-bundle.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^@parley\/client [\d.]+: \d+ bytes, \d+ gzipped \(at most 15000\)\n$/);
  expect(status).toBe(0);
});
