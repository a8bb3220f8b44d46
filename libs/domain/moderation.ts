/** ChangeMember: roles, mutes and bans. Who acts must outrank whom they act on: owner, then moderators, then members. */
import { DomainError, type MemberState, type RosterState } from '#contract';
import { member, type Command, type Decision, type Rule } from './decision.js';
import { actorAndTarget } from './membership.js';
import {
  existingRoom,
  gone,
  isMember,
  mayModerate,
  MODERATORS_MAX,
  rankOf,
  rankOfRole,
  refuseChannel,
  reseat,
  stranger,
  writeMember,
  writeRoster,
} from './seats.js';

export const changeMember: Rule<'ChangeMember'> = {
  standsOn: 'fresh',
  home: ({ roomId, body }) => member(roomId, body.userId),
  reads: actorAndTarget,
  batchTrace: ({ roomId, body }) => member(roomId, body.userId),
  resultId: ({ body }) => body.userId,
  decide(command, state) {
    const { room, roster: seats, self } = existingRoom(command, state);
    refuseChannel(room);
    if (!isMember(self)) throw new DomainError('not_member');
    const target = state.members.get(command.body.userId);
    refuseUnlessAbove(self, target, command);
    if (room.archived) throw new DomainError('room_archived');
    const after = changed(target, command);
    if (same(target ?? stranger(command.body.userId), after)) return [];
    if (isMember(after) && after.role === 'owner') return handOver(command, seats, self, after);
    return moderate(command, seats, target, after);
  },
};

function refuseUnlessAbove(
  self: MemberState,
  target: MemberState | undefined,
  { body }: Command<'ChangeMember'>,
): void {
  if (!mayModerate(self) || rankOf(target) >= rankOf(self)) throw new DomainError('forbidden');
  // Only an owner can make an owner (and stops being one); nobody else hands out what is not below them.
  if (body.role !== undefined && rankOfRole(body.role) >= rankOf(self) && self.role !== 'owner')
    throw new DomainError('forbidden');
}

/** The target as the command leaves it. Roles and mutes are for members; a ban can come before its user does. */
function changed(target: MemberState | undefined, { body }: Command<'ChangeMember'>): MemberState {
  const banned = body.banned ?? target?.banned ?? false;
  const forMembers = body.role !== undefined || body.muted !== undefined;
  if (forMembers && !isMember(target)) throw new DomainError('user_not_found', 'user is not a member of this room');
  const who = target ?? stranger(body.userId);
  const standing = { ...who, muted: body.muted ?? who.muted, banned };
  if (banned) return who.standing === 'left' ? standing : gone(standing, 'removed');
  return { ...standing, role: body.role ?? who.role };
}

const same = (a: MemberState, b: MemberState): boolean =>
  a.standing === b.standing && a.role === b.role && a.muted === b.muted && a.banned === b.banned;

function moderate(
  { roomId, actor }: Command<'ChangeMember'>,
  seats: RosterState,
  before: MemberState | undefined,
  after: MemberState,
): Decision {
  const roster = reseatKeepingOrder(seats, before, after);
  if (roster.moderators.length > MODERATORS_MAX)
    throw new DomainError('too_large', `a room has at most ${MODERATORS_MAX} moderators`);
  const type = isMember(before) && !isMember(after) ? 'MemberRemoved' : 'MemberChanged';
  return [writeRoster(roomId, roster), writeMember(roomId, type, after, actor.userId)];
}

/** A mute does not send a moderator to the end of the line of heirs. */
const reseatKeepingOrder = (seats: RosterState, before: MemberState | undefined, after: MemberState): RosterState =>
  isMember(before) && isMember(after) && before.role === after.role ? seats : reseat(seats, before, after);

function handOver(
  { roomId }: Command<'ChangeMember'>,
  seats: RosterState,
  self: MemberState,
  heir: MemberState,
): Decision {
  const steppedDown = { ...self, role: 'moderator' } as const;
  const roster = reseat(reseat(seats, self, steppedDown), heir, heir);
  if (roster.moderators.length > MODERATORS_MAX)
    throw new DomainError('too_large', `a room has at most ${MODERATORS_MAX} moderators`);
  return [
    writeRoster(roomId, roster),
    writeMember(roomId, 'MemberChanged', steppedDown),
    writeMember(roomId, 'MemberChanged', heir),
  ];
}
