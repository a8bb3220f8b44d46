import { describe, expect, test } from '@jest/globals';
import { LIMITS } from '#contract';
import { aMember, given, nowIs, refused, roomWith } from '#testing';

const den = { roomId: 'den', body: { roomId: 'den' } };

describe('JoinRoom', () => {
  test('takes a seat', () => {
    given(...roomWith({ olga: 'owner' }, { maxMembers: 2 }))
      .when('JoinRoom', { by: 'bob', ...den })
      .then([
        { type: 'RosterChanged', data: { roster: { members: 2, limit: 2, owner: 'olga', moderators: [] } } },
        { type: 'MemberJoined', data: { member: aMember('bob') } },
      ]);
  });

  test('is fenced on the roster, and on the membership of the one who joins', () => {
    const { decision } = given(...roomWith({ olga: 'owner' })).when('JoinRoom', { by: 'bob', ...den });
    expect(decision.map(({ to, fence }) => [to, fence])).toEqual([
      [
        { kind: 'roster', roomId: 'den' },
        { kind: 'roster', roomId: 'den' },
      ],
      [
        { kind: 'member', roomId: 'den', userId: 'bob' },
        { kind: 'member', roomId: 'den', userId: 'bob' },
      ],
    ]);
  });

  test('a member has nothing to do, also when the room is full or archived', () => {
    given(...roomWith({ olga: 'owner' }, { maxMembers: 1, archived: true }))
      .when('JoinRoom', { by: 'olga', ...den })
      .then([]);
  });

  test('a full room takes nobody', () => {
    given(...roomWith({ olga: 'owner' }, { maxMembers: 1 }))
      .when('JoinRoom', { by: 'bob', ...den })
      .then(refused('room_full', 'room is at maximum capacity'));
  });

  test('an archived room takes nobody', () => {
    given(...roomWith({ olga: 'owner' }, { archived: true }))
      .when('JoinRoom', { by: 'bob', ...den })
      .then(refused('room_archived'));
  });

  test('who is banned stays out', () => {
    given(...roomWith({ olga: 'owner' }), nowIs('bob', { standing: 'removed', banned: true }))
      .when('JoinRoom', { by: 'bob', ...den })
      .then(refused('banned'));
  });

  test('a private room does not exist for who is not invited, also when banned, left or removed', () => {
    const room = roomWith({ olga: 'owner' }, { isPrivate: true, maxMembers: 1 });
    given(...room)
      .when('JoinRoom', { by: 'bob', ...den })
      .then(refused('room_not_found', 'room not found'));
    for (const standing of ['left', 'removed'] as const)
      given(...room, nowIs('bob', { standing, banned: standing === 'removed' }))
        .when('JoinRoom', { by: 'bob', ...den })
        .then(refused('room_not_found'));
  });

  test('who is invited may join a private room', () => {
    const { decision } = given(
      ...roomWith({ olga: 'owner' }, { isPrivate: true }),
      nowIs('bob', { standing: 'invited' }),
    ).when('JoinRoom', { by: 'bob', ...den });
    expect(decision.map(({ event }) => event.type)).toEqual(['RosterChanged', 'MemberJoined']);
  });

  test('leaving and joining again does not end a mute', () => {
    const { decision } = given(...roomWith({ olga: 'owner' }), nowIs('bob', { standing: 'left', muted: true })).when(
      'JoinRoom',
      { by: 'bob', ...den },
    );
    expect(decision[1]?.event).toEqual({ type: 'MemberJoined', data: { member: aMember('bob', { muted: true }) } });
  });

  test('a missing room is not found, or made where the deployment wants it so', () => {
    given()
      .when('JoinRoom', { by: 'bob', ...den })
      .then(refused('room_not_found'));
    const { decision } = given().when('JoinRoom', { by: 'bob', ...den, createMissing: true });
    expect(decision.map(({ event }) => event.type)).toEqual(['RoomCreated', 'RosterChanged', 'MemberJoined']);
    expect(decision[2]?.event.data).toEqual({ member: aMember('bob', { role: 'owner' }) });
    given()
      .when('JoinRoom', { by: 'bob', roomId: 'dm_x', body: { roomId: 'dm_x' }, createMissing: true })
      .then(refused('room_not_found'));
  });

  test('a room that is made is open, named by its id, and has all the seats there are', () => {
    const { decision } = given().when('JoinRoom', { by: 'bob', ...den, createMissing: true });
    expect(decision[0]?.event.data).toEqual({
      room: {
        kind: 'room',
        name: 'den',
        description: '',
        isPrivate: false,
        settings: {},
        maxMembers: LIMITS.membersMax,
        createdBy: 'bob',
        archived: false,
      },
    });
  });
});

