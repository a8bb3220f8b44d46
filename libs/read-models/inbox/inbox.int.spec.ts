import { beforeEach, describe, expect, test } from '@jest/globals';
import { parseMessageId } from '#contract';
import type { Database } from '../database.js';
import { type MarkOutcome, writeMarks } from '../marks/marks.js';
import { project, useDatabases } from '../test-database.js';
import { TestLog } from '../test-log.js';
import { inboxOf } from './queries.js';

const databases = useDatabases();

describe('inbox', () => {
  let database: Database;
  let log: TestLog;
  beforeEach(async () => {
    database = await databases.fresh();
    log = new TestLog();
  });
  const unread = async (userId: string): Promise<Record<string, number>> => {
    const { items } = await inboxOf(database, userId, { limit: 100 });
    return Object.fromEntries(items.map((entry) => [entry.room.id, entry.unread]));
  };
  const mark = async (userId: string, roomId: string, id: string, kind: 'read' | 'delivered' = 'read') => {
    const position = parseMessageId(id)!;
    const [outcome] = await writeMarks(database, [{ userId, roomId, ...position, kind }]);
    return outcome as MarkOutcome;
  };

  test('unread is what stands after the join, the own last message and the read mark', async () => {
    log.room('r', 'ann');
    log.say('r', 'ann', 'one');
    log.join('r', 'bob');
    const two = log.say('r', 'ann', 'two');
    log.say('r', 'ann', 'three');
    await project(database, log);
    expect(await unread('bob')).toEqual({ r: 2 });
    expect(await unread('ann')).toEqual({ r: 0 });

    expect(await mark('bob', 'r', two)).toEqual({ kind: 'marked', ordinal: 2, moved: true });
    expect(await unread('bob')).toEqual({ r: 1 });

    log.say('r', 'bob', 'four');
    log.say('r', 'ann', 'five');
    await project(database, log);
    expect(await unread('bob')).toEqual({ r: 1 });
    expect(await unread('ann')).toEqual({ r: 0 });
  });

  test('who comes back has not missed what was said in between', async () => {
    log.room('r', 'ann');
    log.join('r', 'bob');
    log.leave('r', 'bob');
    log.say('r', 'ann', 'one');
    await project(database, log);
    expect(await unread('bob')).toEqual({});
    log.join('r', 'bob');
    log.say('r', 'ann', 'two');
    await project(database, log);
    expect(await unread('bob')).toEqual({ r: 1 });
  });

  test('a mark never goes back, and a read message counts as delivered', async () => {
    log.room('r', 'ann');
    log.join('r', 'bob');
    const [one, two] = [log.say('r', 'ann', 'one'), log.say('r', 'ann', 'two')];
    await project(database, log);
    await mark('bob', 'r', two);
    expect(await mark('bob', 'r', one)).toEqual({ kind: 'marked', ordinal: 2, moved: false });
    expect(await mark('bob', 'r', one, 'delivered')).toEqual({ kind: 'marked', ordinal: 2, moved: false });
    expect((await inboxOf(database, 'bob', { limit: 1 })).items[0]).toMatchObject({ unread: 0, readUpTo: two });
  });

  test('a delivered mark leaves the message unread', async () => {
    log.room('r', 'ann');
    log.join('r', 'bob');
    const one = log.say('r', 'ann', 'one');
    await project(database, log);
    expect(await mark('bob', 'r', one, 'delivered')).toEqual({ kind: 'marked', ordinal: 1, moved: true });
    expect((await inboxOf(database, 'bob', { limit: 1 })).items[0]).toMatchObject({ unread: 1, readUpTo: null });
  });

  test('marks of one batch are answered one by one, in their order', async () => {
    log.room('r', 'ann');
    log.join('r', 'bob');
    log.room('private', 'ann', { isPrivate: true });
    const [one, two] = [log.say('r', 'ann', 'one'), log.say('r', 'ann', 'two')].map((id) => parseMessageId(id)!);
    const hidden = parseMessageId(log.say('private', 'ann', 'psst'))!;
    await project(database, log);
    const kind = 'read';
    const outcomes = await writeMarks(database, [
      { userId: 'bob', roomId: 'r', ...two!, kind },
      { userId: 'bob', roomId: 'r', ...one!, kind },
      { userId: 'cid', roomId: 'r', ...one!, kind },
      { userId: 'bob', roomId: 'r', partition: one!.partition, seq: 999, kind },
      { userId: 'bob', roomId: 'private', ...hidden, kind },
      { userId: 'bob', roomId: 'nowhere', ...one!, kind },
    ]);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual([
      'marked',
      'marked',
      'not_member',
      'message_not_found',
      'room_not_found',
      'room_not_found',
    ]);
    expect(outcomes.slice(0, 2)).toEqual([
      expect.objectContaining({ ordinal: 2 }),
      expect.objectContaining({ ordinal: 2 }),
    ]);
  });

  test('rooms come newest first, with their last message, page by page', async () => {
    for (const roomId of ['a', 'b', 'c', 'd']) {
      log.room(roomId, 'ann');
      log.join(roomId, 'bob');
    }
    log.room('empty', 'bob', { kind: 'channel', participants: ['bob'], isPrivate: true });
    for (const roomId of ['c', 'a', 'd', 'b', 'a']) log.say(roomId, 'ann', `in ${roomId}`);
    await project(database, log);
    const seen: (string | undefined)[][] = [];
    let cursor: string | undefined;
    do {
      const page = await inboxOf(database, 'bob', { limit: 2, cursor });
      seen.push(...page.items.map(({ room, lastMessage }) => [room.id, lastMessage?.content]));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual([
      ['a', 'in a'],
      ['b', 'in b'],
      ['d', 'in d'],
      ['c', 'in c'],
      ['empty', undefined],
    ]);
  });
});
