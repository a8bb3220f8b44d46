/** A socket as `ws` makes it, with the contract's close codes where `ws` would use its own. */
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
