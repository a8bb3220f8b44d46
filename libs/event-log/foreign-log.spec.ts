/** What stands on a broker under the names of our streams may be anybody's: it is a log of ours, or refused in words that can be acted on. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCursor, STREAM_METADATA } from '#contract';
import { checkStreams, type Finding } from './open.js';
import { streamConfig, type StreamConfig } from './streams.js';

const SHAPE = { partitions: 2 };
const complete = { [STREAM_METADATA.complete]: 'true' };
const ours = (partition: number, metadata: Record<string, string> = {}): StreamConfig => {
  const config = streamConfig(partition, SHAPE, 'e1');
  return { ...config, metadata: { ...config.metadata, ...metadata } };
};
const found = (first: StreamConfig): Finding => checkStreams([first, ours(1)], SHAPE);

test('a log of ours is opened with its epoch', () => {
  expect(found(ours(0, complete))).toEqual({ epoch: 'e1', restoredAt: 0 });
  expect(found(ours(0, { ...complete, [STREAM_METADATA.restoredAt]: '1790000000000' }))).toMatchObject({
    restoredAt: 1_790_000_000_000,
  });
});

describe('what is none of ours is refused in words', () => {
  test('a stream of somebody else', () => {
    const { metadata, ...foreign } = ours(0);
    expect(metadata).toBeDefined();
    expect(found(foreign).mismatch).toMatch(/^CHAT_0 is no stream of a Parley log/);
    expect(checkStreams([ours(0, complete), { ...foreign, name: 'CHAT_1' }], SHAPE).mismatch).toMatch(/^CHAT_1 is no/);
  });

  test.each([
    ['partitions', 'many'],
    ['partitions', '0x2'],
    ['epoch', ''],
    ['epoch', 'e 1'],
    ['restoredAt', 'yesterday'],
    ['restoredAt', '-1'],
  ] as const)('%s that says %j', (name, value) => {
    expect(found(ours(0, { ...complete, [STREAM_METADATA[name]]: value })).mismatch).toContain(
      `${STREAM_METADATA[name]} is ${JSON.stringify(value)}`,
    );
  });
});

test('whatever it says of itself, it is opened with an epoch that cursors can name, or refused, or not whole yet', () => {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('e1', '2', '1', 'true', '1790000000000') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  );
  const metadata = fc.dictionary(fc.constantFrom(...Object.values(STREAM_METADATA)), value);
  fc.assert(
    fc.property(metadata, metadata, (one, other) => {
      const { epoch, restoredAt, mismatch } = checkStreams([ours(0, one), ours(1, other)], SHAPE);
      if (mismatch !== undefined) expect(mismatch).not.toMatch(/NaN|undefined|^\s*$/);
      else if (epoch === undefined) expect(one[STREAM_METADATA.complete]).not.toBe('true');
      else {
        expect(parseCursor(`${epoch}.0`)).toEqual({ epoch, seqs: [0] });
        expect(Number.isSafeInteger(restoredAt)).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});
