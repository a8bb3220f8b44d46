/** As many as a gateway takes: connections, and users that somebody watches. */
import { expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import type { EventLog } from '#event-log';
import type { Database } from '#read-models';
import { LocalUser } from '../feed/local-user.js';
import { Reader } from '../feed/reader.js';
import { TestSink } from '../feed/test-feed.js';
import { CONNECTIONS_MAX, Here } from './here.js';
import { WATCHED_MAX, Watches } from './watches.js';

test('a gateway is full with so many connections, and has a place again when one ends', () => {
  const here = new Here({} as NatsConnection);
  let taken = 0;
  while (!here.isFull && here.connected(`u${taken}`)) taken += 1;
  expect(taken).toBe(CONNECTIONS_MAX);
  expect(here.isFull).toBe(true);
  here.disconnected('u7');
  expect(here.isFull).toBe(false);
});

test('more users than a gateway watches are refused for now, and nothing is left of that list', async () => {
  const users = Array.from({ length: WATCHED_MAX + 1 }, (_, i) => `u${i}`);
  const database = { query: async () => users.map((user_id) => ({ user_id })) } as unknown as Database;
  const subscribed: string[] = [];
  const nats = { subscribe: (subject: string) => subscribed.push(subject) } as unknown as NatsConnection;
  const watches = new Watches(nats, {} as EventLog, database);
  const reader = new Reader('s', new TestSink(), 'origin');
  reader.user = new LocalUser('ann');
  await expect(watches.watch(reader, users)).rejects.toMatchObject({ code: 'unavailable', retryMs: 1_000 });
  expect(subscribed).toEqual([]);
  watches.leave(reader);
});
