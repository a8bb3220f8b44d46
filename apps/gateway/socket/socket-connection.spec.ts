/** What depends on time, with a clock that the test moves. */
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { CLOSE, LIMITS } from '#contract';
import type { Identity } from '#service';
import { PARLEY, PING_FRAME } from './frames-on-the-wire.js';
import type { ParleySocket } from './parley-socket.js';
import { SocketConnection } from './socket-connection.js';

const STALL_MS = 1_000;
const IDENTITY: Identity = { userId: 'ann', sessionId: undefined, expiresAtMs: Number.MAX_SAFE_INTEGER };

/** A network that takes what it is told to, and a client that is told to close. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];
  bytesRead = 0;
  bytesWritten = 0;
  isStuck = false;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    if (!this.isStuck) done();
  }

  override _read(): void {}
}

function connection(): { connection: SocketConnection; wire: Wire; closed: number[]; terminated: () => boolean } {
  const wire = new Wire({ highWaterMark: 16 });
  const closed: number[] = [];
  let terminated = false;
  const client = {
    close: (code: number) => closed.push(code),
    terminate: () => (terminated = true),
  };
  const made = new SocketConnection(client as unknown as ParleySocket, wire as unknown as Socket, PARLEY, 0);
  return { connection: made, wire, closed, terminated: () => terminated };
}

test('a client has ten seconds to say hello', () => {
  const { connection: c, closed } = connection();
  c.sweep(LIMITS.helloMs, 0, STALL_MS);
  expect(closed).toEqual([]);
  c.sweep(LIMITS.helloMs + 1, 0, STALL_MS);
  expect(closed).toEqual([CLOSE.signInRefused]);
});

test('a silent client is pinged, and closed when it stays silent; any byte is a sign of life', () => {
  const { connection: c, wire, closed } = connection();
  c.identity = IDENTITY;
  c.opened = Promise.resolve();
  c.sweep(LIMITS.heartbeatMs, 0, STALL_MS);
  expect(wire.written).toEqual([PING_FRAME]);
  wire.bytesRead = 6;
  c.sweep(2 * LIMITS.heartbeatMs, 0, STALL_MS);
  c.sweep(4 * LIMITS.heartbeatMs, 0, STALL_MS);
  expect(closed).toEqual([]);
  c.sweep(5 * LIMITS.heartbeatMs, 0, STALL_MS);
  expect(closed).toEqual([CLOSE.heartbeatMissed]);
});

test('a connection ends with its token', () => {
  const { connection: c, closed } = connection();
  c.identity = { ...IDENTITY, expiresAtMs: 1_000 };
  c.opened = Promise.resolve();
  c.sweep(1, 999, STALL_MS);
  expect(closed).toEqual([]);
  c.sweep(2, 1_000, STALL_MS);
  expect(closed).toEqual([CLOSE.tokenExpired]);
});

test('a socket that takes nothing for the stall time is slow; one that takes a little is not', () => {
  const { connection: c, wire, closed } = connection();
  c.opened = Promise.resolve();
  wire.isStuck = true;
  c.write(Buffer.alloc(100));
  c.write(Buffer.alloc(100));
  c.sweep(1_000, 0, STALL_MS);
  wire.bytesWritten += 10;
  c.sweep(1_900, 0, STALL_MS);
  c.sweep(2_800, 0, STALL_MS);
  expect(closed).toEqual([]);
  c.sweep(2_900, 0, STALL_MS);
  expect(closed).toEqual([CLOSE.slowReader]);
});

test('what was told to close and does not is cut, and nothing more is written to it', () => {
  const { connection: c, wire, closed, terminated } = connection();
  c.close(CLOSE.draining, 'draining');
  c.close(CLOSE.slowReader, 'again');
  c.write(Buffer.from('late'));
  expect(closed).toEqual([CLOSE.draining]);
  expect(wire.written).toEqual([]);
  c.sweep(performance.now() + 1_000, 0, STALL_MS);
  expect(terminated()).toBe(false);
  c.sweep(performance.now() + 3_000, 0, STALL_MS);
  expect(terminated()).toBe(true);
});

test('only what waits for the network, or for its end, is looked at in every sweep', () => {
  const { connection: c, wire } = connection();
  c.write(Buffer.alloc(100));
  expect(c.isUrgent).toBe(false);
  wire.isStuck = true;
  c.write(Buffer.alloc(100));
  expect(c.isUrgent).toBe(true);
  const { connection: other } = connection();
  other.close(CLOSE.draining, 'draining');
  expect(other.isUrgent).toBe(true);
});

test('a client that takes no answers before it is signed in is cut off when they are too many', () => {
  const { connection: c, wire, closed } = connection();
  wire.isStuck = true;
  const frame = { op: 'error', code: 'rate_limited', message: 'x'.repeat(1_000), temporary: true } as const;
  for (let i = 0; i < 1_000; i += 1) c.send(frame);
  expect(closed).toEqual([CLOSE.slowReader]);
  expect(wire.writableLength).toBeLessThan(80_000);
});
