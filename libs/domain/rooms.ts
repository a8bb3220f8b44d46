/** Rules about a room itself: CreateRoom, ChangeRoom, ArchiveRoom. */
import { DomainError, isChannelRoomId, type MemberState, type RoomState } from '#contract';
import { config, member, roster, type Command, type Decision, type NewEvent, type Rule } from './decision.js';
import {
  existingRoom,
  isMember,
  limitOf,
  mayModerate,
  refuseChannel,
  stranger,
  writeMember,
  writeRoster,
} from './seats.js';

export const createRoom: Rule<'CreateRoom'> = {
  standsOn: 'fresh',
  home: ({ roomId, actor }) => member(roomId, actor.userId),
  reads: ({ roomId, actor }) => [roster(roomId), config(roomId), member(roomId, actor.userId)],
  batchTrace: ({ roomId, actor }) => member(roomId, actor.userId),
  resultId: ({ roomId }) => roomId,
  decide({ roomId, actor, body }, state) {
    if (isChannelRoomId(roomId))
      throw new DomainError('forbidden', 'ids that begin with dm_ are for participant channels');
    if (state.room) throw new DomainError('already_exists');
    const { name, description, isPrivate, settings } = body;
    const limit = limitOf(body.maxMembers);
    return foundedBy(actor.userId, roomId, { name, description, isPrivate, settings, maxMembers: limit });
  },
};

/** A new room with its first member, who owns it. */
export function foundedBy(
  userId: string,
  roomId: string,
  given: Pick<RoomState, 'name' | 'description' | 'isPrivate' | 'settings' | 'maxMembers'>,
): Decision {
  const room: RoomState = { kind: 'room', ...given, createdBy: userId, archived: false };
  const owner: MemberState = { ...stranger(userId), standing: 'member', role: 'owner' };
  return [
    { to: config(roomId), event: { type: 'RoomCreated', data: { room } }, fence: config(roomId) },
    writeRoster(roomId, { members: 1, limit: given.maxMembers, owner: userId, moderators: [] }),
    writeMember(roomId, 'MemberJoined', owner),
  ];
}

export const changeRoom: Rule<'ChangeRoom'> = {
  standsOn: 'fresh',
  home: ({ roomId }) => config(roomId),
  reads: ({ roomId, actor }) => [roster(roomId), config(roomId), member(roomId, actor.userId)],
  batchTrace: ({ roomId }) => config(roomId),
  resultId: ({ roomId }) => roomId,
  decide(command, state) {
    const { room, roster: seats, self } = existingRoom(command, state);
    refuseChannel(room);
    if (!isMember(self)) throw new DomainError('not_member');
    if (!mayModerate(self)) throw new DomainError('forbidden');
    if (room.archived) throw new DomainError('room_archived');
    const after = changed(room, command);
    if (after.maxMembers < seats.members)
      throw new DomainError('room_full', `the room has ${seats.members} members already`);
    if (JSON.stringify(after) === JSON.stringify(room)) return [];
    return [
      writeRoster(command.roomId, { ...seats, limit: after.maxMembers }),
      writeConfig(command.roomId, 'RoomChanged', after),
    ];
  },
};

function changed(room: RoomState, { body }: Command<'ChangeRoom'>): RoomState {
  return {
    ...room,
    name: body.name ?? room.name,
    description: body.description ?? room.description,
    isPrivate: body.isPrivate ?? room.isPrivate,
    maxMembers: body.maxMembers ?? room.maxMembers,
    settings: body.settings ?? room.settings,
  };
}

export const archiveRoom: Rule<'ArchiveRoom'> = {
  standsOn: 'fresh',
  home: ({ roomId }) => config(roomId),
  reads: ({ roomId, actor }) => [roster(roomId), config(roomId), member(roomId, actor.userId)],
  batchTrace: ({ roomId }) => config(roomId),
  resultId: ({ roomId }) => roomId,
  decide(command, state) {
    const { room, roster: seats, self } = existingRoom(command, state);
    refuseChannel(room);
    if (!isMember(self)) throw new DomainError('not_member');
    if (self.role !== 'owner') throw new DomainError('forbidden');
    if (room.archived) return [];
    return [
      writeRoster(command.roomId, seats),
      writeConfig(command.roomId, 'RoomArchived', { ...room, archived: true }),
    ];
  },
};

const writeConfig = (roomId: string, type: 'RoomChanged' | 'RoomArchived', room: RoomState) => {
  const event: NewEvent = { type, data: { room } };
  return { to: config(roomId), event, fence: config(roomId) };
};
