import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Database } from '../database.js';
import { project, useDatabases } from '../test-database.js';
import { FIRST_AT, TestLog } from '../test-log.js';
import { roomHistory } from '../timeline/queries.js';
import { getMember, listMembers, membershipPeriods } from './queries.js';

const databases = useDatabases();

// Where batches are cut must not matter: alone, in pairs, all together.
describe.each([1, 2, 100])('members, in batches of %i', (batch) => {
  let database: Database;
  const log = new TestLog(1);
  beforeAll(async () => {
    log.room('r', 'ann'); // 1, 2
    log.join('r', 'bob'); // 3
    log.member('r', 'bob', 'MemberChanged', { standing: 'member', role: 'moderator', muted: true }); // 4
    log.join('r', 'cid'); // 5
    log.leave('r', 'cid'); // 6
    log.member('r', 'dan', 'MemberInvited', { standing: 'invited' }); // 7
    log.join('r', 'cid'); // 8
    log.member('r', 'cid', 'MemberRemoved', { standing: 'removed', banned: true }); // 9
    log.member('r', 'eve', 'MemberInvited', { standing: 'invited' }); // 10
    log.leave('r', 'eve'); // 11
    log.join('r', 'dan'); // 12
    database = await databases.fresh();
    await project(database, log, { batch });
  });
  const at = (seq: number): string => new Date(FIRST_AT + seq * 1_000).toISOString();

  test('those who are in are listed as they came', async () => {
    expect(await listMembers(database, 'r')).toEqual([
      { userId: 'ann', username: 'ann', displayName: 'ann', role: 'owner', muted: false, joinedAt: at(2) },
      { userId: 'bob', username: 'bob', displayName: 'bob', role: 'moderator', muted: true, joinedAt: at(3) },
      { userId: 'dan', username: 'dan', displayName: 'dan', role: 'member', muted: false, joinedAt: at(12) },
    ]);
  });

  test('a membership is known whatever its standing', async () => {
    expect(await getMember(database, 'r', 'cid')).toEqual({
      userId: 'cid',
      standing: 'removed',
      role: 'member',
      muted: false,
      banned: true,
      seq: 9,
      joinedAt: at(8),
    });
    expect(await getMember(database, 'r', 'eve')).toMatchObject({ standing: 'left', joinedAt: undefined });
    expect(await getMember(database, 'r', 'nobody')).toBeUndefined();
  });

  test('the periods of a membership have both of their ends', async () => {
    expect(await membershipPeriods(database, 'r', 'bob')).toEqual([{ from: 3, to: undefined }]);
    expect(await membershipPeriods(database, 'r', 'cid')).toEqual([
      { from: 5, to: 6 },
      { from: 8, to: 9 },
    ]);
    expect(await membershipPeriods(database, 'r', 'eve')).toEqual([]);
  });

  test('history shows who came and went, not who was invited, muted, or declined', async () => {
    const history = await roomHistory(database, 'r', 50);
    expect(history.map(({ kind, seq, userId }) => [kind, seq, userId])).toEqual([
      ['join', 2, 'ann'],
      ['join', 3, 'bob'],
      ['join', 5, 'cid'],
      ['leave', 6, 'cid'],
      ['join', 8, 'cid'],
      ['leave', 9, 'cid'],
      ['join', 12, 'dan'],
    ]);
    expect((await roomHistory(database, 'r', 2)).map(({ seq }) => seq)).toEqual([9, 12]);
  });
});
