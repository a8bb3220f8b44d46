import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { keepRunning } from './keep-running.js';
import { startNatsServer } from './nats-server.js';
import { forgetFolder } from './owner-lock.js';
import { temporaryFolder } from './places.js';
import { isRunning, processNamed } from './process-table.js';
import { waitUntil } from './wait-until.js';
import { existsSync } from 'node:fs';

test('a child that is killed from outside runs again, until it is stopped', async () => {
  const folder = await temporaryFolder('keep');
  const storeDir = join(folder.path, 'nats');
  const server = await startNatsServer({ storeDir });
  const said: string[] = [];
  const kept = keepRunning(server, (text) => said.push(text));
  for (let n = 1; n <= 2; n += 1) {
    process.kill(server.pid, 'SIGKILL');
    await waitUntil('it runs again', 20_000, () => said.length === 2 * n);
  }
  expect(said.slice(0, 2)).toEqual([
    'nats-server ended (SIGKILL), starting it again',
    expect.stringMatching(/^nats-server runs again \(pid \d+\)$/),
  ]);
  await expect(forgetFolder(storeDir, 'nats-server')).rejects.toThrow('is in use');
  const last = processNamed(server.pid);
  await kept.stop();
  expect(last && isRunning(last)).toBe(false);
  expect(said).toHaveLength(4);
  await forgetFolder(storeDir, 'nats-server');
  expect(existsSync(storeDir)).toBe(false);
  await folder.remove();
});
