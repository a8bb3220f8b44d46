/**
 * What a reader may see of a room: a private one that they are not in does not exist; a public one is listed for everybody,
 * its history is for members, and for a demo guest (who is nobody: `undefined`).
 */
import { DomainError, type RoomView } from '#contract';
import type { Db } from '../database.js';
import { getRoomFor } from './queries.js';

/** @throws DomainError `room_not_found` */
export async function visibleRoom(
  db: Db,
  roomId: string,
  readerId: string | undefined,
): Promise<{ room: RoomView; isMember: boolean }> {
  const found = await getRoomFor(db, roomId, readerId);
  if (found === undefined || (found.room.isPrivate && !found.isMember)) throw new DomainError('room_not_found');
  return found;
}

/** @throws DomainError `room_not_found`, `not_member` */
export async function readableRoom(db: Db, roomId: string, readerId: string | undefined): Promise<RoomView> {
  const { room, isMember } = await visibleRoom(db, roomId, readerId);
  if (!isMember && readerId !== undefined) throw new DomainError('not_member');
  return room;
}
