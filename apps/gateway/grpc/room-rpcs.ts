/** Rooms and who is in them. */
import { Injectable } from '@nestjs/common';
import { DomainError, LIMITS, type RoomView } from '#contract';
import { countRooms, listRooms } from '#read-models';
import type { Identity } from '#service';
import { UserCommands } from '../commands/user-commands.js';
import { type Call, unary } from './answering.js';
import { actorOf, type Caller, callerOf, Callers, keyOf } from './callers.js';
import type {
  ChatRoom,
  CreateRoomRequest,
  ListRoomsRequest,
  ListUsersRequest,
  MembershipRequest,
  MembershipResponse,
  RoomRequest,
  User,
  UserRequest,
} from './messages.js';
import { isRoomId, Queries } from './queries.js';
import { chatRoom, chatUser } from './views.js';

const BOTH_REQUIRED = 'user_id and room_id are required';

@Injectable()
export class RoomRpcs {
  constructor(
    private readonly callers: Callers,
    private readonly queries: Queries,
    private readonly commands: UserCommands,
  ) {}

  readonly rpcs = {
    GetRooms: unary(async ({ user_id }: UserRequest, call) => {
      const { rooms } = await this.rooms(user_id, true, call);
      return { rooms };
    }),

    ListRooms: unary(async ({ user_id, include_private }: ListRoomsRequest, call) => {
      const { rooms, total } = await this.rooms(user_id, include_private, call);
      return { rooms, total_count: total };
    }),

    GetUsers: unary(async ({ room_id }: RoomRequest, call) => {
      const { users } = await this.members(room_id, call);
      return { users };
    }),

    /** The count is of whoever the question is about, listed or not. */
    ListUsers: unary(async ({ room_id, online_only }: ListUsersRequest, call) => {
      const { users, total } = await this.members(room_id, call);
      const online = users.filter((user) => user.online);
      return online_only ? { users: online, total_count: online.length } : { users, total_count: total };
    }),

    CreateRoom: unary(async (request: CreateRoomRequest, call) => {
      const signIn = await this.callers.signIn(call.metadata);
      const creator = actorOf(signIn, request.created_by, 'created_by is required');
      const { name, description, is_private: isPrivate, max_members: maxMembers } = request;
      const body = { name, description, isPrivate, maxMembers };
      const result = await this.commands.run('CreateRoom', creator, body, keyOf(call.metadata));
      await this.queries.seen(result, call);
      return { room: await this.room(result.id, creator), success: true };
    }),

    JoinRoom: unary(async (request: MembershipRequest, call): Promise<MembershipResponse> => {
      const { message, user } = await this.join(request, call);
      return { success: true, message, error_message: message, room: await this.room(request.room_id, user) };
    }),

    LeaveRoom: unary(async ({ room_id, user_id }: MembershipRequest, call): Promise<MembershipResponse> => {
      const signIn = await this.callers.signIn(call.metadata);
      if (room_id === '' || user_id === '') throw new DomainError('invalid_body', BOTH_REQUIRED);
      const user = actorOf(signIn, user_id, BOTH_REQUIRED);
      if (!isRoomId(room_id)) throw new DomainError('room_not_found');
      const result = await this.commands.run('LeaveRoom', user, { roomId: room_id }, keyOf(call.metadata));
      await this.queries.seenOrNotYet(result, call);
      const message = result.changed ? 'Successfully left the room' : 'User is not a member of this room';
      return { success: result.changed, message, error_message: message };
    }),
  };

  private async join(
    { room_id, user_id }: MembershipRequest,
    call: Call,
  ): Promise<{ message: string; user: Identity }> {
    const signIn = await this.callers.signIn(call.metadata);
    if (room_id === '' || user_id === '') throw new DomainError('invalid_body', BOTH_REQUIRED);
    const user = actorOf(signIn, user_id, BOTH_REQUIRED);
    // Here an unknown room is refused, also where joining over HTTP would make it.
    if (!(await this.queries.roomExists(room_id))) throw new DomainError('room_not_found');
    const result = await this.commands.run('JoinRoom', user, { roomId: room_id }, keyOf(call.metadata));
    await this.queries.seen(result, call);
    return { message: result.changed ? 'Successfully joined the room' : 'User is already a member of this room', user };
  }

  private async rooms(userId: string, withPrivate: boolean, call: Call): Promise<{ rooms: ChatRoom[]; total: number }> {
    const caller = callerOf(await this.callers.signIn(call.metadata), userId);
    await this.queries.caughtUp(call);
    const { database } = this.queries;
    const viewer = withPrivate ? caller?.userId : undefined;
    const { items, next } = await listRooms(database, viewer, { limit: LIMITS.listedRooms });
    const total = next === null ? items.length : await countRooms(database, viewer);
    return { rooms: await this.withMembers(items), total };
  }

  private async members(roomId: string, call: Call): Promise<{ users: User[]; total: number }> {
    const signIn = await this.callers.signIn(call.metadata);
    if (roomId === '') throw new DomainError('invalid_body', 'room_id is required');
    await this.queries.caughtUp(call);
    const room = await this.queries.visible(roomId, callerOf(signIn, ''));
    const ids = (await this.queries.membersOf([roomId], LIMITS.listedUsers)).get(roomId) ?? [];
    return { users: (await this.queries.users(ids)).map(chatUser), total: room.memberCount };
  }

  private async room(roomId: string, caller: Caller): Promise<ChatRoom> {
    const room = await this.queries.visible(roomId, caller);
    const members = await this.queries.membersOf([roomId], LIMITS.listedUsers);
    return chatRoom(room, members.get(roomId) ?? []);
  }

  private async withMembers(rooms: readonly RoomView[]): Promise<ChatRoom[]> {
    const ids = rooms.map(({ id }) => id);
    const members = await this.queries.membersOf(ids, LIMITS.listedMembersOfRoom);
    return rooms.map((room) => chatRoom(room, members.get(room.id) ?? []));
  }
}
