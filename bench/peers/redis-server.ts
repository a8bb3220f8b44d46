/** A Redis of the machine's own, where there is one; Parley needs none, so none is installed for this. */
import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { freePort, waitUntil } from '#embedded';
import { LeftOutError } from '../left-out.js';

const PROGRAM = 'redis-server';
const READY_WITHIN_MS = 10_000;

/** @throws LeftOutError when the machine has none */
export async function redisServer(folder: string): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  if (spawnSync(PROGRAM, ['--version']).error !== undefined) throw new LeftOutError(`no ${PROGRAM} on this machine`);
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(PROGRAM, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // It would outlive a harness that is killed; one that ends in any other way takes it along.
  const end = (): void => void child.kill();
  process.once('exit', end);
  await waitUntil(`${PROGRAM} listens`, READY_WITHIN_MS, () => listens(port));
  const stop = async (): Promise<void> => {
    process.off('exit', end);
    end();
    await ended;
  };
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() !== undefined));
    socket.once('error', () => resolve(false));
  });
