import { describe, expect, test } from '@jest/globals';
import type { CommandBody, MemberRole } from '#contract';
import { aMember, given, nowIs, refused, roomWith } from '#testing';
import { MODERATORS_MAX } from './seats.js';

const room = roomWith({ olga: 'owner', mo: 'moderator', max: 'moderator', bob: 'member', ann: 'member' });
const change = (userId: string, body: Omit<CommandBody<'ChangeMember'>, 'roomId' | 'userId'>) => ({
  roomId: 'den',
  body: { roomId: 'den', userId, ...body },
});

describe('ChangeMember: who may', () => {
  test.each([
    ['olga', 'mo'],
    ['olga', 'bob'],
    ['mo', 'bob'],
  ])('%s mutes %s', (by, target) => {
    const { decision } = given(...room).when('ChangeMember', { by, ...change(target, { muted: true }) });
    expect(decision[1]).toMatchObject({
      event: { type: 'MemberChanged', data: { member: { userId: target, standing: 'member', muted: true } } },
      fence: { kind: 'member', userId: by },
    });
  });

  test.each([
    ['mo', 'max'],
    ['mo', 'mo'],
    ['mo', 'olga'],
    ['bob', 'ann'],
    ['bob', 'bob'],
  ])('%s may not mute %s', (by, target) => {
    given(...room)
      .when('ChangeMember', { by, ...change(target, { muted: true }) })
      .then(refused('forbidden'));
  });

  test('a moderator makes no moderator and no owner', () => {
    for (const role of ['moderator', 'owner'] as MemberRole[])
      given(...room)
        .when('ChangeMember', { by: 'mo', ...change('bob', { role }) })
        .then(refused('forbidden'));
  });

  test('a stranger is not a member', () => {
    given(...room)
      .when('ChangeMember', { by: 'zoe', ...change('bob', { muted: true }) })
      .then(refused('not_member'));
  });
});

describe('ChangeMember: roles', () => {
  test('the owner makes a moderator, last in the line of heirs', () => {
    const { decision } = given(...room).when('ChangeMember', { by: 'olga', ...change('bob', { role: 'moderator' }) });
    expect(decision[0]?.event.data).toMatchObject({ roster: { moderators: ['mo', 'max', 'bob'], members: 5 } });
  });

  test('a mute keeps a moderator where they stand in line', () => {
    const { decision } = given(...room).when('ChangeMember', { by: 'olga', ...change('mo', { muted: true }) });
    expect(decision[0]?.event.data).toMatchObject({ roster: { moderators: ['mo', 'max'] } });
  });

  test('the owner hands the room over and becomes a moderator', () => {
    const { decision } = given(...room).when('ChangeMember', { by: 'olga', ...change('mo', { role: 'owner' }) });
    expect(decision.map(({ event }) => event.data)).toMatchObject([
      { roster: { owner: 'mo', moderators: ['max', 'olga'], members: 5 } },
      { member: { userId: 'olga', role: 'moderator' } },
      { member: { userId: 'mo', role: 'owner' } },
    ]);
  });

  test('roles and mutes are for members', () => {
    for (const body of [{ role: 'moderator' as const }, { muted: true }])
      given(...room)
        .when('ChangeMember', { by: 'olga', ...change('zoe', body) })
        .then(refused('user_not_found', 'user is not a member of this room'));
  });

  test('the role that somebody has is nothing new', () => {
    given(...room)
      .when('ChangeMember', { by: 'olga', ...change('mo', { role: 'moderator' }) })
      .then([]);
    given(...room)
      .when('ChangeMember', { by: 'mo', ...change('bob', { role: 'member' }) })
      .then([]);
  });

  test('moderators are limited: the roster is written with every join', () => {
    const seats = (moderators: number) =>
      Object.fromEntries(Array.from({ length: moderators }, (_, i) => [`m${i}`, 'moderator' as const]));
    const promoted = (moderators: number) =>
      given(...roomWith({ olga: 'owner', ...seats(moderators), bob: 'member' })).when('ChangeMember', {
        by: 'olga',
        ...change('bob', { role: 'moderator' }),
      });
    const tooMany = refused('too_large', `a room has at most ${MODERATORS_MAX} moderators`);
    promoted(MODERATORS_MAX).then(tooMany);
    expect(promoted(MODERATORS_MAX - 1).decision).toHaveLength(2);
    const handedOver = (moderators: number) =>
      given(...roomWith({ olga: 'owner', ...seats(moderators), bob: 'member' })).when('ChangeMember', {
        by: 'olga',
        ...change('bob', { role: 'owner' }),
      });
    handedOver(MODERATORS_MAX).then(tooMany);
    expect(handedOver(MODERATORS_MAX - 1).decision.map(({ event }) => event.type)).toEqual([
      'RosterChanged',
      'MemberChanged',
      'MemberChanged',
    ]);
  });
});

describe('ChangeMember: bans', () => {
  test('a ban removes a member and frees the seat', () => {
    const { decision } = given(...room).when('ChangeMember', { by: 'mo', ...change('bob', { banned: true }) });
    expect(decision.map(({ event }) => event)).toMatchObject([
      { type: 'RosterChanged', data: { roster: { members: 4 } } },
      { type: 'MemberRemoved', data: { member: { userId: 'bob', standing: 'removed', banned: true } } },
    ]);
  });

  test('a ban can come before its user, and takes no seat', () => {
    const { decision } = given(...room).when('ChangeMember', { by: 'mo', ...change('zoe', { banned: true }) });
    expect(decision.map(({ event }) => event)).toMatchObject([
      { type: 'RosterChanged', data: { roster: { members: 5 } } },
      { type: 'MemberChanged', data: { member: { userId: 'zoe', standing: 'removed', banned: true } } },
    ]);
  });

  test('who is unbanned may come back, and is not back', () => {
    const { decision } = given(...room, nowIs('zoe', { standing: 'removed', banned: true })).when('ChangeMember', {
      by: 'mo',
      ...change('zoe', { banned: false }),
    });
    expect(decision[1]?.event).toEqual({
      type: 'MemberChanged',
      data: { member: aMember('zoe', { standing: 'removed' }) },
    });
  });

  test('whoever left is banned where they are; whoever is not banned stays so when something else changes', () => {
    const banned = given(...room, nowIs('zoe', { standing: 'left' })).when('ChangeMember', {
      by: 'mo',
      ...change('zoe', { banned: true }),
    });
    expect(banned.decision[1]?.event.data).toEqual({ member: aMember('zoe', { standing: 'left', banned: true }) });
    const muted = given(...room).when('ChangeMember', { by: 'mo', ...change('bob', { muted: true }) });
    expect(muted.decision[1]?.event.data).toEqual({ member: aMember('bob', { muted: true }) });
  });

  test('an archived room stays as it is', () => {
    given(...roomWith({ olga: 'owner', bob: 'member' }, { archived: true }))
      .when('ChangeMember', { by: 'olga', ...change('bob', { muted: true }) })
      .then(refused('room_archived'));
  });

  test('nothing new is no event', () => {
    given(...room)
      .when('ChangeMember', { by: 'mo', ...change('bob', { banned: false, muted: false, role: 'member' }) })
      .then([]);
    given(...room)
      .when('ChangeMember', { by: 'mo', ...change('zoe', { banned: false }) })
      .then([]);
    for (const target of ['zoe', 'bob'])
      given(...room)
        .when('ChangeMember', { by: 'mo', ...change(target, {}) })
        .then([]);
  });
});
