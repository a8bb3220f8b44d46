import { describe, expect, test } from '@jest/globals';
import { LocalUser, type PendingSend } from './local-user.js';

const bob = (): LocalUser => new LocalUser('bob');
const send = { reader: {}, key: undefined } as PendingSend;
/** As local-user.ts has it. */
const PENDING_SENDS_MAX = 64;

describe('what a user is told of memberships', () => {
  test('is taken once, by its sequence, in whatever order it comes', () => {
    const user = bob();
    expect([user.isMember('den'), user.lacks('den', 1), user.hasEnded]).toEqual([false, true, false]);
    expect(user.learn('den', 5, true, true)).toEqual({ was: false, is: true, knownUpTo: 0 });
    expect([user.isMember('den'), user.lacks('den', 5), user.lacks('den', 6)]).toEqual([true, false, true]);
    expect([user.learn('den', 5, false), user.learn('den', 4, false)]).toEqual([undefined, undefined]);
    expect([user.isMember('den'), user.hasEnded]).toEqual([true, false]);
    expect(user.learn('den', 8, false)).toEqual({ was: true, is: false, knownUpTo: 5 });
    expect([user.isMember('den'), user.hasEnded, user.isMember('tea')]).toEqual([false, true, false]);
  });

  test('an end stays remembered when others begin', () => {
    const user = bob();
    user.learn('den', 1, false);
    user.learn('tea', 2, true, true);
    expect(user.hasEnded).toBe(true);
  });

  test('a stay began with what let the user in, and not with what changed it since', () => {
    const user = bob();
    const since = (): number | undefined => user.memberships.get('den')?.since;
    user.learn('den', 3, true);
    expect(since()).toBe(3);
    user.learn('den', 5, true);
    expect(since()).toBe(3);
    user.learn('den', 7, true, true);
    expect(since()).toBe(7);
    user.learn('den', 9, false);
    expect(since()).toBe(9);
    user.learn('den', 11, true);
    expect(since()).toBe(11);
  });

  test('a stay goes back as far as somebody knows, and no stay goes back that has ended', () => {
    const user = bob();
    user.stayedSince('den', 1);
    expect(user.memberships.size).toBe(0);
    user.learn('den', 9, true);
    for (const seq of [12, 4, 6]) user.stayedSince('den', seq);
    expect(user.memberships.get('den')).toEqual({ seq: 9, member: true, since: 4 });
    user.learn('den', 11, false);
    user.stayedSince('den', 4);
    expect(user.memberships.get('den')).toEqual({ seq: 11, member: false, since: 11 });
  });
});

test('memberships that ended are forgotten when that is verified, and not before; present ones never', () => {
  const user = bob();
  user.learn('den', 5, false);
  user.learn('tea', 9, false);
  user.learn('cake', 2, true);
  const asked: string[] = [];
  const upTo = (mark: number) => (roomId: string, seq: number) => {
    asked.push(`${roomId} ${seq}`);
    return seq <= mark;
  };
  user.forgetEnded(upTo(5));
  expect([[...user.memberships.keys()], user.hasEnded]).toEqual([['tea', 'cake'], true]);
  user.forgetEnded(upTo(9));
  expect([[...user.memberships.keys()], user.hasEnded]).toEqual([['cake'], false]);
  expect(asked).toEqual(['den 5', 'tea 9', 'tea 9']);
});

describe('sends that are on their way', () => {
  test('are known by their key until they are forgotten', () => {
    const user = bob();
    expect([user.sent('k'), user.sent(undefined)]).toEqual([undefined, undefined]);
    user.forgetSend('k');
    user.expect('k', send);
    user.expect('l', send);
    expect([user.sent('k'), user.sent('m'), user.sent(undefined)]).toEqual([send, undefined, undefined]);
    user.forgetSend('k');
    expect([user.sent('k'), user.sent('l')]).toEqual([undefined, send]);
    user.forgetSend('l');
    expect(user.sent('l')).toBeUndefined();
  });

  test('are so many: the oldest is let go', () => {
    const user = bob();
    for (let i = 0; i < PENDING_SENDS_MAX; i += 1) user.expect(`k${i}`, send);
    expect(user.sent('k0')).toBe(send);
    user.expect('one more', send);
    expect([user.sent('k0'), user.sent('k1'), user.sent('one more')]).toEqual([undefined, send, send]);
  });
});

describe('the subscription of a user', () => {
  const subscription = (stopped: string[]) => ({
    stop: () => {
      stopped.push('stopped');
      return Promise.resolve();
    },
  });

  test('is made once, waited for by all, and ends when the user leaves', async () => {
    const user = bob();
    const [made, stopped]: [number[], string[]] = [[], []];
    const subscribe = () => {
      made.push(made.length);
      return Promise.resolve(subscription(stopped));
    };
    await Promise.all([user.listen(subscribe), user.listen(subscribe)]);
    expect([made, stopped]).toEqual([[0], []]);
    await user.leave();
    expect(stopped).toEqual(['stopped']);
  });

  test('that fails is an error for whoever waits, and is tried again by the next', async () => {
    const user = bob();
    await expect(user.listen(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    const stopped: string[] = [];
    await user.listen(() => Promise.resolve(subscription(stopped)));
    await user.leave();
    expect(stopped).toEqual(['stopped']);
  });

  test('need not be there when the user leaves', async () => {
    await expect(bob().leave()).resolves.toBeUndefined();
  });
});
