import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Database, Db } from './database.js';
import { inboxOf } from './inbox/queries.js';
import { findKey } from './keys/queries.js';
import { writeMarks } from './marks/marks.js';
import { getMember, listMembers, memberIdsOf, membershipPeriods } from './members/queries.js';
import { checkpointOf } from './positions/checkpoints.js';
import { getRoom, listRooms, roomAnchor, roomsOfUser } from './rooms/queries.js';
import { useDatabases } from './test-database.js';
import { countMessages, getMessage, pageMessages, pageMessagesByOffset, roomHistory } from './timeline/queries.js';
import { searchRoom, searchRoomsOf } from './timeline/search.js';
import { getUsers } from './users/queries.js';

const databases = useDatabases();

/** Filled with SQL: 2,000 rooms, 20,000 users, 40,000 memberships, 60,000 messages. */
const FILL = [
  `insert into rooms select 'room-' || n, n % 4, n, 'room', 'Room ' || n, 'room ' || n, '', n % 10 = 0, false, 100, '{}', null, 'user-1', n
   from generate_series(1, 2000) n`,
  `insert into room_tails select 'room-' || n, n % 4, 30, n * 30, n, 20, n from generate_series(1, 2000) n`,
  `insert into members select 'room-' || (n % 2000 + 1), 'user-' || (n % 20000), 0, n, 'member', 'member', false, false, n, 0, 0
   from generate_series(1, 40000) n on conflict do nothing`,
  `insert into member_periods select room_id, user_id, seq, 0, seq, null, null from members`,
  `insert into messages select 'room-' || (n % 2000 + 1), n, 0, n / 2000 + 1, n, 'user-' || (n % 20000), 'text', 'text ' || n, null, null, null
   from generate_series(1, 60000) n`,
  `insert into message_keys select 'key-' || n, 0, n, 'body' from generate_series(1, 60000) n`,
  `insert into profiles select 'user-' || n, 0, n, 'name', '', '' from generate_series(1, 20000) n`,
  `insert into statuses select 'user-' || n, 0, n, null, '{}', n from generate_series(1, 20000) n`,
  `insert into accounts select 'user-' || n, 'name', 'name ' || n, 'mail ' || n from generate_series(1, 20000) n`,
  `insert into marks select user_id, room_id, 0, 1, 1, 1, 1 from members limit 20000`,
  `insert into checkpoints select 'rooms', n, 'epoch', 1, 1 from generate_series(0, 3) n`,
  'analyze',
];

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Plan[];
}

const wholeReads = (plan: Plan): string[] => [
  ...(plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? '?'] : []),
  ...(plan.Plans ?? []).flatMap(wholeReads),
];

describe('hot queries', () => {
  let database: Database;
  beforeAll(async () => {
    database = await databases.fresh();
    for (const statement of FILL) await database.source.query(statement);
  });

  /** Runs every statement as the plan that PostgreSQL would keep for it, and collects the tables that it would read whole. */
  const explaining = (found: string[]): Db => ({
    query: async <R extends object>(_name: string, sql: string, params: readonly unknown[] = []) => {
      const rows: { 'QUERY PLAN': [{ Plan: Plan }] }[] = await database.source.query(`explain (format json) ${sql}`, [
        ...params,
      ]);
      found.push(...wholeReads(rows[0]!['QUERY PLAN'][0].Plan).filter((table) => table !== 'checkpoints'));
      return database.query<R>(`plain ${_name}`.slice(0, 63), sql, params);
    },
  });

  const id = 'msg_61440';
  const queries: Record<string, (db: Db) => Promise<unknown>> = {
    getRoom: (db) => getRoom(db, 'room-5'),
    listRooms: (db) => listRooms(db, 'user-5', { limit: 50 }),
    roomsOfUser: (db) => roomsOfUser(db, 'user-5'),
    roomAnchor: (db) => roomAnchor(db, 'room-5', 40_000),
    listMembers: (db) => listMembers(db, 'room-5'),
    memberIdsOf: (db) => memberIdsOf(db, ['room-5', 'room-6'], 10),
    getMember: (db) => getMember(db, 'room-6', 'user-5'),
    membershipPeriods: (db) => membershipPeriods(db, 'room-5', 'user-5'),
    pageMessages: (db) => pageMessages(db, 'room-5', { limit: 10, order: 'desc' }),
    pageMessagesAscending: (db) => pageMessages(db, 'room-5', { limit: 10, order: 'asc', after: id }),
    pageMessagesByOffset: (db) => pageMessagesByOffset(db, 'room-5', { offset: 5, limit: 10, order: 'desc' }),
    getMessage: (db) => getMessage(db, 'room-61', id),
    countMessages: (db) => countMessages(db, 'room-5'),
    roomHistory: (db) => roomHistory(db, 'room-5', 50),
    searchRoom: (db) => searchRoom(db, 'room-5', 'text 4', 10),
    searchRoomsOf: (db) => searchRoomsOf(db, 'user-5', 'text 4', 10),
    inboxOf: (db) => inboxOf(db, 'user-5', { limit: 50 }),
    getUsers: (db) => getUsers(db, ['user-5', 'user-6', 'nobody']),
    findKey: (db) => findKey(db, 0, 'key-5'),
    checkpointOf: (db) => checkpointOf(db, 0),
    writeMarks: (db) => writeMarks(db, [{ userId: 'user-5', roomId: 'room-6', partition: 0, seq: 5, kind: 'read' }]),
  };

  test.each(Object.keys(queries))('%s reads no table whole', async (name) => {
    const found: string[] = [];
    const answer = await queries[name]!(explaining(found));
    expect(found).toEqual([]);
    expect(answer).toBeDefined();
  });
});
