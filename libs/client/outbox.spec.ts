import { expect, test } from '@jest/globals';
import { LimitError } from './errors.js';
import { Outbox, REQUESTS_MAX } from './outbox.js';

test('an application that asks for more than may wait is told so; what waits goes on', async () => {
  const outbox = new Outbox();
  const asked = Array.from({ length: REQUESTS_MAX }, (_, i) => outbox.add(`room ${i}`, { op: 'send' }));
  await expect(outbox.add('room', { op: 'send' })).rejects.toThrow(LimitError);
  for (const { id } of outbox.due(0)) outbox.acknowledged({ op: 'ack', id });
  expect(await Promise.all(asked)).toHaveLength(REQUESTS_MAX);
  const next = outbox.add('room', { op: 'send' });
  outbox.due(0).forEach(({ id }) => outbox.acknowledged({ op: 'ack', id }));
  expect(await next).toMatchObject({ op: 'ack' });
});
