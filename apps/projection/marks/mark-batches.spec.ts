/** Marks while the database does not answer. */
import { expect, test } from '@jest/globals';
import { type MarkReply, messageId } from '#contract';
import type { Database } from '#read-models';
import { MarkBatches, MARKS_WAITING_MAX, type MarksPort } from './mark-batches.js';

test('as many wait as may; the next one is refused for now, and afterwards it goes on', async () => {
  let answer: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (answer = resolve));
  const database = {
    query: async (_name: string, _sql: string, [users]: readonly [string[]]) => {
      await stopped;
      return users.map(() => ({ known: true, is_private: false, member: true, ordinal: 1, read_ordinal: 1 }));
    },
  } as unknown as Database;
  const positions = { includes: () => true };
  const marks = new MarkBatches({ database, positions, log: {}, onMoved: () => undefined } as unknown as MarksPort);
  const mark = (i: number): Promise<MarkReply> =>
    marks.answer({ userId: `u${i}`, roomId: 'den', messageId: messageId({ partition: 0, seq: 7 }), kind: 'read' });
  const waiting = Array.from({ length: MARKS_WAITING_MAX }, (_, i) => mark(i));
  expect(await mark(MARKS_WAITING_MAX)).toMatchObject({ refused: { code: 'unavailable', retryMs: 1_000 } });
  answer();
  for (const reply of await Promise.all(waiting)) expect(reply).toEqual({ ok: { ordinal: 1 } });
  expect(await mark(1)).toEqual({ ok: { ordinal: 1 } });
});
