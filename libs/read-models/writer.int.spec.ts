import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Database } from './database.js';
import { sqlState } from './failures.js';
import { useDatabases } from './test-database.js';

const databases = useDatabases();

describe('a writer', () => {
  let database: Database;
  beforeAll(async () => {
    database = await databases.fresh();
    await database.source.query('create table numbers (n int primary key)');
  });
  const numbers = async (): Promise<number[]> =>
    (await database.query<{ n: number }>('numbers', 'select n from numbers order by n')).map(({ n }) => n);

  test('throws why a transaction failed, not that it had failed, whoever is heard first', async () => {
    const writer = await database.writer('test');
    const insert = async (n: number) => writer.query('insert', 'insert into numbers values ($1)', [n]);
    // The failure is heard late, through many promises; what comes behind it is heard at once.
    const late = async (n: number, steps: number): Promise<unknown> =>
      steps === 0 ? insert(n) : await late(n, steps - 1);
    for (let steps = 0; steps < 8; steps++) {
      const torn = writer.transaction(() => Promise.all([insert(1), late(1, steps), insert(2), insert(3)]));
      expect(sqlState(await torn.catch((error: unknown) => error))).toBe('23505');
    }
    expect(await numbers()).toEqual([]);
    await writer.transaction(() => insert(1));
    expect(await numbers()).toEqual([1]);
    // Outside of a transaction every statement speaks for itself.
    expect(sqlState(await insert(1).catch((error: unknown) => error))).toBe('23505');
    const unknown = writer.query('unknown', 'select * from nowhere').catch((error: unknown) => error);
    expect(sqlState(await unknown)).toBe('42P01');
    await writer.release();
  });

  test('takes its locks with it when it ends', async () => {
    const first = await database.writer('first');
    const second = await database.writer('second');
    const lock = async (writer: typeof first): Promise<boolean> => {
      const [row] = await writer.query<{ taken: boolean }>('lock', 'select pg_try_advisory_lock(7) as taken');
      return row?.taken === true;
    };
    expect(await lock(first)).toBe(true);
    expect(await lock(second)).toBe(false);
    await first.release();
    await expect(first.query('after', 'select 1')).rejects.toThrow();
    while (!(await lock(second)));
    await second.release();
  });
});
