/** A database that has stopped: what waits for it is bounded in number and in time. */
import { describe, expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError } from '#contract';
import { waitUntil } from '#embedded';
import { type Database, QUERIES_WAITING_MAX } from './database.js';
import { PositionWaiter, POSITIONS_WAITING_MAX } from './positions/position-waiter.js';
import { useDatabases } from './test-database.js';

const databases = useDatabases();
const POOL_MAX = 10;
const TOO_MANY = 'unavailable: too many queries wait for the database';
const AWAY = 'unavailable: temporarily unavailable';
const LONG_MS = 60_000;

const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    (error: unknown) => (error instanceof DomainError ? `${error.code}: ${error.message}` : String(error)),
  );

describe('a PostgreSQL that has stopped', () => {
  test('holds up so many queries; the next one is refused at once, all are within a bounded time, and it goes on', async () => {
    const database = await databases.fresh();
    const query = (): Promise<string> => outcomeOf(database.query('one', 'select 1 as one'));
    databases.postgres.pause();
    try {
      const asked = Array.from({ length: QUERIES_WAITING_MAX + 2 * POOL_MAX }, query);
      let ended = 0;
      for (const outcome of asked) void outcome.then(() => (ended += 1));
      expect(await query()).toBe(TOO_MANY);
      // Some have a connection, and a server stops a moment after it has been told to.
      expect(ended).toBeLessThanOrEqual(3 * POOL_MAX);
      await waitUntil('every query has an answer', LONG_MS, () => ended === asked.length);
      const outcomes = await Promise.all(asked);
      expect(outcomes.filter((outcome) => outcome === TOO_MANY).length).toBeLessThanOrEqual(2 * POOL_MAX);
      expect(outcomes.filter((outcome) => outcome === AWAY).length).toBeGreaterThan(QUERIES_WAITING_MAX - 2 * POOL_MAX);
      expect(outcomes.every((outcome) => [TOO_MANY, AWAY, 'answered'].includes(outcome))).toBe(true);
    } finally {
      databases.postgres.resume();
    }
    await waitUntil('queries are answered', LONG_MS, async () => (await query()) === 'answered');
  }, 120_000);
});

describe('views that do not come on', () => {
  test('are waited for by so many; the next one is told that they are behind, and afterwards all go on', async () => {
    let notice: (error: Error | null, message: { json: () => unknown }) => void = () => undefined;
    const nats = {
      subscribe: (_subject: string, { callback }: { callback: typeof notice }) => {
        notice = callback;
        return { unsubscribe: () => undefined };
      },
    } as unknown as NatsConnection;
    const database = { sessions: 0, query: async () => [] } as unknown as Database;
    const waiter = new PositionWaiter(database, nats);
    const wait = (seq: number): Promise<string> => outcomeOf(waiter.waitFor({ partition: 0, seq }, LONG_MS));
    const waiting = Array.from({ length: POSITIONS_WAITING_MAX }, (_, i) => wait(i + 1));
    expect(await wait(1)).toBe('behind: too many wait for the views');
    notice(null, { json: () => ({ partition: 0, epoch: 'e', seq: POSITIONS_WAITING_MAX }) });
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['answered']));
    expect(await wait(1)).toBe('answered');
    waiter.close();
  });
});
