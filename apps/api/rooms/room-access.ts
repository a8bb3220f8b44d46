/** What a reader may see of a room, for controllers; the rule is `read-models/rooms/access.ts`, for every edge. */
import { Inject, Injectable } from '@nestjs/common';
import type { RoomView } from '#contract';
import { type Database, visibleRoom } from '#read-models';
import { DATABASE, type Identity } from '#service';

/** Undefined: a demo guest. */
export type Reader = Identity | undefined;

@Injectable()
export class RoomAccess {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** @throws DomainError `room_not_found` */
  visible(roomId: string, reader: Reader): Promise<{ room: RoomView; isMember: boolean }> {
    return visibleRoom(this.database, roomId, reader?.userId);
  }
}
