/** Seats and ranks: what the rules about members have in common. */
import { DomainError, LIMITS, type MemberRole, type MemberState, type RoomState, type RosterState } from '#contract';
import { member, roster, type Command, type PlannedEvent, type NewEvent } from './decision.js';
import type { State } from './state.js';

/** The roster lists its moderators, and it is written with every join: so the list has a limit. */
export const MODERATORS_MAX = 100;

const RANKS: Readonly<Record<MemberRole, number>> = { owner: 3, moderator: 2, member: 1 };
const NO_RANK = 0;

export const isMember = (who: MemberState | undefined): who is MemberState & { standing: 'member' } =>
  who?.standing === 'member';
export const rankOf = (who: MemberState | undefined): number => (isMember(who) ? RANKS[who.role] : NO_RANK);
export const rankOfRole = (role: MemberRole): number => RANKS[role];
export const mayModerate = (who: MemberState | undefined): boolean => rankOf(who) >= RANKS.moderator;

export interface LoadedRoom {
  readonly room: RoomState;
  readonly roster: RosterState;
  /** The one who acts. */
  readonly self: MemberState | undefined;
}

/**
 * The room as its rules need it. A private room, or a participant channel, that the caller is neither in nor invited to
 * does not exist for them.
 * @throws DomainError room_not_found
 */
export function existingRoom(command: Command, state: State): LoadedRoom {
  const { room, roster: seats } = state;
  const self = state.members.get(command.actor.userId);
  if (!room || !seats || hidden(room, self)) throw new DomainError('room_not_found');
  return { room, roster: seats, self };
}

export const hidden = (room: RoomState, self: MemberState | undefined): boolean =>
  room.isPrivate && !isMember(self) && self?.standing !== 'invited';

/** @throws DomainError forbidden: a participant channel is its participants, so nobody comes, goes or changes it. */
export function refuseChannel(room: RoomState): void {
  if (room.kind === 'channel') throw new DomainError('forbidden', 'a participant channel cannot be changed');
}

/** A user's membership of a room that they have never been near. */
export const stranger = (userId: string): MemberState => ({
  userId,
  standing: 'removed',
  role: 'member',
  muted: false,
  banned: false,
});

/** Out of the room. A mute outlasts it: otherwise leaving and joining again would end it. */
export const gone = (who: MemberState, standing: 'left' | 'removed'): MemberState => ({
  ...who,
  standing,
  role: 'member',
});

/** The roster as it follows from a member's change. */
export function reseat(seats: RosterState, before: MemberState | undefined, after: MemberState): RosterState {
  const others = seats.moderators.filter((userId) => userId !== after.userId);
  const { owner, ...rest } = seats;
  const kept = owner === after.userId ? undefined : owner;
  const nowOwner = isMember(after) && after.role === 'owner' ? after.userId : kept;
  return {
    ...rest,
    members: seats.members - (isMember(before) ? 1 : 0) + (isMember(after) ? 1 : 0),
    ...(nowOwner === undefined ? {} : { owner: nowOwner }),
    moderators: isMember(after) && after.role === 'moderator' ? [...others, after.userId] : others,
  };
}

export const limitOf = (maxMembers: number): number => (maxMembers === 0 ? LIMITS.membersMax : maxMembers);

export const writeRoster = (roomId: string, after: RosterState): PlannedEvent => ({
  to: roster(roomId),
  event: { type: 'RosterChanged', data: { roster: after } },
  fence: roster(roomId),
});

type MemberEventType = Extract<NewEvent, { data: { member: MemberState } }>['type'];

/** @param fencedOn whose membership must not have changed: the member's own, or that of the one who acts. */
export const writeMember = (
  roomId: string,
  type: MemberEventType,
  after: MemberState,
  fencedOn: string = after.userId,
): PlannedEvent => ({
  to: member(roomId, after.userId),
  event: { type, data: { member: after } },
  fence: member(roomId, fencedOn),
});
