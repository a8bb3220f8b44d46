import { beforeAll, describe, expect, test } from '@jest/globals';
import { messageId } from '#contract';
import type { Database } from '../database.js';
import { project, useDatabases } from '../test-database.js';
import { FIRST_AT, TestLog } from '../test-log.js';
import { countMessages, getMessage, pageMessages, pageMessagesByOffset, roomHistory } from './queries.js';

const databases = useDatabases();

describe('timeline', () => {
  let database: Database;
  const log = new TestLog(1);
  const ids: string[] = [];
  beforeAll(async () => {
    log.room('r', 'ann');
    log.join('r', 'bob');
    for (let i = 1; i <= 5; i++) ids.push(log.say('r', i % 2 === 1 ? 'ann' : 'bob', `text ${i} "\\{}',ü`));
    log.room('other', 'ann');
    log.say('other', 'ann', 'elsewhere');
    log.add(log.subjects.timeline('r'), 'bob', {
      type: 'MessageSent',
      data: { content: 'rich', type: 'file', metadata: { a: 'b', '"': '\\' }, mentions: ['ann'], replyTo: ids[0] },
    });
    database = await databases.fresh();
    await project(database, log, { batch: 2 });
  });
  const texts = (items: readonly { content: string }[]): string[] => items.map(({ content }) => content.slice(0, 6));

  test('a message is shown with all that was sent, its place and its time', async () => {
    expect(await getMessage(database, 'r', messageId({ partition: 0, seq: 12 }))).toEqual({
      id: messageId({ partition: 0, seq: 12 }),
      roomId: 'r',
      seq: 12,
      ordinal: 6,
      sender: 'bob',
      content: 'rich',
      type: 'file',
      metadata: { a: 'b', '"': '\\' },
      mentions: ['ann'],
      replyTo: ids[0],
      reactions: {},
      editedAt: null,
      deletedAt: null,
      createdAt: new Date(FIRST_AT + 12_000).toISOString(),
    });
    expect((await getMessage(database, 'r', ids[0]!))?.content).toBe(`text 1 "\\{}',ü`);
  });

  test('a message of another room, or of none, is not found', async () => {
    expect(await getMessage(database, 'other', ids[0]!)).toBeUndefined();
    expect(await getMessage(database, 'r', 'msg_1')).toBeUndefined();
    expect(await getMessage(database, 'r', 'nonsense')).toBeUndefined();
  });

  test.each(['asc', 'desc'] as const)('pages %s hold every message once', async (order) => {
    const seen: string[] = [];
    let cursor: string | undefined;
    for (;;) {
      const page = await pageMessages(database, 'r', { limit: 4, order, cursor });
      seen.push(...texts(page.items));
      if (page.next === null) break;
      cursor = page.next;
    }
    const expected = ['text 1', 'text 2', 'text 3', 'text 4', 'text 5', 'rich'];
    expect(seen).toEqual(order === 'asc' ? expected : expected.toReversed());
  });

  test('before and after bound a page, and its cursor keeps them', async () => {
    const bounds = { before: ids[4], after: ids[0], order: 'desc' as const };
    const first = await pageMessages(database, 'r', { ...bounds, limit: 2 });
    expect(texts(first.items)).toEqual(['text 4', 'text 3']);
    const second = await pageMessages(database, 'r', { order: 'desc', limit: 2, cursor: first.next! });
    expect(texts(second.items)).toEqual(['text 2']);
    expect(second.next).toBeNull();
    await expect(pageMessages(database, 'r', { limit: 2, order: 'asc', before: 'x' })).rejects.toMatchObject({
      code: 'message_not_found',
    });
  });

  test('offsets count from the oldest or from the newest', async () => {
    const page = (offset: number, order: 'asc' | 'desc') =>
      pageMessagesByOffset(database, 'r', { offset, limit: 2, order }).then(texts);
    expect(await page(0, 'asc')).toEqual(['text 1', 'text 2']);
    expect(await page(5, 'asc')).toEqual(['rich']);
    expect(await page(6, 'asc')).toEqual([]);
    expect(await page(1, 'desc')).toEqual(['text 5', 'text 4']);
    expect(await page(6, 'desc')).toEqual([]);
    expect(await pageMessagesByOffset(database, 'nowhere', { offset: 0, limit: 2, order: 'asc' })).toEqual([]);
    expect(await countMessages(database, 'r')).toBe(6);
    expect(await countMessages(database, 'nowhere')).toBe(0);
  });

  test('history is the last messages, joins and leaves, oldest first', async () => {
    expect(await roomHistory(database, 'r', 3)).toEqual([
      {
        kind: 'message',
        seq: 7,
        userId: 'bob',
        username: 'bob',
        text: expect.stringMatching(/^text 4/),
        at: expect.any(Number),
      },
      {
        kind: 'message',
        seq: 8,
        userId: 'ann',
        username: 'ann',
        text: expect.stringMatching(/^text 5/),
        at: expect.any(Number),
      },
      { kind: 'message', seq: 12, userId: 'bob', username: 'bob', text: 'rich', at: FIRST_AT + 12_000 },
    ]);
    expect((await roomHistory(database, 'r', 50)).map(({ kind }) => kind).slice(0, 3)).toEqual([
      'join',
      'join',
      'message',
    ]);
  });
});
