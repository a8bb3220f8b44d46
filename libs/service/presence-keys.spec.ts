import { expect, test } from '@jest/globals';
import { keysOf } from './presence.js';

test('a gateway whose lease is renewed while the leases are listed counts once', async () => {
  async function* listed() {
    await Promise.resolve();
    yield* ['one', 'two', 'one'];
  }
  const bucket = { keys: () => Promise.resolve(Object.assign(listed(), { stop: () => undefined })) };
  expect(await keysOf(bucket as unknown as Parameters<typeof keysOf>[0])).toEqual(['one', 'two']);
});
