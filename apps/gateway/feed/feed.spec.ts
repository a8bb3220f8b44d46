import { afterEach, expect, test } from '@jest/globals';
import { CLOSE, formatCursor, LIMITS, parseCursor, type ServerFrameOf } from '#contract';
import type { StoredEntry } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { TestFeed, type TestFeedOptions, Writing } from './test-feed.js';

const feeds: TestFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) {
    await feed.stop();
    expect(feed.faults).toEqual([]);
  }
});

async function feedWith(options: TestFeedOptions = {}): Promise<TestFeed & { writing: Writing }> {
  const feed = await new TestFeed(options).start();
  feeds.push(feed);
  return Object.assign(feed, { writing: new Writing(feed.log) });
}

const isMessage = (entry: StoredEntry): boolean => entry.subject.endsWith('.timeline');
const welcomeOf = (frames: readonly { op: string }[]) => frames[0] as ServerFrameOf<'welcome'>;

test('a reader gets what happens in its rooms, in order, and nothing of others', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  await t.writing.room('b', 'bob');
  await t.writing.join('a', 'bob');
  const ann = await t.open('ann');
  await t.writing.send('b', 'bob', 'elsewhere');
  for (const text of ['one', 'two', 'three']) await t.writing.send('a', 'bob', text);
  await t.settle();
  expect(ann.timeline('a')).toEqual(['one', 'two', 'three']);
  expect(ann.events('b')).toEqual([]);
  expect(ann.frames.map(({ op }) => op).slice(0, 2)).toEqual(['welcome', 'caught_up']);
});

test('what a room receives in one tick is one write', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const before = ann.sink.writes;
  await Promise.all(['one', 'two', 'three'].map((text) => t.writing.send('a', 'bob', text)));
  await t.settle();
  expect(ann.timeline('a')).toHaveLength(3);
  expect(ann.sink.writes - before).toBe(1);
});

test('ordinals and prev are exact, wherever a reader begins', async () => {
  const t = await feedWith({ viewsUpTo: () => [3, 3] });
  await t.writing.room('a', 'ann');
  for (let i = 1; i <= 5; i++) await t.writing.send('a', 'bob', `m${i}`);
  const ann = await t.open('ann');
  await t.writing.send('a', 'bob', 'm6');
  await t.settle();
  const messages = ann.frames.filter((frame) => frame.op === 'event' && frame.type === 'message.sent');
  const seqs = messages.map((frame) => (frame as ServerFrameOf<'event'>).seq);
  expect(messages).toMatchObject(
    [1, 2, 3, 4, 5, 6].map((ordinal) => ({ prev: seqs[ordinal - 2] ?? 0, data: { ordinal, content: `m${ordinal}` } })),
  );
});

test('a hole is filled from the log before what follows it is shown', async () => {
  const lost = new Set(['two', 'three']);
  const dropLive = ({ decoded }: StoredEntry): boolean =>
    decoded.kind === 'event' && decoded.event.type === 'MessageSent' && lost.has(decoded.event.data.content);
  const t = await feedWith({ faults: { dropLive } });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  for (const text of ['one', 'two', 'three', 'four']) await t.writing.send('a', 'bob', text);
  await t.settle();
  expect(ann.timeline('a')).toEqual(['one', 'two', 'three', 'four']);
});

test('the last message of a room, lost on the way, comes by the tails notice; no cursor covers it before', async () => {
  const t = await feedWith({ faults: { dropLive: isMessage } });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const seq = await t.writing.send('a', 'bob', 'lost');
  await t.settle();
  t.feed.sweep();
  expect(ann.timeline('a')).toEqual([]);
  const partition = t.subjects.partitionOfRoom('a');
  expect(parseCursor(t.feed.cursor())?.seqs[partition]).toBeLessThan(seq);
  const notice = { epoch: 'memory', from: 0, to: seq, last: [[t.subjects.timeline('a'), seq]] as const };
  await takeNotice(t, partition, notice);
  t.nowMs += LIMITS.cursorMs;
  t.feed.sweep();
  expect(ann.timeline('a')).toEqual(['lost']);
  expect(parseCursor(ann.cursor)?.seqs[partition]).toBe(seq);
  expect(ann.frames.map(({ op }) => op).slice(-2)).toEqual(['event', 'cursor']);
});