describe('InviteMember', () => {
  const invite = { roomId: 'den', body: { roomId: 'den', userId: 'bob' } };

  test('a private room: its owner and moderators invite', () => {
    const room = roomWith({ olga: 'owner', mo: 'moderator', ann: 'member' }, { isPrivate: true });
    for (const by of ['olga', 'mo']) {
      const { decision } = given(...room).when('InviteMember', { by, ...invite });
      expect(decision[1]).toEqual({
        to: { kind: 'member', roomId: 'den', userId: 'bob' },
        event: { type: 'MemberInvited', data: { member: aMember('bob', { standing: 'invited' }) } },
        fence: { kind: 'member', roomId: 'den', userId: by },
      });
    }
    given(...room)
      .when('InviteMember', { by: 'ann', ...invite })
      .then(refused('forbidden'));
    given(...room)
      .when('InviteMember', { by: 'zoe', ...invite })
      .then(refused('room_not_found'));
  });

  test('a public room: any member invites, nobody else, and no seat is taken', () => {
    const room = roomWith({ olga: 'owner', ann: 'member' });
    const { decision } = given(...room).when('InviteMember', { by: 'ann', ...invite });
    expect(decision[0]?.event.data).toMatchObject({ roster: { members: 2 } });
    given(...room)
      .when('InviteMember', { by: 'zoe', ...invite })
      .then(refused('not_member'));
  });

  test('a member, or who is invited already, is not invited again; who is banned is not', () => {
    const room = roomWith({ olga: 'owner' });
    given(...room, nowIs('bob', { standing: 'invited' }))
      .when('InviteMember', { by: 'olga', ...invite })
      .then([]);
    given(...room, nowIs('bob', { standing: 'removed', banned: true }))
      .when('InviteMember', { by: 'olga', ...invite })
      .then(refused('banned'));
  });

  test('an archived room invites nobody: refused after what says who may', () => {
    const room = roomWith({ olga: 'owner' }, { archived: true });
    const invite = { roomId: 'den', body: { roomId: 'den', userId: 'bob' } };
    given(...room)
      .when('InviteMember', { by: 'olga', ...invite })
      .then(refused('room_archived'));
    given(...room)
      .when('InviteMember', { by: 'zoe', ...invite })
      .then(refused('not_member'));
  });
});

