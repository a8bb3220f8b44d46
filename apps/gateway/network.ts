/** How the network takes what is written to a connection: whether it has stopped taking anything. */
import type { Socket } from 'node:net';

/** The socket beneath, as the handle knows it: bytes that the kernel has not taken. */
interface Handle {
  readonly writeQueueSize?: number;
}

export class Network {
  private stalledSinceMs = 0;
  private taken = 0;

  constructor(private readonly socket: Socket) {}

  /** Whether something has waited for so long, and nothing of it was taken. Asked now and then, by a sweep. */
  isStalled(nowMs: number, stallMs: number): boolean {
    if (this.socket.writableLength === 0) {
      this.stalledSinceMs = 0;
      return false;
    }
    const taken = bytesTaken(this.socket);
    if (this.stalledSinceMs === 0 || taken !== this.taken) this.stalledSinceMs = nowMs;
    this.taken = taken;
    return nowMs - this.stalledSinceMs >= stallMs;
  }
}

/** A number that moves whenever the kernel takes some of what was written. */
function bytesTaken(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null };
  return socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
}
