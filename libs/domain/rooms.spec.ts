import { describe, expect, test } from '@jest/globals';
import { LIMITS, type CommandBody } from '#contract';
import { aMember, aRoom, given, refused, roomWith } from '#testing';

const asked: CommandBody<'CreateRoom'> = {
  name: 'Den',
  description: 'quiet',
  isPrivate: false,
  maxMembers: 0,
  settings: { topic: 'tea' },
};

describe('CreateRoom', () => {
  test('its creator owns it and has its first seat', () => {
    given()
      .when('CreateRoom', { by: 'olga', roomId: 'den', body: asked })
      .then([
        { type: 'RoomCreated', data: { room: aRoom({ description: 'quiet', settings: { topic: 'tea' } }) } },
        {
          type: 'RosterChanged',
          data: { roster: { members: 1, limit: LIMITS.membersMax, owner: 'olga', moderators: [] } },
        },
        { type: 'MemberJoined', data: { member: aMember('olga', { role: 'owner' }) } },
      ]);
  });

  test('has as many seats as were asked for', () => {
    const body = { ...asked, maxMembers: 7 };
    const { decision } = given().when('CreateRoom', { by: 'olga', roomId: 'den', body });
    expect(decision[0]?.event.data).toMatchObject({ room: { maxMembers: 7 } });
    expect(decision[1]?.event.data).toMatchObject({ roster: { limit: 7 } });
  });

  test('stands only where no config stands yet', () => {
    const { decision } = given().when('CreateRoom', { by: 'olga', roomId: 'den', body: asked });
    expect(decision[0]?.fence).toEqual({ kind: 'config', roomId: 'den' });
    given(...roomWith({ mo: 'owner' }))
      .when('CreateRoom', { by: 'olga', roomId: 'den', body: asked })
      .then(refused('already_exists'));
  });

  test('may not take the id of a participant channel', () => {
    given()
      .when('CreateRoom', { by: 'olga', roomId: 'dm_x', body: asked })
      .then(refused('forbidden', 'ids that begin with dm_ are for participant channels'));
  });
});

describe('ChangeRoom', () => {
  const room = roomWith({ olga: 'owner', mo: 'moderator', bob: 'member' });
  const change = (body: Omit<CommandBody<'ChangeRoom'>, 'roomId'>) => ({
    roomId: 'den',
    body: { roomId: 'den', ...body },
  });

  test('writes the whole config, and the roster as the lock of the room', () => {
    given(...room)
      .when('ChangeRoom', { by: 'mo', ...change({ name: 'Lair', maxMembers: 3 }) })
      .then([
        { type: 'RosterChanged', data: { roster: { members: 3, limit: 3, owner: 'olga', moderators: ['mo'] } } },
        { type: 'RoomChanged', data: { room: aRoom({ name: 'Lair', maxMembers: 3 }) } },
      ]);
  });

  test('a limit below the number of members is refused', () => {
    given(...room)
      .when('ChangeRoom', { by: 'olga', ...change({ maxMembers: 2 }) })
      .then(refused('room_full', 'the room has 3 members already'));
  });

  test('nothing new is no event', () => {
    given(...room)
      .when('ChangeRoom', { by: 'olga', ...change({ name: 'Den' }) })
      .then([]);
  });

  test('is for the owner and moderators', () => {
    given(...room)
      .when('ChangeRoom', { by: 'bob', ...change({ name: 'x' }) })
      .then(refused('forbidden'));
    given(...room)
      .when('ChangeRoom', { by: 'zoe', ...change({ name: 'x' }) })
      .then(refused('not_member'));
    given(...roomWith({ olga: 'owner' }, { isPrivate: true }))
      .when('ChangeRoom', { by: 'zoe', ...change({ name: 'x' }) })
      .then(refused('room_not_found'));
  });

  test('an archived room and a participant channel stay as they are', () => {
    given(...roomWith({ olga: 'owner' }, { archived: true }))
      .when('ChangeRoom', { by: 'olga', ...change({ name: 'x' }) })
      .then(refused('room_archived'));
    given(...roomWith({ olga: 'member' }, { kind: 'channel', isPrivate: true }))
      .when('ChangeRoom', { by: 'olga', ...change({ name: 'x' }) })
      .then(refused('forbidden', 'a participant channel cannot be changed'));
  });
});

describe('ArchiveRoom', () => {
  const den = { roomId: 'den', body: { roomId: 'den' } };

  test('is for the owner, once', () => {
    const room = roomWith({ olga: 'owner', mo: 'moderator' });
    const { decision } = given(...room).when('ArchiveRoom', { by: 'olga', ...den });
    expect(decision.map(({ event }) => event.type)).toEqual(['RosterChanged', 'RoomArchived']);
    expect(decision[1]?.event.data).toEqual({ room: aRoom({ archived: true }) });
    given(...room)
      .when('ArchiveRoom', { by: 'mo', ...den })
      .then(refused('forbidden'));
    given(...room)
      .when('ArchiveRoom', { by: 'zoe', ...den })
      .then(refused('not_member'));
    given(...roomWith({ olga: 'owner' }, { archived: true }))
      .when('ArchiveRoom', { by: 'olga', ...den })
      .then([]);
  });
});
