import { beforeAll, describe, expect, test } from '@jest/globals';
import type { RoomState } from '#contract';
import type { Database } from '../database.js';
import { project, useDatabases } from '../test-database.js';
import { FIRST_AT, TestLog } from '../test-log.js';
import { getRoom, listRooms, roomAnchor, roomsOfUser } from './queries.js';

const databases = useDatabases();

describe('rooms', () => {
  let database: Database;
  const log = new TestLog();
  beforeAll(async () => {
    log.room('general', 'ann', { name: 'General', settings: { topic: 'all' } });
    log.roster('general', 1);
    log.join('general', 'bob');
    log.roster('general', 2);
    log.room('secret', 'ann', { name: 'Secret', isPrivate: true });
    log.room('attic', 'ann', { name: 'Attic' });
    log.changeRoom('attic', 'ann', { ...stateOf('attic'), name: 'Attic', archived: true });
    log.room('dm_1', 'ann', { kind: 'channel', name: '', isPrivate: true, participants: ['ann', 'bob'] });
    log.room('lobby', 'bob', { name: 'lobby, älter' });
    database = await databases.fresh();
    await project(database, log, { batch: 3 });
  });
  const stateOf = (name: string): RoomState => ({
    kind: 'room',
    name,
    description: '',
    isPrivate: false,
    maxMembers: 100,
    settings: {},
    createdBy: 'ann',
    archived: false,
  });

  test('a room is shown as its last config and roster say, with the time of the first', async () => {
    expect(await getRoom(database, 'general')).toEqual({
      id: 'general',
      kind: 'room',
      name: 'General',
      description: '',
      isPrivate: false,
      maxMembers: 100,
      memberCount: 2,
      settings: { topic: 'all' },
      createdBy: 'ann',
      createdAt: new Date(FIRST_AT + 1_000).toISOString(),
      archived: false,
    });
    expect(await getRoom(database, 'attic')).toMatchObject({ archived: true, name: 'Attic' });
    expect(await getRoom(database, 'dm_1')).toMatchObject({ kind: 'channel', participants: ['ann', 'bob'] });
    expect(await getRoom(database, 'nowhere')).toBeUndefined();
  });

  test('lists hold public rooms and the own private ones, by name, page by page', async () => {
    const names = async (viewer?: string, q?: string) =>
      (await listRooms(database, viewer, { limit: 10, q })).items.map(({ id }) => id);
    expect(await names()).toEqual(['general', 'lobby']);
    expect(await names('ann')).toEqual(['general', 'lobby', 'secret']);
    expect(await names('bob')).toEqual(['general', 'lobby']);
    expect(await names('ann', 'ÄLT')).toEqual(['lobby']);
    expect(await names('ann', '%')).toEqual([]);

    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listRooms(database, 'ann', { limit: 1, cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(['general', 'lobby', 'secret']);
  });

  test.each([
    'x',
    'bm9uc2Vuc2U',
    Buffer.from('["a"]').toString('base64url'),
    Buffer.from('["a\\u0000","b"]').toString('base64url'),
  ])('a cursor that we did not make is refused: %s', async (cursor) => {
    await expect(listRooms(database, 'ann', { limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  test('the rooms of a user come with the checkpoints of the same moment', async () => {
    const { rooms, checkpoints, epoch } = await roomsOfUser(database, 'bob');
    expect(epoch).toBe('epoch');
    expect(checkpoints).toEqual(log.entries.map((entries) => entries.length));
    expect(rooms.map(({ roomId, role }) => [roomId, role])).toEqual([
      ['general', 'member'],
      ['lobby', 'owner'],
    ]);
    const channels = (await roomsOfUser(database, 'ann')).rooms.filter(({ kind }) => kind === 'channel');
    expect(channels).toEqual([expect.objectContaining({ roomId: 'dm_1', participants: ['ann', 'bob'], lastSeq: 0 })]);
    expect((await roomsOfUser(database, 'nobody')).rooms).toEqual([]);
  });

  test('an anchor is the newest message up to a sequence', async () => {
    const other = new TestLog(1);
    other.room('r', 'ann');
    other.say('r', 'ann', 'one');
    other.join('r', 'bob');
    other.say('r', 'ann', 'two');
    const fresh = await databases.fresh();
    await project(fresh, other);
    expect(await roomAnchor(fresh, 'r', 2)).toEqual({ seq: 0, ordinal: 0 });
    expect(await roomAnchor(fresh, 'r', 4)).toEqual({ seq: 3, ordinal: 1 });
    expect(await roomAnchor(fresh, 'r', 99)).toEqual({ seq: 5, ordinal: 2 });
    expect(await roomAnchor(fresh, 'other', 99)).toBeUndefined();
    expect((await roomsOfUser(fresh, 'bob')).rooms[0]).toMatchObject({ lastSeq: 5, lastOrdinal: 2, memberSeq: 4 });
  });
});
