/** Queries about rooms and their members. */
import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { listQuery, type MemberView, type Page, parseOrRefuse, type RoomView } from '#contract';
import { type Database, listMembers, listRooms, visibleRoom } from '#read-models';
import { DATABASE } from '#service';
import { CallerOrGuest, DemoGuestsToo, type Reader, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';
import { pathId } from '../http/paging.js';

@Controller('/api/rooms')
@UseGuards(SignedIn, CaughtUp)
export class RoomsController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get()
  @DemoGuestsToo()
  list(@CallerOrGuest() reader: Reader, @Query() query: unknown): Promise<Page<RoomView>> {
    return listRooms(this.database, reader?.userId, parseOrRefuse(listQuery, query));
  }

  @Get(':roomId')
  @DemoGuestsToo()
  async one(@CallerOrGuest() reader: Reader, @Param('roomId') roomId: string): Promise<RoomView> {
    return (await visibleRoom(this.database, pathId('roomId', roomId), reader?.userId)).room;
  }

  @Get(':roomId/users')
  @DemoGuestsToo()
  async users(@CallerOrGuest() reader: Reader, @Param('roomId') roomId: string): Promise<{ users: MemberView[] }> {
    const { room } = await visibleRoom(this.database, pathId('roomId', roomId), reader?.userId);
    return { users: await listMembers(this.database, room.id) };
  }
}
