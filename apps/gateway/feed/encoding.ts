/**
 * How a transport writes the feed. The feed knows readers and encodings, not sockets: an event is encoded once for each
 * encoding in use, and the same buffer goes to every reader of it.
 */
import type { CloseCode, ServerFrame } from '#contract';
import type { RoomEvent } from './room-event.js';

export interface Encoding {
  /** Where an event keeps its bytes in this encoding. A transport takes the next free one. */
  readonly slot: number;
  /** Whether a replay shows a user's own messages whatever the echo mode; without a chain to keep, it need not. */
  readonly replaysOwn: boolean;
  /** Whether readers of this encoding hear of a room at all. */
  readsRoom(roomId: string): boolean;
  /** Undefined: nothing of this event is shown in this encoding. */
  event(event: RoomEvent): Buffer | undefined;
  /**
   * Several events in one buffer, where that costs less than one by one. It goes to the sockets and is let go: an event keeps no
   * bytes of its own for it.
   */
  joined?(events: readonly RoomEvent[]): Buffer;
  /** What stands in the place of an event that the echo mode holds back. */
  skip(event: RoomEvent, key: string | undefined): Buffer | undefined;
  frame(frame: ServerFrame): Buffer | undefined;
}

/** Where a reader's bytes go: a socket, a stream of server-sent events, a gRPC stream. */
export interface FeedSink {
  readonly encoding: Encoding;
  /** Bytes that were written and that the network has not taken yet. */
  readonly queuedBytes: number;
  /**
   * Takes whole frames, one or several.
   * @param isLast rooms bring nothing more in this turn of the event loop
   */
  write(bytes: Buffer, isLast?: boolean): void;
  close(code: CloseCode, reason: string): void;
}
