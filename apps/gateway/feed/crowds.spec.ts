/** Many who come into one room, or go, at once. */
import { afterEach, expect, test } from '@jest/globals';
import { LIMITS } from '#contract';
import type { EventLog } from '#event-log';
import { withParts } from '#testing';
import { TestFeed, type TestReader, Writing } from './test-feed.js';

const PEOPLE = 400;

let t: TestFeed | undefined;
afterEach(() => t?.stop());

/** The same log; tells of each read of all subjects of a room. */
const counting = (log: EventLog, onRead: () => void): EventLog =>
  withParts(log, {
    readSubject: (partition, subject, range) => {
      if (subject.endsWith('.>')) onRead();
      return log.readSubject(partition, subject, range);
    },
  });

/** Whom a reader has seen come, or go, in the order in which it did. */
const seenBy = ({ frames }: TestReader, type: 'member.joined' | 'member.left'): string[] =>
  frames.flatMap((frame) => (frame.op === 'event' && frame.type === type ? [String(frame.data['userId'])] : []));

test('everybody has the room from their own coming to their own going, and the log is read for all of them together', async () => {
  let reads = 0;
  t = await new TestFeed({ seen: (log) => counting(log, () => (reads += 1)) }).start();
  const writing = new Writing(t.log);
  await writing.room('a', 'zoe');
  const zoe = await t.open('zoe');
  const names = Array.from({ length: PEOPLE }, (_, i) => `user-${i}`);
  const readers: TestReader[] = [];
  for (const name of names) readers.push(await t.open(name));
  reads = 0;
  await Promise.all(names.map((name) => writing.join('a', name)));
  await t.settle();
  await writing.send('a', 'zoe', 'welcome');
  await t.settle();
  await Promise.all(names.map((name) => writing.leave('a', name)));
  await t.settle();
  const [came, went] = [seenBy(zoe, 'member.joined').slice(-PEOPLE), seenBy(zoe, 'member.left')];
  expect(new Set(came)).toEqual(new Set(names));
  expect(new Set(went)).toEqual(new Set(names));
  for (const [i, reader] of readers.entries()) {
    const name = names[i]!;
    expect(seenBy(reader, 'member.joined')).toEqual(came.slice(came.indexOf(name)));
    expect(reader.timeline('a')).toEqual(['welcome']);
    expect(seenBy(reader, 'member.left')).toEqual(went.slice(0, went.indexOf(name) + 1));
  }
  expect(PEOPLE).toBeLessThan(LIMITS.announcedMembers);
  expect(reads).toBeLessThan(PEOPLE / 10);
});
