/** Live copies of memberships that are lost on the way, and what may still not be shown because of it. */
import { afterEach, expect, test } from '@jest/globals';
import type { StoredEntry } from '#event-log';
import { TestFeed, Writing } from './test-feed.js';

const feeds: TestFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) {
    await feed.stop();
    expect(feed.faults).toEqual([]);
  }
});

async function feedThatLoses(lost: (entry: StoredEntry) => boolean): Promise<TestFeed & { writing: Writing }> {
  const feed = await new TestFeed({ faults: { dropLive: lost } }).start();
  feeds.push(feed);
  return Object.assign(feed, { writing: new Writing(feed.log) });
}

const isLeaving = ({ decoded }: StoredEntry): boolean =>
  decoded.kind === 'event' && decoded.event.type === 'MemberLeft';
const says = ({ decoded }: StoredEntry, content: string): boolean =>
  decoded.kind === 'event' && decoded.event.type === 'MessageSent' && decoded.event.data.content === content;

test('who was seen to come again is not shown what came late from before that, though the leaving was lost', async () => {
  const t = await feedThatLoses((entry) => isLeaving(entry) || says(entry, 'between'));
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  const bob = await t.open('bob');
  await t.writing.send('a', 'ann', 'before');
  await t.writing.leave('a', 'bob');
  await t.writing.send('a', 'ann', 'between');
  await t.writing.join('a', 'bob');
  await t.settle();
  await t.writing.send('a', 'ann', 'after');
  await t.settle();
  expect(bob.timeline('a')).toEqual(['before', 'after']);
});
