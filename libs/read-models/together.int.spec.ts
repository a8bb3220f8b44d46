/** Queries that belong to one answer share a connection, and leave it to the next one as they found it. */
import { expect, test } from '@jest/globals';
import { useDatabases } from './test-database.js';

const databases = useDatabases();
const BACKEND = 'select pg_backend_pid() as pid';
const pidOf = ([row]: readonly { readonly pid: number }[]): number | undefined => row?.pid;

test('what is asked for together runs on one connection, and is answered in its order', async () => {
  const database = await databases.fresh();
  const answered: string[] = [];
  const pids = await database.together((db) =>
    Promise.all(
      ['slow', 'quick'].map(async (name, i) => {
        const rows = await db.query<{ pid: number }>(name, `${BACKEND}, pg_sleep($1)`, [i === 0 ? 0.05 : 0]);
        answered.push(name);
        return pidOf(rows);
      }),
    ),
  );
  expect(answered).toEqual(['slow', 'quick']);
  expect(new Set(pids).size).toBe(1);
});

test('where the work gives up, its connection goes to nobody before all is answered', async () => {
  const database = await databases.fresh();
  let isAnswered = false;
  const givenUp = database.together(async (db) => {
    const waiting = db.query('waiting', 'select pg_sleep($1)', [0.05]).then(() => (isAnswered = true));
    await Promise.all([waiting, Promise.reject(new Error('not needed any more'))]);
  });
  await expect(givenUp).rejects.toThrow('not needed any more');
  expect(isAnswered).toBe(true);
});

test('where a query fails, nobody gets its connection any more', async () => {
  const database = await databases.fresh();
  let pid: number | undefined;
  const wrong = database.together(async (db) => {
    pid = pidOf(await db.query<{ pid: number }>('backend', BACKEND));
    await db.query('wrong', 'select 1 / $1::int', [0]);
  });
  await expect(wrong).rejects.toThrow('division by zero');
  const after = await Promise.all(Array.from({ length: 12 }, () => database.query<{ pid: number }>('who', BACKEND)));
  expect(after.map(pidOf)).not.toContain(pid);
});
