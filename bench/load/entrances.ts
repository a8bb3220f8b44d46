/** How a socket of the load comes into its room: the few frames that each server wants first. */
import { type Door, RawSocket } from './raw-socket.js';
import type { OnFrame } from './frame-walker.js';

export type Kind = 'parley' | 'bare' | 'socket.io';

export interface Seat {
  readonly kind: Kind;
  readonly room: string;
  readonly door: Door;
}

const ENTER_WITHIN_MS = 60_000;
const HELLO = JSON.stringify({ op: 'hello' });
const CAUGHT_UP = Buffer.from('"op":"caught_up"');
/** Packets of engine.io and socket.io, in their first characters. */
const OPEN = 0x30;
const PING = 0x32;
const PONG_TEXT = '3';
const CONNECT_TEXT = '40';
const JOINED_TEXT = '42["joined"]';

/** Resolves when the server has the socket in its room. @param onFrame what comes after that */
export async function enter(seat: Seat, onFrame: OnFrame): Promise<RawSocket> {
  const { promise, resolve, reject } = later();
  const socket = await RawSocket.open(seat.door, (chunk, from, to, opcode) => {
    if (hasEntered(seat.kind, chunk.subarray(from, to), (text) => socket.send(text))) {
      socket.onFrame = seat.kind === 'socket.io' ? answeringPings(socket, onFrame) : onFrame;
      resolve();
    } else if (opcode === CLOSE) reject(new Error(`refused: ${chunk.toString('utf8', from + 2, to)}`));
  });
  if (seat.kind === 'parley') socket.send(HELLO);
  if (seat.kind === 'bare') {
    socket.onFrame = onFrame;
    return socket;
  }
  const deadline = setTimeout(() => reject(new Error(`${seat.door.path}: no welcome`)), ENTER_WITHIN_MS);
  await promise.finally(() => clearTimeout(deadline));
  return socket;
}

const CLOSE = 0x8;

function hasEntered(kind: Kind, payload: Buffer, send: (text: string) => void): boolean {
  switch (kind) {
    case 'bare':
      return true;
    case 'parley':
      return payload.includes(CAUGHT_UP);
    case 'socket.io':
      // The first packet may come with the upgrade, before the socket is known here.
      if (payload[0] === OPEN) setImmediate(() => send(CONNECT_TEXT));
      return payload.toString('latin1') === JOINED_TEXT;
  }
}

/** Of engine.io, which pings by text. */
const answeringPings =
  (socket: RawSocket, onFrame: OnFrame): OnFrame =>
  (chunk, from, to, opcode) => {
    if (to - from === 1 && chunk[from] === PING) socket.send(PONG_TEXT);
    else onFrame(chunk, from, to, opcode);
  };

function later(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = (): void => undefined;
  let reject = (_: Error): void => undefined;
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
