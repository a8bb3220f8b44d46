/** Rules about coming and going: JoinRoom, InviteMember, LeaveRoom, RemoveMember. */
import { DomainError, isChannelRoomId, LIMITS } from '#contract';
import { config, member, roster, type Command, type Decision, type Rule, type StateRef } from './decision.js';
import { foundedBy } from './rooms.js';
import {
  existingRoom,
  gone,
  isMember,
  mayModerate,
  rankOf,
  refuseChannel,
  reseat,
  stranger,
  writeMember,
  writeRoster,
  type LoadedRoom,
} from './seats.js';
import type { State } from './state.js';

export const joinRoom: Rule<'JoinRoom'> = {
  standsOn: 'fresh',
  home: ({ roomId, actor }) => member(roomId, actor.userId),
  reads: ({ roomId, actor }) => [roster(roomId), config(roomId), member(roomId, actor.userId)],
  batchTrace: ({ roomId, actor }) => member(roomId, actor.userId),
  resultId: ({ roomId }) => roomId,
  decide(command, state) {
    const { roomId, actor } = command;
    if (!state.room && command.createMissing && !isChannelRoomId(roomId)) {
      const given = { name: roomId, description: '', isPrivate: false, settings: {}, maxMembers: LIMITS.membersMax };
      return foundedBy(actor.userId, roomId, given);
    }
    const { room, roster: seats, self } = existingRoom(command, state);
    if (isMember(self)) return [];
    if (self?.banned) throw new DomainError('banned');
    if (room.archived) throw new DomainError('room_archived');
    if (seats.members >= seats.limit) throw new DomainError('room_full');
    const joined = { ...(self ?? stranger(actor.userId)), standing: 'member', role: 'member' } as const;
    return [writeRoster(roomId, reseat(seats, self, joined)), writeMember(roomId, 'MemberJoined', joined)];
  },
};

/** What a rule reads in which one user acts on another's membership. */
export const actorAndTarget = ({ roomId, actor, body }: Command<'InviteMember' | 'ChangeMember' | 'RemoveMember'>) => [
  roster(roomId),
  config(roomId),
  member(roomId, actor.userId),
  member(roomId, body.userId),
];

export const inviteMember: Rule<'InviteMember'> = {
  standsOn: 'fresh',
  home: ({ roomId, body }) => member(roomId, body.userId),
  reads: actorAndTarget,
  batchTrace: ({ roomId, body }) => member(roomId, body.userId),
  resultId: ({ body }) => body.userId,
  decide(command, state) {
    const { room, roster: seats, self } = existingRoom(command, state);
    refuseChannel(room);
    if (!isMember(self)) throw new DomainError('not_member');
    if (room.isPrivate && !mayModerate(self)) throw new DomainError('forbidden');
    if (room.archived) throw new DomainError('room_archived');
    const target = state.members.get(command.body.userId) ?? stranger(command.body.userId);
    if (isMember(target) || target.standing === 'invited') return [];
    if (target.banned) throw new DomainError('banned');
    const invited = { ...target, standing: 'invited' } as const;
    return [
      writeRoster(command.roomId, reseat(seats, target, invited)),
      writeMember(command.roomId, 'MemberInvited', invited, command.actor.userId),
    ];
  },
};

export const leaveRoom: Rule<'LeaveRoom'> = {
  standsOn: 'fresh',
  home: ({ roomId, actor }) => member(roomId, actor.userId),
  reads: ({ roomId, actor }, state) => [
    roster(roomId),
    config(roomId),
    member(roomId, actor.userId),
    ...heir(roomId, actor.userId, state),
  ],
  batchTrace: ({ roomId, actor }) => member(roomId, actor.userId),
  resultId: ({ roomId }) => roomId,
  decide: (command, state) => leave(command, existingRoom(command, state), state),
};

/** The one who owns the room when its owner leaves: whoever has been a moderator for longest. */
function heir(roomId: string, leaving: string, state: State): StateRef[] {
  const first = state.roster?.owner === leaving ? state.roster.moderators[0] : undefined;
  return first === undefined ? [] : [member(roomId, first)];
}

function leave({ roomId }: Command, { room, roster: seats, self }: LoadedRoom, state: State): Decision {
  refuseChannel(room);
  if (!self || (!isMember(self) && self.standing !== 'invited')) return [];
  const left = gone(self, 'left');
  const next = self.role === 'owner' ? state.members.get(seats.moderators[0] ?? '') : undefined;
  const without = reseat(seats, self, left);
  if (!isMember(next)) return [writeRoster(roomId, without), writeMember(roomId, 'MemberLeft', left)];
  const owner = { ...next, role: 'owner' } as const;
  return [
    writeRoster(roomId, reseat(without, next, owner)),
    writeMember(roomId, 'MemberChanged', owner),
    writeMember(roomId, 'MemberLeft', left),
  ];
}

export const removeMember: Rule<'RemoveMember'> = {
  standsOn: 'fresh',
  home: ({ roomId, body }) => member(roomId, body.userId),
  reads: (command, state) => [...actorAndTarget(command), ...heir(command.roomId, command.body.userId, state)],
  batchTrace: ({ roomId, body }) => member(roomId, body.userId),
  resultId: ({ body }) => body.userId,
  decide(command, state) {
    const loaded = existingRoom(command, state);
    const { room, roster: seats, self } = loaded;
    if (command.actor.userId === command.body.userId) return leave(command, loaded, state);
    refuseChannel(room);
    if (!isMember(self)) throw new DomainError('not_member');
    const target = state.members.get(command.body.userId);
    if (!mayModerate(self) || rankOf(target) >= rankOf(self)) throw new DomainError('forbidden');
    if (!target || (!isMember(target) && target.standing !== 'invited')) return [];
    const removed = gone(target, 'removed');
    return [
      writeRoster(command.roomId, reseat(seats, target, removed)),
      writeMember(command.roomId, 'MemberRemoved', removed, command.actor.userId),
    ];
  },
};
