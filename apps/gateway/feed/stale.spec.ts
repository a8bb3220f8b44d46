/** Marks that stand still and leaders that are none any more: what a broken network brings, found by chaos runs. */
import { afterEach, expect, test } from '@jest/globals';
import { formatCursor, type ServerFrameOf } from '#contract';
import { waitUntil } from '#embedded';
import type { EventLog, StoredEntry } from '#event-log';
import { withParts } from '#testing';
import { TestFeed, type TestFeedOptions, Writing } from './test-feed.js';

const feeds: TestFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) await feed.stop();
});

async function feedWith(options: TestFeedOptions = {}): Promise<TestFeed & { writing: Writing }> {
  const feed = await new TestFeed(options).start();
  feeds.push(feed);
  return Object.assign(feed, { writing: new Writing(feed.log) });
}

test('who joined before they came, seen by the room and not yet covered by the mark, hears nothing after they have left', async () => {
  const views: { upTo?: readonly number[] } = {};
  const t = await feedWith({ viewsUpTo: () => views.upTo });
  await t.writing.room('a', 'ann');
  await t.open('ann');
  views.upTo = await Promise.all([0, 1].map((partition) => t.log.lastSequence(partition)));
  await t.writing.join('a', 'bob');
  await t.settle();
  const bob = await t.open('bob');
  await t.writing.send('a', 'ann', 'for bob too');
  await t.settle();
  await t.writing.leave('a', 'bob');
  await t.writing.send('a', 'ann', 'not for bob');
  await t.settle();
  expect(bob.timeline('a')).toEqual(['for bob too']);
  expect(bob.events('a').at(-1)).toBe('member.left');
});

/** A leader that has lost its followers, and has not noticed: it ends where it ended then. */
const behind = (log: EventLog, ends: { value: readonly number[] | undefined }): EventLog =>
  withParts(log, {
    lastSequence: async (partition) => ends.value?.[partition] ?? (await log.lastSequence(partition)),
  });

test('a leader that is behind what the views have is asked again: nobody is shown what came before their joining', async () => {
  const ends: { value: readonly number[] | undefined } = { value: undefined };
  const t = await feedWith({ seen: (log) => behind(log, ends) });
  const endsNow = (): Promise<number[]> => Promise.all([0, 1].map((partition) => t.log.lastSequence(partition)));
  await t.writing.room('a', 'ann');
  ends.value = await endsNow();
  await t.writing.send('a', 'ann', 'before bob');
  await t.writing.join('a', 'bob');
  const since = formatCursor({ epoch: t.log.epoch, seqs: await endsNow() });
  await t.writing.send('a', 'ann', 'for bob');
  const opening = t.open('bob', { since });
  await t.settle();
  ends.value = undefined;
  const bob = await opening;
  expect((bob.frames[0] as ServerFrameOf<'welcome'>).recovered).toBe(true);
  expect(bob.timeline('a')).toEqual(['for bob']);
});

test('where a leader that is none any more says what a timeline ends with, nothing is shown a second time', async () => {
  const old: { entry?: StoredEntry } = {};
  const seen = (log: EventLog): EventLog =>
    withParts(log, {
      last: async (subject) => (subject === old.entry?.subject ? old.entry : log.last(subject)),
    });
  const t = await feedWith({ seen });
  await t.writing.room('a', 'ann');
  const since = formatCursor({
    epoch: t.log.epoch,
    seqs: await Promise.all([0, 1].map((partition) => t.log.lastSequence(partition))),
  });
  await t.writing.send('a', 'bob', 'one');
  const entry = await t.log.last(t.subjects.timeline('a'));
  await t.writing.send('a', 'bob', 'two');
  if (entry !== undefined) old.entry = entry;
  const ann = await t.open('ann', { since });
  expect(ann.timeline('a')).toEqual(['one', 'two']);
  await t.writing.send('a', 'bob', 'three');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['one', 'two', 'three']);
  const places = ann.frames.flatMap((frame) => (frame.op === 'event' ? [frame.data['ordinal']] : []));
  expect(places).toEqual([1, 2, 3]);
});

test('a leader that stays behind fails the opening: the client comes back with the cursor that it has', async () => {
  const ends: { value: readonly number[] | undefined } = { value: undefined };
  const t = await feedWith({ seen: (log) => behind(log, ends) });
  await t.writing.room('a', 'ann');
  ends.value = [0, 0];
  await expect(t.open('ann')).rejects.toThrow('behind');
});

test('what was lost comes late to a member whose membership was changed meanwhile, too', async () => {
  const dropLive = ({ decoded }: StoredEntry): boolean =>
    decoded.kind === 'event' && decoded.event.type === 'MessageSent' && decoded.event.data.content === 'lost';
  const t = await feedWith({ faults: { dropLive } });
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  await t.open('bob');
  const before = await t.open('ann');
  t.feed.leave(before.reader);
  const seq = await t.writing.send('a', 'bob', 'lost');
  await t.writing.mute('a', 'ann', true);
  await t.settle();
  const ann = await t.open('ann', { since: before.cursor });
  expect(ann.timeline('a')).toEqual([]);
  // Silence makes the gateway read the log itself.
  t.nowMs = performance.now() + 6_000;
  t.feed.sweep();
  await waitUntil('the mark covers it', 5_000, () => t.feed.mark(t.subjects.partitionOfRoom('a')) > seq);
  await t.settle();
  expect(ann.timeline('a')).toEqual(['lost']);
});

test('a joining that was told when its user came is not told again when the room hears of it', async () => {
  const ends: { value: readonly number[] | undefined } = { value: undefined };
  const views: { upTo?: readonly number[] } = {};
  const t = await feedWith({ seen: (log) => behind(log, ends), viewsUpTo: () => views.upTo });
  await t.writing.room('a', 'bob');
  const before = await Promise.all([0, 1].map((partition) => t.log.lastSequence(partition)));
  views.upTo = before;
  const joined = await t.writing.join('a', 'ann');
  // The leader that tells where the room stands is behind the one that told where the log ends.
  const activate = t.feed.activate.bind(t.feed);
  t.feed.activate = async (...room) => {
    ends.value = before;
    const active = await activate(...room);
    ends.value = undefined;
    return active;
  };
  const ann = await t.open('ann');
  t.nowMs = performance.now() + 6_000;
  t.feed.sweep();
  await waitUntil('the mark covers it', 5_000, () => t.feed.mark(t.subjects.partitionOfRoom('a')) >= joined);
  await t.settle();
  expect(ann.events('a')).toEqual(['member.joined']);
});