async function takeNotice(t: TestFeed, partition: number, notice: object): Promise<void> {
  const partitions = (t.feed as unknown as { partitions: { receive(notice: object): void }[] }).partitions;
  partitions[partition]?.receive(notice);
  await t.settle();
}

test('a gap between notices, and silence, make the gateway read the log itself', async () => {
  const t = await feedWith({ faults: { dropLive: () => true } });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const partition = t.subjects.partitionOfRoom('a');
  const first = await t.writing.send('a', 'bob', 'one');
  const second = await t.writing.send('a', 'bob', 'two');
  await takeNotice(t, partition, { epoch: 'memory', from: second, to: second, last: [] });
  expect(ann.timeline('a')).toEqual(['one', 'two']);
  await t.writing.send('a', 'bob', 'three');
  t.nowMs = performance.now() + 6_000;
  t.feed.sweep();
  await t.settle();
  expect(ann.timeline('a')).toEqual(['one', 'two', 'three']);
  expect(first).toBeLessThan(second);
});

test('another epoch closes every reader, with a code to come back with', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  await takeNotice(t, 0, { epoch: 'restored', from: 0, to: 1, last: [] });
  expect(ann.sink.closed?.code).toBe(CLOSE.epochChanged);
  expect(t.feed.broken).toContain('restored');
});

test('a log that was replaced closes every reader, though no notice says so', async () => {
  const replaced = new AbortController();
  const t = await feedWith({ log: new MemoryLog({ partitions: 2, replaced: replaced.signal }) });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  replaced.abort(new Error('another log'));
  expect(ann.sink.closed?.code).toBe(CLOSE.epochChanged);
});

test('a resume brings exactly what came after its cursor, wherever the cursor stands', async () => {
  const t = await feedWith();
  const partition = t.subjects.partitionOfRoom('a');
  const places: number[] = [await t.writing.room('a', 'ann')];
  for (let i = 1; i <= 4; i++) places.push(await t.writing.send('a', 'bob', `m${i}`));
  for (const other of [undefined, await t.open('bob')]) {
    expect(other?.reader.isClosed ?? false).toBe(false);
    for (const [i, seq] of places.entries()) {
      const seqs = (await t.feed.lastSequences()).map((end, p) => (p === partition ? seq : end));
      const since = formatCursor({ epoch: 'memory', seqs });
      const ann = await t.open('ann', { since });
      expect(welcomeOf(ann.frames)).toMatchObject({ recovered: true, cursor: since });
      expect(welcomeOf(ann.frames).rooms).toMatchObject([{ room: 'a', seq: i === 0 ? 0 : seq, ordinal: i }]);
      expect(ann.timeline('a')).toEqual(['m1', 'm2', 'm3', 'm4'].slice(i));
      expect(ann.frames.at(-1)).toMatchObject({ op: 'caught_up' });
    }
  }
});

test.each([
  ['of another epoch', 'elsewhere.1.1'],
  ['with too few partitions', 'memory.1'],
  ['beyond the end', 'memory.999.999'],
  ['that is none', 'what?'],
])('a cursor %s is not recovered, and the reader begins at the views’ snapshot', async (_, since) => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const seq = await t.writing.send('a', 'bob', 'before');
  const ann = await t.open('ann', { since });
  expect(welcomeOf(ann.frames)).toMatchObject({ recovered: false, rooms: [{ room: 'a', seq, ordinal: 1 }] });
  await t.writing.send('a', 'bob', 'after');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['after']);
});

test('more than a replay carries is not recovered, and nothing of it is replayed', async () => {
  const t = await feedWith();
  const since = await t.writing.room('a', 'ann').then(() => t.feed.lastSequences());
  for (let i = 0; i <= LIMITS.replayEvents; i++) await t.writing.send('a', 'bob', 'x');
  const ann = await t.open('ann', { since: formatCursor({ epoch: 'memory', seqs: since }) });
  expect(welcomeOf(ann.frames)).toMatchObject({ recovered: false, rooms: [{ ordinal: LIMITS.replayEvents + 1 }] });
  expect(ann.timeline('a')).toEqual([]);
});

