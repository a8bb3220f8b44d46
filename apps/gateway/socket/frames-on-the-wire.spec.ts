import type { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import * as ws from 'ws';
import { PLAIN, textFrame, textFrames } from './frames-on-the-wire.js';

/** What `ws` reads frames with; its types leave it out. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** Reads frames as a client of `ws` does. */
async function read(bytes: Buffer): Promise<unknown[]> {
  const receiver = new Receiver({ isServer: false });
  const texts: unknown[] = [];
  receiver.on('message', (data: Buffer) => texts.push(JSON.parse(data.toString())));
  await new Promise<void>((resolve) => receiver.write(bytes, () => resolve()));
  return texts;
}

// Lengths around those at which the header changes (125, 65535), two of which are the quotes.
test.each([0, 123, 124, 65_533, 65_534, 200_000])(
  'a text of %p bytes arrives as it was, frames joined',
  async (bytes) => {
    const text = 'ü'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2);
    expect(await read(Buffer.concat([textFrame(text), textFrame({ n: 2 })]))).toEqual([text, { n: 2 }]);
  },
);

test('plain sockets know participant channels only', () => {
  expect(PLAIN.readsRoom('dm_abc')).toBe(true);
  expect(PLAIN.readsRoom('room1')).toBe(false);
});

test('several frames in one buffer are the same bytes as one by one', () => {
  const values = ['', 'x'.repeat(121), 'x'.repeat(122), 'é'.repeat(100), 'x'.repeat(66_000), 'end'].map((text) => ({
    text,
  }));
  expect(textFrames(values)).toEqual(Buffer.concat(values.map(textFrame)));
  expect(textFrames([])).toHaveLength(0);
});
