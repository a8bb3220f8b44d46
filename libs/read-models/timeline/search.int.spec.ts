import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Database } from '../database.js';
import { memberIdsOf } from '../members/queries.js';
import { readableRoom, visibleRoom } from '../rooms/access.js';
import { countRooms, listRooms } from '../rooms/queries.js';
import { project, useDatabases } from '../test-database.js';
import { TestLog } from '../test-log.js';
import { searchRoom, searchRoomsOf } from './search.js';

const databases = useDatabases();

let database: Database;
beforeAll(async () => {
  const log = new TestLog(2);
  log.room('tea', 'ann', { name: 'Tea' });
  log.room('den', 'ann', { name: 'Den', isPrivate: true });
  log.room('old', 'ann', { name: 'Old', archived: true });
  log.join('tea', 'ben', 'cleo');
  log.leave('tea', 'cleo');
  log.say('tea', 'ann', 'Grüße aus KÖLN, 100% Tee_');
  log.say('tea', 'ben', '今天天气很好');
  log.say('den', 'ann', 'grüße, aber leise');
  log.say('tea', 'ann', 'noch mehr Grüße');
  database = await databases.fresh();
  await project(database, log);
});

const texts = (found: readonly { content: string }[]): string[] => found.map(({ content }) => content);

describe('a search', () => {
  test('finds any part of a message, in any case, the newest first', async () => {
    expect(texts(await searchRoom(database, 'tea', 'GRÜSSE', 10))).toEqual([]);
    expect(texts(await searchRoom(database, 'tea', 'grüße', 10))).toEqual([
      'noch mehr Grüße',
      'Grüße aus KÖLN, 100% Tee_',
    ]);
    expect(texts(await searchRoom(database, 'tea', 'köln', 10))).toHaveLength(1);
    expect(texts(await searchRoom(database, 'tea', 'grüße', 1))).toEqual(['noch mehr Grüße']);
  });

  test('needs no spaces between words', async () => {
    expect(texts(await searchRoom(database, 'tea', '天气', 10))).toEqual(['今天天气很好']);
  });

  test('takes signs for what they are, however they are composed', async () => {
    expect(texts(await searchRoom(database, 'tea', '100%', 10))).toHaveLength(1);
    expect(texts(await searchRoom(database, 'tea', '1%0', 10))).toEqual([]);
    expect(texts(await searchRoom(database, 'tea', 'Tee_', 10))).toHaveLength(1);
    expect(texts(await searchRoom(database, 'tea', "'; drop table", 10))).toEqual([]);
    expect(texts(await searchRoom(database, 'tea', 'gru\u0308ße', 10))).toHaveLength(2);
  });

  test('in all rooms is one in those that the user is in', async () => {
    const rooms = async (user: string) =>
      (await searchRoomsOf(database, user, 'grüße', 10)).map(({ roomId }) => roomId);
    expect(await rooms('ann')).toEqual(['tea', 'den', 'tea']);
    expect(await rooms('ben')).toEqual(['tea', 'tea']);
    expect(await rooms('cleo')).toEqual([]);
    expect(await searchRoomsOf(database, 'ann', 'grüße', 1)).toHaveLength(1);
  });
});

describe('rooms', () => {
  test('are counted as they are listed', async () => {
    for (const viewer of ['ann', 'ben', undefined]) {
      const { items } = await listRooms(database, viewer, { limit: 100 });
      expect(await countRooms(database, viewer)).toBe(items.length);
    }
    expect(await countRooms(database, 'ann')).toBe(2);
    expect(await countRooms(database, undefined)).toBe(1);
  });

  test('name their first members, in the order in which they came', async () => {
    const members = await memberIdsOf(database, ['tea', 'den', 'nowhere'], 10);
    expect(Object.fromEntries(members)).toEqual({ tea: ['ann', 'ben'], den: ['ann'], nowhere: [] });
    expect((await memberIdsOf(database, ['tea'], 1)).get('tea')).toEqual(['ann']);
  });

  test('that are private do not exist for others; the history of public ones is for members and guests', async () => {
    await expect(visibleRoom(database, 'den', 'ben')).rejects.toThrow('room not found');
    await expect(visibleRoom(database, 'den', undefined)).rejects.toThrow('room not found');
    await expect(visibleRoom(database, 'nowhere', 'ann')).rejects.toThrow('room not found');
    await expect(visibleRoom(database, 'den', 'ann')).resolves.toMatchObject({ isMember: true, room: { id: 'den' } });
    await expect(visibleRoom(database, 'tea', 'cleo')).resolves.toMatchObject({ isMember: false });
    await expect(readableRoom(database, 'tea', 'cleo')).rejects.toThrow('user is not a member of this room');
    await expect(readableRoom(database, 'tea', undefined)).resolves.toMatchObject({ id: 'tea' });
  });
});
