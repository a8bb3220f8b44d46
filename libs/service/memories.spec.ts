/** What a process remembers of strangers: bounded in number, the oldest goes first. */
import { expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError } from '#contract';
import { loadConfig } from './config.js';
import { BUCKETS_MAX, RateLimit } from './rate-limits.js';
import { refusingRevoked, REVOCATIONS_MAX } from './revocations.js';

test('buckets of a rate limit: under ever new keys the oldest are forgotten, and not the newest', () => {
  const limit = new RateLimit(1, 1, true, () => 0);
  for (let i = 0; i <= BUCKETS_MAX; i += 1) limit.take(`key-${i}`);
  expect(() => limit.take(`key-${BUCKETS_MAX}`)).toThrow(DomainError);
  expect(() => limit.take(`key-${BUCKETS_MAX / 2}`)).toThrow(DomainError);
  limit.take('key-0');
});

test('sessions that have ended: above so many the oldest is forgotten', async () => {
  let say: (error: Error | null, message: { string: () => string }) => void = () => undefined;
  const nats = {
    subscribe: (_subject: string, { callback }: { callback: typeof say }) => void (say = callback),
  } as unknown as NatsConnection;
  const verifier = {
    verify: async (sessionId: string) => ({ userId: 'ann', sessionId, expiresAtMs: Number.POSITIVE_INFINITY }),
  };
  const refusing = refusingRevoked(verifier, nats, loadConfig({}));
  for (let i = 0; i <= REVOCATIONS_MAX; i += 1) {
    const text = JSON.stringify({ userId: 'ann', sessionId: `s${i}` });
    say(null, { string: () => text });
  }
  expect(await refusing.verify('s0')).toMatchObject({ userId: 'ann' });
  for (const known of ['s1', `s${REVOCATIONS_MAX}`])
    await expect(refusing.verify(known)).rejects.toMatchObject({ code: 'unauthenticated' });
});
