import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range that Linux (from 32768) and macOS (from 49152) give to outgoing connections: a server that was killed can take
 * its port again, because no client got it in the meantime.
 */
const FREE_FROM = 20_000;
const FREE_TO = 32_000;
const ATTEMPTS_MAX = 200;

/** A port that nobody listens on at this moment. Someone may take it before the caller does: servers here try another one then. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(FREE_FROM, FREE_TO);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${FREE_FROM} and ${FREE_TO}`);
}

/** The first free port at or after `from`, so that a taken port is stepped over rather than an error. */
export async function firstFreePort(from: number): Promise<number> {
  const last = Math.min(from + ATTEMPTS_MAX, 65_535);
  for (let port = from; port <= last; port += 1) {
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${from} and ${last}: end what listens there, or set another PORT`);
}

/** Both stacks are asked: a browser that opens `localhost` may find a stranger on `::1` first. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '::'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else if (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL') resolve(true);
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
