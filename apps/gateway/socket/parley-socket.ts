/** A socket as `ws` makes it, with the contract's close codes where `ws` would use its own. */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { CLOSE } from '#contract';
import type { SocketConnection } from './socket-connection.js';

/** What `ws` closes with by itself, in the contract's words. */
const OWN_CODES: ReadonlyMap<number | undefined, number> = new Map([
  [1002, CLOSE.protocolError],
  [1003, CLOSE.protocolError],
  [1007, CLOSE.protocolError],
  [1009, CLOSE.frameTooLarge],
]);

export class ParleySocket extends WebSocket {
  connection: SocketConnection | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    super.close(OWN_CODES.get(code) ?? code, reason);
  }
}

/** The socket beneath, as the handle knows it: bytes that the kernel has not taken. */
interface Handle {
  readonly writeQueueSize?: number;
}

/** Bytes written to a socket that the kernel has not taken yet, and a number that moves whenever it takes some. */
export function unsent(socket: Socket): { bytes: number; progress: number } {
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null };
  const inHandle = handle?.writeQueueSize ?? 0;
  return {
    bytes: Math.max(socket.writableLength, inHandle),
    progress: socket.bytesWritten - socket.writableLength - inHandle,
  };
}
