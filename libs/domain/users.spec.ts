import { describe, expect, test } from '@jest/globals';
import { given } from '#testing';

describe('SetStatus', () => {
  test('the map is replaced only when one is given, and the whole state is carried', () => {
    given({ type: 'StatusChanged', data: { status: { mood: 'calm' } } })
      .when('SetStatus', { by: 'ann', body: { online: true } })
      .then([{ type: 'StatusChanged', data: { online: true, status: { mood: 'calm' } } }]);
    given({ type: 'StatusChanged', data: { status: { mood: 'calm', away: 'yes' } } })
      .when('SetStatus', { by: 'ann', body: { status: { mood: 'glad' } } })
      .then([{ type: 'StatusChanged', data: { status: { mood: 'glad' } } }]);
  });

  test('hidden stays hidden until said otherwise; being online is said once', () => {
    given({ type: 'StatusChanged', data: { online: false, status: {} } })
      .when('SetStatus', { by: 'ann', body: { status: { mood: 'glad' } } })
      .then([{ type: 'StatusChanged', data: { online: false, status: { mood: 'glad' } } }]);
    given({ type: 'StatusChanged', data: { online: true, status: {} } })
      .when('SetStatus', { by: 'ann', body: { status: { mood: 'glad' } } })
      .then([{ type: 'StatusChanged', data: { status: { mood: 'glad' } } }]);
  });

  test('saying nothing is no event', () => {
    given().when('SetStatus', { by: 'ann', body: {} }).then([]);
  });

  test('the first status says what is given, and no more', () => {
    given()
      .when('SetStatus', { by: 'ann', body: { online: true } })
      .then([{ type: 'StatusChanged', data: { online: true, status: {} } }]);
    given()
      .when('SetStatus', { by: 'ann', body: { status: { mood: 'glad' } } })
      .then([{ type: 'StatusChanged', data: { status: { mood: 'glad' } } }]);
  });
});

describe('ChangeProfile', () => {
  test('what is not given stays', () => {
    given({ type: 'ProfileChanged', data: { username: 'ann', displayName: 'Ann', avatarUrl: 'https://a' } })
      .when('ChangeProfile', { by: 'ann', body: { displayName: 'Ann B.' } })
      .then([{ type: 'ProfileChanged', data: { username: 'ann', displayName: 'Ann B.', avatarUrl: 'https://a' } }]);
  });

  test('the first name is what the token says, if it is one, else the id', () => {
    const first = (by: { userId: string; username?: string }) =>
      given().when('ChangeProfile', { by, body: { displayName: 'D' } }).decision[0]?.event.data;
    expect(first({ userId: 'u1', username: 'Ann' })).toMatchObject({ username: 'Ann' });
    expect(first({ userId: 'u1', username: 'two\u0000' })).toMatchObject({ username: 'u1' });
    expect(first({ userId: 'x'.repeat(256) })).toMatchObject({ username: 'x'.repeat(80) });
    expect(first({ userId: `${'x'.repeat(79)} y` })).toEqual({
      username: 'x'.repeat(79),
      displayName: 'D',
      avatarUrl: '',
    });
  });

  test('nothing new is no event', () => {
    given({ type: 'ProfileChanged', data: { username: 'ann', displayName: '', avatarUrl: '' } })
      .when('ChangeProfile', { by: 'ann', body: { username: 'ann' } })
      .then([]);
  });

  test('whatever is new is an event, and carries the whole profile', () => {
    const named = {
      type: 'ProfileChanged',
      data: { username: 'ann', displayName: 'Ann', avatarUrl: 'https://a' },
    } as const;
    for (const body of [{ username: 'anna' }, { displayName: 'Anna' }, { avatarUrl: 'https://b' }])
      given(named)
        .when('ChangeProfile', { by: 'ann', body })
        .then([{ type: 'ProfileChanged', data: { ...named.data, ...body } }]);
  });

  test('the first profile has no name to display and no picture but those given', () => {
    const { decision } = given().when('ChangeProfile', {
      by: { userId: 'u1', username: 'Ann' },
      body: { avatarUrl: 'https://b' },
    });
    expect(decision[0]?.event.data).toEqual({ username: 'Ann', displayName: '', avatarUrl: 'https://b' });
  });
});
