/** What happens in the very moment in which a reader has been brought to the present, or right after it: it is shown, too. */
import { afterEach, expect, jest, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { TestFeed, Writing } from './test-feed.js';

const WITHIN_MS = 10_000;
const feeds: TestFeed[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const feed of feeds.splice(0)) {
    await feed.stop();
    expect(feed.faults).toEqual([]);
  }
});

/** A feed that is brought the copies of memberships by the spec alone. */
async function feedWith() {
  const copies: (() => void)[] = [];
  const t: TestFeed = await new TestFeed({
    faults: {
      dropLive: (entry) => {
        if (!entry.subject.includes('.member.')) return false;
        copies.push(() => t.feed.offer(entry));
        return true;
      },
    },
  }).start();
  feeds.push(t);
  const deliver = (count = copies.length): void => copies.splice(0, count).forEach((copy) => copy());
  /** As soon as the feed has found for the n-th time that a room has nothing more for a reader, and before anything else goes on. */
  const afterTheLook = (roomId: string, n: number, act: () => void): void => {
    const { following } = t.feed;
    const look = following.isBehind.bind(following);
    jest.spyOn(following, 'isBehind').mockImplementation((reader, room, shown) => {
      const isBehind = look(reader, room, shown);
      if (room === roomId && !isBehind && --n === 0) queueMicrotask(act);
      return isBehind;
    });
  };
  return Object.assign(t, { writing: new Writing(t.log), deliver, afterTheLook });
}

test('a coming in the moment in which an opening has found that nothing is missing is shown', async () => {
  const t = await feedWith();
  for (const room of ['a', 'b']) await t.writing.room(room, 'ann');
  await t.writing.join('b', 'bob');
  t.deliver();
  const reach = t.feed.reach.bind(t.feed);
  jest.spyOn(t.feed, 'reach').mockImplementation(async (seqs) => {
    await t.writing.join('a', 'bob');
    return reach(seqs);
  });
  t.afterTheLook('b', 1, t.deliver);
  const bob = await t.open('bob');
  await t.writing.send('a', 'ann', 'hello');
  await waitUntil('it is shown', WITHIN_MS, () => bob.timeline('a').length === 1);
  expect(bob.events('a')).toEqual(['member.joined', 'message.sent']);
});

test('a coming in the moment in which a going has been shown is shown', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  t.deliver();
  const bob = await t.open('bob');
  await t.writing.leave('a', 'bob');
  await t.writing.join('a', 'bob');
  t.afterTheLook('a', 1, t.deliver);
  t.deliver(1);
  await t.settle();
  await t.writing.send('a', 'ann', 'hello');
  await waitUntil('it is shown', WITHIN_MS, () => bob.timeline('a').length === 1);
  expect(bob.events('a')).toEqual(['member.left', 'member.joined', 'message.sent']);
});

test('a going right after a coming has been shown is shown, with all that was said before it', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  t.deliver();
  const bob = await t.open('bob');
  await t.writing.join('a', 'bob');
  t.afterTheLook('a', 1, () => {
    void t.writing
      .send('a', 'ann', 'farewell')
      .then(() => t.writing.leave('a', 'bob'))
      .then(() => t.deliver());
  });
  t.deliver();
  await waitUntil('the leaving is shown', WITHIN_MS, () => bob.events('a').includes('member.left'));
  expect(bob.events('a')).toEqual(['member.joined', 'message.sent', 'member.left']);
});

test('a going and a coming in the moment in which a coming has been shown are shown, each once', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  t.deliver();
  const bob = await t.open('bob');
  await t.writing.join('a', 'bob');
  await t.feed.activate('a');
  t.afterTheLook('a', 1, t.deliver);
  t.deliver(1);
  await t.writing.leave('a', 'bob');
  await t.writing.join('a', 'bob');
  await t.settle();
  await t.writing.send('a', 'ann', 'hello');
  await waitUntil('it is shown', WITHIN_MS, () => bob.timeline('a').length === 1);
  expect(bob.events('a')).toEqual(['member.joined', 'member.left', 'member.joined', 'message.sent']);
});