test('views that are far behind do not keep anybody out', async () => {
  const t = await feedWith({ viewsUpTo: () => [3, 3] });
  await t.writing.room('a', 'ann');
  for (let i = 0; i <= LIMITS.replayEvents; i++) await t.writing.send('a', 'bob', 'x');
  const ann = await t.open('ann');
  await t.writing.send('a', 'bob', 'live');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['live']);
});

test('a replay is cut by the periods of membership', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'bob');
  const start = await t.feed.lastSequences();
  await t.writing.send('a', 'bob', 'before');
  await t.writing.join('a', 'ann');
  await t.writing.send('a', 'bob', 'in');
  await t.writing.leave('a', 'ann');
  await t.writing.send('a', 'bob', 'out');
  const left = await t.open('ann', { since: formatCursor({ epoch: 'memory', seqs: start }) });
  expect(left.timeline('a')).toEqual(['in']);
  expect(left.events('a')).toEqual(['member.joined', 'message.sent', 'member.left']);
  await t.writing.join('a', 'ann');
  await t.writing.send('a', 'bob', 'in again');
  await t.settle();
  const back = await t.open('ann', { since: formatCursor({ epoch: 'memory', seqs: start }) });
  expect(back.timeline('a')).toEqual(['in', 'in again']);
  expect(left.timeline('a')).toEqual(['in', 'in again']);
});

test('a member at the cursor who has left since gets the rest up to the leaving', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'bob');
  await t.writing.join('a', 'ann');
  const since = formatCursor({ epoch: 'memory', seqs: await t.feed.lastSequences() });
  await t.writing.send('a', 'bob', 'in');
  await t.writing.leave('a', 'ann');
  await t.writing.send('a', 'bob', 'out');
  const ann = await t.open('ann', { since });
  expect(ann.timeline('a')).toEqual(['in']);
  expect(ann.events('a').at(-1)).toBe('member.left');
});

test('who joins or leaves while connected starts and stops at once', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'bob');
  const ann = await t.open('ann');
  await t.writing.send('a', 'bob', 'before');
  await t.writing.join('a', 'ann');
  await t.writing.send('a', 'bob', 'in');
  await t.settle();
  await t.writing.leave('a', 'ann');
  await t.writing.send('a', 'bob', 'out');
  await t.settle();
  expect(ann.events('a')).toEqual(['member.joined', 'message.sent', 'member.left']);
  expect(ann.timeline('a')).toEqual(['in']);
});

test('a joining and a leaving that are lost on the way come by the tails', async () => {
  const dropLive = ({ subject }: StoredEntry): boolean => subject.includes('.member.');
  const t = await feedWith({ faults: { dropLive } });
  await t.writing.room('a', 'bob');
  const ann = await t.open('ann');
  await t.writing.join('a', 'ann');
  const muted = await t.writing.mute('a', 'ann', true);
  await t.writing.send('a', 'bob', 'in');
  const partition = t.subjects.partitionOfRoom('a');
  const notice = { epoch: 'memory', from: 0, to: muted + 1, last: [[t.subjects.member('a', 'ann'), muted]] as const };
  await takeNotice(t, partition, notice);
  expect(ann.events('a')).toEqual(['member.joined', 'member.updated', 'message.sent']);
  const left = await t.writing.leave('a', 'ann');
  await takeNotice(t, partition, {
    epoch: 'memory',
    from: muted + 1,
    to: left,
    last: [[t.subjects.member('a', 'ann'), left]] as const,
  });
  await t.writing.send('a', 'bob', 'out');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['in']);
  expect(ann.events('a').at(-1)).toBe('member.left');
});

test('whoever makes a room sees its making', async () => {
  const t = await feedWith();
  const ann = await t.open('ann');
  await t.writing.room('a', 'ann');
  await t.settle();
  expect(ann.events('a')).toEqual(['room.created', 'member.joined']);
});

