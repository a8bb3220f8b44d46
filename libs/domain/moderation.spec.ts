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
        .then(refused('user_not_found'));
  });

  test('moderators are limited: the roster is written with every join', () => {
    const seats = Object.fromEntries(Array.from({ length: MODERATORS_MAX }, (_, i) => [`m${i}`, 'moderator' as const]));
    given(...roomWith({ olga: 'owner', ...seats, bob: 'member' }))
      .when('ChangeMember', { by: 'olga', ...change('bob', { role: 'moderator' }) })
      .then(refused('too_large'));
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

  test('nothing new is no event', () => {
    given(...room)
      .when('ChangeMember', { by: 'mo', ...change('bob', { banned: false, muted: false, role: 'member' }) })
      .then([]);
    given(...room)
      .when('ChangeMember', { by: 'mo', ...change('zoe', { banned: false }) })
      .then([]);
  });
});
