/** What happened, in a few words: events for the `given` of a spec. */
import { LIMITS, type MemberRole, type MemberState, type RoomState } from '#contract';
import type { Happened } from '#domain';

export const aRoom = (change: Partial<RoomState> = {}): RoomState => ({
  kind: 'room',
  name: 'Den',
  description: '',
  isPrivate: false,
  maxMembers: LIMITS.membersMax,
  settings: {},
  createdBy: 'olga',
  archived: false,
  ...change,
});

export const aMember = (userId: string, change: Partial<MemberState> = {}): MemberState => ({
  userId,
  standing: 'member',
  role: 'member',
  muted: false,
  banned: false,
  ...change,
});

/**
 * A room and its members, as its last events leave them.
 * @param seats role by user id
 */
export function roomWith(seats: Readonly<Record<string, MemberRole>>, change: Partial<RoomState> = {}): Happened[] {
  const room = aRoom(change);
  const users = Object.entries(seats);
  const owner = users.find(([, role]) => role === 'owner')?.[0];
  const moderators = users.filter(([, role]) => role === 'moderator').map(([userId]) => userId);
  const roster = {
    members: users.length,
    limit: room.maxMembers,
    ...(owner === undefined ? {} : { owner }),
    moderators,
  };
  return [
    { type: 'RoomCreated', data: { room } },
    { type: 'RosterChanged', data: { roster } },
    ...users.map(([userId, role]): Happened => ({ type: 'MemberJoined', data: { member: aMember(userId, { role }) } })),
  ];
}

export const nowIs = (userId: string, change: Partial<MemberState>): Happened => ({
  type: 'MemberChanged',
  data: { member: aMember(userId, change) },
});