test('echo: the origin’s own connection gets a skip, other devices the event; none and all differ', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const [one, two] = [await t.open('ann'), await t.open('ann')];
  const [none, all] = [await t.open('ann', {}, 'none'), await t.open('ann', {}, 'all')];
  const user = t.feed.user('ann');
  const { commandKeyId } = await import('#contract');
  user?.expect(commandKeyId('ann', 'SendMessage', 'a', 'k'), { reader: one.reader, key: 'k' });
  const seq = await t.writing.send('a', 'ann', 'hello', 'k');
  await t.writing.send('a', 'bob', 'hi');
  await t.settle();
  expect([one, two, none, all].map((reader) => reader.timeline('a'))).toEqual([
    ['|k', 'hi'],
    ['hello', 'hi'],
    ['|', 'hi'],
    ['hello', 'hi'],
  ]);
  expect(one.frames.find(({ op }) => op === 'skip')).toMatchObject({ seq, prev: 0 });
});

test('a large room announces who comes and goes as a count, and to themselves as it is', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  await t.writing.roster('a', LIMITS.announcedMembers);
  const [ann, bob] = [await t.open('ann'), await t.open('bob')];
  await t.writing.join('a', 'bob');
  await t.settle();
  expect(ann.frames.at(-1)).toMatchObject({ type: 'members.changed', data: { count: LIMITS.announcedMembers + 1 } });
  expect(ann.events('a')).not.toContain('member.joined');
  expect(bob.events('a')).toEqual(['member.joined']);
  await t.writing.roster('a', LIMITS.announcedMembers + 2);
  await t.writing.leave('a', 'bob');
  await t.settle();
  expect(bob.events('a').at(-1)).toBe('member.left');
});

test('an entry that cannot be read keeps its place as a skip', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const unreadable = { subject: t.subjects.timeline('a'), event: { type: 'MessageFlown', v: 1 } as never };
  const { seq } = await t.log.append(unreadable);
  await t.writing.send('a', 'bob', 'after');
  await t.settle();
  expect(ann.frames.slice(-2)).toMatchObject([
    { op: 'skip', seq },
    { op: 'event', prev: seq, data: { ordinal: 1 } },
  ]);
});

test('an entry that was erased leaves no hole behind', async () => {
  const t = await feedWith({ faults: { dropLive: (entry) => JSON.stringify(entry.decoded).includes('gone') } });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const first = await t.writing.send('a', 'bob', 'first');
  const gone = await t.writing.send('a', 'bob', 'gone');
  t.log.erase(t.subjects.partitionOfRoom('a'), gone);
  await t.writing.send('a', 'bob', 'last');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['first', 'last']);
  expect(ann.frames.at(-1)).toMatchObject({ prev: first });
});

test('a room without a reader for a minute is let go, and comes back whole', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  t.feed.leave(ann.reader);
  t.nowMs += 59_000;
  t.feed.sweep();
  expect(t.feed.activeRoom('a')).toBeDefined();
  t.nowMs += 2_000;
  t.feed.sweep();
  expect(t.feed.activeRoom('a')).toBeUndefined();
  await t.writing.send('a', 'bob', 'meanwhile');
  const back = await t.open('ann', { since: ann.cursor });
  expect(back.timeline('a')).toEqual(['meanwhile']);
});

test('a slow reader is closed with a code to come back with; the others go on', async () => {
  const t = await feedWith();
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  const [ann, bob] = [await t.open('ann'), await t.open('bob')];
  ann.sink.queuedBytes = 2 * 1024 * 1024;
  await t.writing.send('a', 'eve', 'one');
  await t.settle();
  expect(ann.sink.closed?.code).toBe(CLOSE.slowReader);
  expect(bob.timeline('a')).toEqual(['one']);
});

test('a room with as many readers as a gateway carries sends the next one elsewhere', async () => {
  const t = await feedWith({ roomSubscribersMax: 1 });
  await t.writing.room('a', 'ann');
  await t.writing.join('a', 'bob');
  const ann = await t.open('ann');
  const bob = await t.open('bob');
  expect(bob.sink.closed?.code).toBe(CLOSE.draining);
  await t.writing.send('a', 'eve', 'hello');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['hello']);
});

test('views of another log are not believed: memberships come from this one', async () => {
  const t = await feedWith({ viewsEpoch: 'before the restore', viewsUpTo: () => [2, 2] });
  await t.writing.room('a', 'ann');
  const ann = await t.open('ann');
  const bob = await t.open('bob');
  await t.writing.send('a', 'ann', 'hello');
  await t.settle();
  expect(ann.timeline('a')).toEqual(['hello']);
  expect(bob.timeline('a')).toEqual([]);
});
