/**
 * The echo mode: which of a user's own messages a reader is not sent, and what stands in their place. `origin` holds back what
 * this connection sent, `none` all that its user sent, `all` nothing.
 */
import type { LocalUser } from './local-user.js';
import type { Reader } from './reader.js';
import { bytesOf, type RoomEvent } from './room-event.js';

/** Undefined: the event is not held back. */
type HeldBack = { readonly instead: Buffer | undefined } | undefined;

export function heldBackFrom(reader: Reader, event: RoomEvent): HeldBack {
  if (event.kind !== 'timeline' || reader.echo === 'all' || event.event?.actor !== reader.user.id) return undefined;
  const send = reader.user.sent(event.event.key?.id);
  const isOrigin = send?.reader === reader;
  if (reader.echo === 'origin' && !isOrigin) return undefined;
  return { instead: reader.sink.encoding.skip(event, isOrigin ? send.key : undefined) };
}

/** Of all readers of the one who sent it; undefined for none. */
export function heldBackFromAll(user: LocalUser, event: RoomEvent): Map<Reader, Buffer | undefined> | undefined {
  let all: Map<Reader, Buffer | undefined> | undefined;
  for (const reader of user.readers) {
    const heldBack = heldBackFrom(reader, event);
    if (heldBack !== undefined) (all ??= new Map()).set(reader, heldBack.instead);
  }
  return all;
}

/** An event as a reader gets it by itself. */
export function bytesFor(reader: Reader, event: RoomEvent): Buffer | undefined {
  const heldBack = heldBackFrom(reader, event);
  return heldBack === undefined ? bytesOf(event, reader.sink.encoding) : heldBack.instead;
}

/** An event as a replay shows it. */
export const replayBytes = (reader: Reader, event: RoomEvent): Buffer | undefined =>
  reader.sink.encoding.replaysOwn ? bytesOf(event, reader.sink.encoding) : bytesFor(reader, event);
