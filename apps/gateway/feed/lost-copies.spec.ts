/** Live copies of memberships that are lost on the way, and what may still not be shown because of it. */
import { afterEach, expect, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import type { EventLog, StoredEntry } from '#event-log';
import { withParts } from '#testing';
import { HELD_ENTRIES_MAX } from './room.js';
import { TestFeed, type TestFeedOptions, Writing } from './test-feed.js';
import { gate } from './test-room.js';

const feeds: TestFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) {
    await feed.stop();
    expect(feed.faults).toEqual([]);
  }
});

async function feedThatLoses(
  lost: (entry: StoredEntry) => boolean,
  options: TestFeedOptions = {},
): Promise<TestFeed & { writing: Writing }> {
  const feed = await new TestFeed({ faults: { dropLive: lost }, ...options }).start();
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

test('where a leaving was lost with what stands beside it, whoever left is shown nothing of what came after it', async () => {
  const lost = new Set(['with it', 'after it']);
  const t = await feedThatLoses((entry) => isLeaving(entry) || [...lost].some((content) => says(entry, content)));
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  const [ann, bob] = [await t.open('ann'), await t.open('bob')];
  await t.writing.send('a', 'ann', 'with it');
  await t.writing.leave('a', 'bob');
  await t.writing.send('a', 'ann', 'after it');
  await t.writing.send('a', 'ann', 'last');
  await t.settle();
  expect(bob.timeline('a')).toEqual(['with it']);
  expect(bob.events('a').at(-1)).toBe('member.left');
  const seqs = ann.frames.flatMap((frame) => (frame.op === 'event' ? [frame.seq] : []));
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
});

test('who leaves and comes again while being connected, and the leaving is lost, is shown the whole of both stays', async () => {
  const once: { atEnds?: () => Promise<unknown>; atRead?: () => Promise<unknown> } = {};
  const after = async <T>(result: T, name: keyof typeof once): Promise<T> => {
    const act = once[name];
    delete once[name];
    await act?.();
    return result;
  };
  // What happens right after the reader was told where the log ends, and right after the room was read for it.
  const seen = (log: EventLog): EventLog =>
    withParts(log, {
      lastSequence: async (partition) => after(await log.lastSequence(partition), 'atEnds'),
      readSubject: async (partition, subject, range) => {
        const read = await log.readSubject(partition, subject, range);
        return subject === t.subjects.room('a') ? after(read, 'atRead') : read;
      },
    });
  const t = await feedThatLoses(isLeaving, { seen, viewsUpTo: () => [0, 0] });
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  await t.writing.send('a', 'ann', 'before');
  once.atEnds = async () => {
    once.atEnds = async () => {
      await t.writing.send('a', 'ann', 'the last of the first stay');
      await t.writing.leave('a', 'bob');
      await t.writing.send('a', 'ann', 'unseen');
      once.atRead = async () => {
        await t.settle();
        setImmediate(() => void t.writing.join('a', 'bob').catch((error: unknown) => t.faults.push(error)));
      };
    };
  };
  const bob = await t.open('bob');
  await t.settle();
  await t.writing.send('a', 'ann', 'of the second stay');
  await t.settle();
  expect(bob.timeline('a')).toEqual(['before', 'the last of the first stay', 'of the second stay']);
});

test('of more states than one read has, all lost on the way, the last one is taken', async () => {
  const t = await feedThatLoses(({ decoded }) => decoded.kind === 'event' && decoded.event.type === 'RosterChanged');
  await t.writing.room('a', 'ann');
  await t.open('ann');
  for (let members = 2; members <= 1_500; members += 1) await t.writing.roster('a', members);
  t.startTails();
  const end = await t.log.lastSequence(t.subjects.partitionOfRoom('a'));
  await t.feed.reach(
    Array.from({ length: t.log.partitions }, (_, p) => (p === t.subjects.partitionOfRoom('a') ? end : 0)),
  );
  expect(t.feed.activeRoom('a')?.members).toBe(1_500);
});

test('a leaving that found no place behind a hole is taken all the same: whoever left is shown nothing of what came after it', async () => {
  const read = gate();
  const seen = (log: EventLog): EventLog =>
    withParts(log, {
      readSubject: async (partition, subject, range) => {
        if (subject.endsWith('.room.a.>')) await read.opened;
        return log.readSubject(partition, subject, range);
      },
    });
  const copies: StoredEntry[] = [];
  const t = await feedThatLoses((entry) => copies.push(entry) > 0, { seen });
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  const bob = await t.open('bob');
  await t.writing.send('a', 'ann', 'lost');
  await t.writing.send('a', 'ann', 'held');
  const [held] = copies.slice(-1);
  for (let i = 0; held !== undefined && i < HELD_ENTRIES_MAX; i += 1) t.feed.activeRoom('a')?.receive(held);
  const left = await t.writing.leave('a', 'bob');
  // Silence makes the gateway read the log itself.
  t.nowMs = performance.now() + 6_000;
  t.feed.sweep();
  await t.settle();
  read.open();
  await waitUntil('the mark covers it', 5_000, () => t.feed.mark(t.subjects.partitionOfRoom('a')) >= left);
  await t.writing.send('a', 'ann', 'after it');
  for (const copy of copies.slice(-1)) t.feed.offer(copy);
  await t.settle();
  expect(bob.timeline('a')).toEqual(['lost', 'held']);
  expect(bob.events('a').at(-1)).toBe('member.left');
});
