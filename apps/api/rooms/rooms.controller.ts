/** Queries about rooms and their members. */
import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { listQuery, type MemberView, type Page, parseOrRefuse, type RoomView } from '#contract';
import { type Database, listMembers, listRooms } from '#read-models';
import { DATABASE } from '#service';
import { CallerOrGuest, DemoGuestsToo, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';
import { pathId } from '../http/paging.js';
import { type Reader, RoomAccess } from './room-access.js';

@Controller('/api/rooms')
@UseGuards(SignedIn, CaughtUp)
export class RoomsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly access: RoomAccess,
  ) {}

  @Get()
  @DemoGuestsToo()
  list(@CallerOrGuest() reader: Reader, @Query() query: unknown): Promise<Page<RoomView>> {
    return listRooms(this.database, reader?.userId, parseOrRefuse(listQuery, query));
  }

  @Get(':roomId')
  @DemoGuestsToo()
  async one(@CallerOrGuest() reader: Reader, @Param('roomId') roomId: string): Promise<RoomView> {
    return (await this.access.visible(pathId('roomId', roomId), reader)).room;
  }

  @Get(':roomId/users')
  @DemoGuestsToo()
  async users(@CallerOrGuest() reader: Reader, @Param('roomId') roomId: string): Promise<{ users: MemberView[] }> {
    const { room } = await this.access.visible(pathId('roomId', roomId), reader);
    return { users: await listMembers(this.database, room.id) };
  }
}
