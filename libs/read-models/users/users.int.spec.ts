import { expect, test } from '@jest/globals';
import { userToken } from '#contract';
import { listMembers } from '../members/queries.js';
import { project, useDatabases } from '../test-database.js';
import { FIRST_AT, TestLog } from '../test-log.js';
import { getUser, getUsers } from './queries.js';

const databases = useDatabases();
const FOREIGN = 'auth0|Ünal@example.com';

test('a user is what account, profile and status say, the latest first', async () => {
  const database = await databases.fresh();
  const log = new TestLog(1);
  log.room('r', 'ann');
  log.join('r', FOREIGN, 'cid');
  log.add(log.subjects.status('ann'), 'ann', {
    type: 'StatusChanged',
    data: { online: true, status: { mood: 'old' } },
  });
  log.add(log.subjects.status('ann'), 'ann', { type: 'StatusChanged', data: { status: { mood: 'new' } } });
  log.add(log.subjects.profile('ann'), 'ann', {
    type: 'ProfileChanged',
    data: { username: 'Ann', displayName: 'Ann Smith', avatarUrl: 'https://example.com/a.png' },
  });
  log.add(log.subjects.status(FOREIGN), FOREIGN, { type: 'StatusChanged', data: { online: false, status: {} } });
  await project(database, log, { batch: 4 });
  await database.source.query(
    `insert into accounts (user_id, username, username_key, email) values ('ann', 'ANN', 'ann', 'a@b'), ('cid', 'Cid', 'cid', 'c@d')`,
  );

  expect(await getUser(database, 'ann')).toEqual({
    id: 'ann',
    username: 'Ann',
    displayName: 'Ann Smith',
    avatarUrl: 'https://example.com/a.png',
    status: { mood: 'new' },
    statusAt: FIRST_AT + 6_000,
  });
  expect(await getUser(database, 'cid')).toMatchObject({ username: 'Cid', displayName: 'Cid', status: {} });
  expect(await getUser(database, FOREIGN)).toMatchObject({ id: FOREIGN, username: FOREIGN, statusOnline: false });
  expect(await getUser(database, userToken(FOREIGN))).toBeUndefined();
  expect(await getUser(database, 'nobody')).toBeUndefined();
  expect((await getUsers(database, ['ann', 'nobody', 'cid', 'ann'])).map(({ id }) => id).sort()).toEqual([
    'ann',
    'cid',
  ]);
  expect((await listMembers(database, 'r')).map(({ displayName }) => displayName)).toEqual([
    'Ann Smith',
    FOREIGN,
    'Cid',
  ]);
});