describe('LeaveRoom', () => {
  test('has nothing to do for who is out already', () => {
    for (const standing of ['left', 'removed'] as const)
      given(...roomWith({ olga: 'owner' }), nowIs('bob', { standing }))
        .when('LeaveRoom', { by: 'bob', ...den })
        .then([]);
  });

  test('frees the seat', () => {
    given(...roomWith({ olga: 'owner', bob: 'member' }))
      .when('LeaveRoom', { by: 'bob', ...den })
      .then([
        {
          type: 'RosterChanged',
          data: { roster: { members: 1, limit: LIMITS.membersMax, owner: 'olga', moderators: [] } },
        },
        { type: 'MemberLeft', data: { member: aMember('bob', { standing: 'left' }) } },
      ]);
  });

  test('leaving as none does nothing; a private room does not exist for a stranger', () => {
    given(...roomWith({ olga: 'owner' }))
      .when('LeaveRoom', { by: 'bob', ...den })
      .then([]);
    given(...roomWith({ olga: 'owner' }, { isPrivate: true }))
      .when('LeaveRoom', { by: 'bob', ...den })
      .then(refused('room_not_found'));
    given()
      .when('LeaveRoom', { by: 'bob', ...den })
      .then(refused('room_not_found'));
  });

  test('an owner who leaves hands the room to its first moderator', () => {
    given(...roomWith({ olga: 'owner', mo: 'moderator', max: 'moderator' }))
      .when('LeaveRoom', { by: 'olga', ...den })
      .then([
        {
          type: 'RosterChanged',
          data: { roster: { members: 2, limit: LIMITS.membersMax, owner: 'mo', moderators: ['max'] } },
        },
        { type: 'MemberChanged', data: { member: aMember('mo', { role: 'owner' }) } },
        { type: 'MemberLeft', data: { member: aMember('olga', { standing: 'left' }) } },
      ]);
  });

  test('without a moderator the room goes on without an owner', () => {
    const { decision } = given(...roomWith({ olga: 'owner', bob: 'member' })).when('LeaveRoom', { by: 'olga', ...den });
    expect(decision[0]?.event.data).toStrictEqual({
      roster: { members: 1, limit: LIMITS.membersMax, moderators: [] },
    });
  });

  test('an invitation can be declined', () => {
    const { decision } = given(
      ...roomWith({ olga: 'owner' }, { isPrivate: true }),
      nowIs('bob', { standing: 'invited' }),
    ).when('LeaveRoom', { by: 'bob', ...den });
    expect(decision.map(({ event }) => event.data)).toMatchObject([
      { roster: { members: 1 } },
      { member: { standing: 'left' } },
    ]);
  });

  test('nobody leaves a participant channel', () => {
    given(...roomWith({ bob: 'member', ann: 'member' }, { kind: 'channel', isPrivate: true }))
      .when('LeaveRoom', { by: 'bob', ...den })
      .then(refused('forbidden'));
  });
});

describe('RemoveMember', () => {
  const room = roomWith({ olga: 'owner', mo: 'moderator', max: 'moderator', bob: 'member', ann: 'member' });
  const removing = (userId: string) => ({ roomId: 'den', body: { roomId: 'den', userId } });

  test('is for members: not for strangers, and nothing is done to who is out', () => {
    given(...room)
      .when('RemoveMember', { by: 'zoe', ...removing('bob') })
      .then(refused('not_member'));
    given(...room)
      .when('RemoveMember', { by: 'olga', ...removing('zoe') })
      .then([]);
    given(...room, nowIs('zoe', { standing: 'left' }))
      .when('RemoveMember', { by: 'olga', ...removing('zoe') })
      .then([]);
  });

  test.each([
    ['olga', 'mo'],
    ['olga', 'bob'],
    ['mo', 'bob'],
  ])('%s removes %s', (by, target) => {
    const { decision } = given(...room).when('RemoveMember', { by, ...removing(target) });
    expect(decision[1]).toMatchObject({
      event: { type: 'MemberRemoved', data: { member: { userId: target, standing: 'removed', role: 'member' } } },
      fence: { kind: 'member', userId: by },
    });
    expect(decision[0]?.event.data).toMatchObject({ roster: { members: 4 } });
  });

  test.each([
    ['mo', 'max'],
    ['mo', 'olga'],
    ['bob', 'ann'],
  ])('%s may not remove %s', (by, target) => {
    given(...room)
      .when('RemoveMember', { by, ...removing(target) })
      .then(refused('forbidden'));
  });

  test('removing oneself is leaving; removing a stranger does nothing', () => {
    const { decision } = given(...room).when('RemoveMember', { by: 'bob', ...removing('bob') });
    expect(decision[1]?.event.type).toBe('MemberLeft');
    given(...room)
      .when('RemoveMember', { by: 'olga', ...removing('zoe') })
      .then([]);
  });

  test('an invitation can be withdrawn without freeing a seat', () => {
    const { decision } = given(...room, nowIs('zoe', { standing: 'invited' })).when('RemoveMember', {
      by: 'mo',
      ...removing('zoe'),
    });
    expect(decision[0]?.event.data).toMatchObject({ roster: { members: 5 } });
  });
});
