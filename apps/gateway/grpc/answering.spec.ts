/** As many calls as a gateway answers. */
import { EventEmitter } from 'node:events';
import { type handleUnaryCall, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import { calls, CALLS_MAX, unary } from './answering.js';

class Call extends EventEmitter {
  readonly metadata = new Metadata();
  readonly cancelled = false;
  readonly request = {};
  readonly getDeadline = (): number => Number.POSITIVE_INFINITY;
}

test('the next one is refused with a hint; those under way are answered, and it goes on', async () => {
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  const handler = unary(async () => {
    await held;
    return { done: true };
  });
  const ask = (): Promise<unknown> =>
    new Promise((resolve) => {
      const call = new Call() as unknown as Parameters<handleUnaryCall<object, object>>[0];
      handler(call, (error, value) => resolve(error ?? value));
    });
  const asked = Array.from({ length: CALLS_MAX }, ask);
  const refused = (await ask()) as StatusObject;
  expect(refused).toMatchObject({ code: status.UNAVAILABLE, details: 'too many calls at once' });
  expect(refused.metadata.get('grpc-retry-pushback-ms')).toEqual(['1000']);
  go();
  for (const value of await Promise.all(asked)) expect(value).toEqual({ done: true });
  expect(await ask()).toEqual({ done: true });
  expect(calls.busy).toBe(0);
});
