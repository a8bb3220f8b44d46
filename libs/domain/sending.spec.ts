import { describe, expect, test } from '@jest/globals';
import { channelRoomId, type CommandBody } from '#contract';
import { aMember, aRoom, given, nowIs, refused, roomWith } from '#testing';

const toDen = { roomId: 'den', body: { roomId: 'den', content: 'hello', type: 'text' } as CommandBody<'SendMessage'> };

describe('SendMessage to a room', () => {
  test('a member sends, fenced on their own membership', () => {
    const { decision } = given(...roomWith({ olga: 'owner' })).when('SendMessage', { by: 'olga', ...toDen });
    expect(decision).toEqual([
      {
        to: { kind: 'timeline', roomId: 'den' },
        event: { type: 'MessageSent', data: { content: 'hello', type: 'text' } },
        fence: { kind: 'member', roomId: 'den', userId: 'olga' },
      },
    ]);
  });

  test('metadata, mentions and the answered message are kept', () => {
    const extra = { metadata: { a: 'b' }, mentions: ['bob'], replyTo: 'msg_1024' };
    const { decision } = given(...roomWith({ olga: 'owner' })).when('SendMessage', {
      by: 'olga',
      roomId: 'den',
      body: { ...toDen.body, ...extra },
    });
    expect(decision[0]?.event.data).toEqual({ content: 'hello', type: 'text', ...extra });
    const plain = given(...roomWith({ olga: 'owner' })).when('SendMessage', { by: 'olga', ...toDen });
    expect(Object.keys(plain.decision[0]?.event.data ?? {})).toEqual(['content', 'type']);
  });

  test('an unknown room is not found', () => {
    given()
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('room_not_found', 'room not found'));
  });

  test('a private room does not exist for who is not in it, archived or not', () => {
    given(...roomWith({ olga: 'owner' }, { isPrivate: true, archived: true }))
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('room_not_found'));
  });

  test.each(['left', 'removed', 'invited'] as const)('who has %s is not a member', (standing) => {
    given(...roomWith({ olga: 'owner' }), nowIs('bob', { standing }))
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('not_member', 'user is not a member of this room'));
  });

  test('membership is looked at before the room being archived, and that before a mute', () => {
    const archived = roomWith({ olga: 'owner' }, { archived: true });
    given(...archived)
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('not_member'));
    given(...archived, nowIs('bob', { muted: true }))
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('room_archived'));
    given(...roomWith({ olga: 'owner' }), nowIs('bob', { muted: true }))
      .when('SendMessage', { by: 'bob', ...toDen })
      .then(refused('muted'));
  });
});

describe('SendMessage to participants', () => {
  const participants = ['bob', 'ann', 'bob'];
  const roomId = channelRoomId(participants);
  const send = { roomId, body: { participants, content: 'hi', type: 'text' } as CommandBody<'SendMessage'> };

  test('the first message creates the channel, its members and itself at once', () => {
    const { decision } = given().when('SendMessage', { by: 'bob', ...send });
    expect(decision.map(({ event }) => event)).toEqual([
      {
        type: 'RoomCreated',
        data: {
          room: aRoom({
            kind: 'channel',
            name: '',
            isPrivate: true,
            maxMembers: 2,
            createdBy: 'bob',
            participants: ['ann', 'bob'],
          }),
        },
      },
      { type: 'RosterChanged', data: { roster: { members: 2, limit: 2, moderators: [] } } },
      { type: 'MemberJoined', data: { member: aMember('ann') } },
      { type: 'MemberJoined', data: { member: aMember('bob') } },
      { type: 'MessageSent', data: { content: 'hi', type: 'text' } },
    ]);
    expect(decision[0]?.fence).toEqual({ kind: 'config', roomId });
  });

  test('later ones are ordinary sends', () => {
    const channel = roomWith({ ann: 'member', bob: 'member' }, { kind: 'channel', isPrivate: true });
    const { decision } = given(...channel).when('SendMessage', { by: 'bob', ...send });
    expect(decision).toHaveLength(1);
    expect(decision[0]?.fence).toEqual({ kind: 'member', roomId, userId: 'bob' });
  });

  test('the sender must be part of it', () => {
    given()
      .when('SendMessage', { by: 'zoe', ...send })
      .then(refused('forbidden', 'forbidden: sender must be part of participants'));
  });

  test('a channel of one is allowed', () => {
    const { decision } = given().when('SendMessage', {
      by: 'bob',
      roomId: channelRoomId(['bob']),
      body: { participants: ['bob'], content: 'note', type: 'text' },
    });
    expect(decision.map(({ event }) => event.type)).toEqual([
      'RoomCreated',
      'RosterChanged',
      'MemberJoined',
      'MessageSent',
    ]);
  });
});
