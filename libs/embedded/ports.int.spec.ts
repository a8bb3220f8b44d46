import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { firstFreePort, freePort, isFree } from './ports.js';

const open: Server[] = [];

async function take(port: number, host: string): Promise<number> {
  const server = createServer();
  open.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ port, host }, resolve));
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

describe('ports', () => {
  test('a free port can be listened on', async () => {
    const port = await freePort();
    await expect(take(port, '127.0.0.1')).resolves.toBe(port);
  });

  test('taken ports are stepped over', async () => {
    let from = await freePort();
    while (!(await isFree(from + 1)) || !(await isFree(from + 2))) from = await freePort();
    await take(from, '127.0.0.1');
    await take(from + 1, '0.0.0.0');
    expect(await firstFreePort(from)).toBe(from + 2);
  });

  test('a port that only the other stack uses is taken too', async () => {
    const port = await freePort();
    await take(port, '::1');
    expect(await isFree(port)).toBe(false);
  });
});
