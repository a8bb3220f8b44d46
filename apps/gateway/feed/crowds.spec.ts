/** Many who come into one room at once. */
import { afterEach, expect, test } from '@jest/globals';
import { LIMITS } from '#contract';
import type { EventLog } from '#event-log';
import type { MemoryLog } from '#event-log/memory';
import { TestFeed, type TestReader, Writing } from './test-feed.js';

const PEOPLE = 400;

let t: TestFeed | undefined;
afterEach(() => t?.stop());

/** The same log; counts the reads of all subjects of a room. */
function counting(log: MemoryLog, onRead: () => void): EventLog {
  return new Proxy<EventLog>(log, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (property === 'readSubject' && String(args[1]).endsWith('.>')) onRead();
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

const joiningsSeenBy = ({ frames }: TestReader): string[] =>
  frames.flatMap((frame) =>
    frame.op === 'event' && frame.type === 'member.joined' ? [String(frame.data['userId'])] : [],
  );

test('everybody has the room from their own joining on, and the log is read for all of them together', async () => {
  let reads = 0;
  t = await new TestFeed({ seen: (log) => counting(log, () => (reads += 1)) }).start();
  const writing = new Writing(t.log);
  await writing.room('a', 'zoe');
  const names = Array.from({ length: PEOPLE }, (_, i) => `user-${i}`);
  const readers: TestReader[] = [];
  for (const name of names) readers.push(await t.open(name));
  reads = 0;
  await Promise.all(names.map((name) => writing.join('a', name)));
  await t.settle();
  await writing.send('a', 'zoe', 'welcome');
  await t.settle();
  const order = joiningsSeenBy(readers[0]!);
  expect(new Set(order)).toEqual(new Set(names));
  for (const [i, reader] of readers.entries()) {
    expect(joiningsSeenBy(reader)).toEqual(order.slice(order.indexOf(names[i]!)));
    expect(reader.timeline('a')).toEqual(['welcome']);
  }
  expect(2 * PEOPLE).toBeGreaterThan(512);
  expect(PEOPLE).toBeLessThan(LIMITS.announcedMembers);
  expect(reads).toBeLessThan(PEOPLE / 10);
});
