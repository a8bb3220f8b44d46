/**
 * What a reader may see of a room: a private one that they are not in does not exist; a public one is listed for everybody,
 * its history is for members, and for a demo guest.
 */
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, type RoomView } from '#contract';
import { type Database, getRoomFor } from '#read-models';
import { DATABASE, type Identity } from '#service';

/** Undefined: a demo guest. */
export type Reader = Identity | undefined;

@Injectable()
export class RoomAccess {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** @throws DomainError `room_not_found` */
  async visible(roomId: string, reader: Reader): Promise<{ room: RoomView; isMember: boolean }> {
    const found = await getRoomFor(this.database, roomId, reader?.userId);
    if (found === undefined || (found.room.isPrivate && !found.isMember)) throw new DomainError('room_not_found');
    return found;
  }

  /** @throws DomainError `room_not_found`, `not_member` */
  async readable(roomId: string, reader: Reader): Promise<RoomView> {
    const { room, isMember } = await this.visible(roomId, reader);
    if (!isMember && reader !== undefined) throw new DomainError('not_member');
    return room;
  }
}
