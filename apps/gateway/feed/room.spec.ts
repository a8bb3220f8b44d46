/** What a room shows of which entries. To whom: `room-readers.spec.ts`; what is missing: `room-holes.spec.ts`. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { EVENT_VERSION, LIMITS } from '#contract';
import { aRoom, withParts } from '#testing';
import type { Encoding } from './encoding.js';
import { LINES, type TestReader } from './test-feed.js';
import { AT_THE_START, closeRooms, gate, TestRoom } from './test-room.js';

afterEach(closeRooms);

const counts = ({ frames }: TestReader): unknown[] =>
  frames.flatMap((frame) => (frame.op === 'event' && frame.type === 'members.changed' ? [frame.data['count']] : []));
const places = ({ frames }: TestReader): unknown[] =>
  frames.flatMap((frame) => (frame.op === 'event' ? [[frame.prev, frame.seq, frame.data['ordinal']]] : []));

describe('a room that is being opened', () => {
  test('keeps what comes meanwhile, and shows of it what came after the place where it opens', async () => {
    const t = new TestRoom();
    const [one, two] = await t.send('one', 'two');
    const located = gate();
    const opening = t.openWith(async () => {
      await located.opened;
      return { ...AT_THE_START, end: two ?? 0, timelineSeq: two ?? 0, ordinal: 2 };
    });
    const ann = t.reader('ann');
    const [three, four] = await t.send('three', 'four');
    t.deliver(one, two, four, three);
    t.turn.flush();
    expect(ann.frames).toEqual([]);
    located.open();
    await opening;
    await t.settle();
    expect(places(ann)).toEqual([
      [two, three, 3],
      [three, four, 4],
    ]);
    expect(t.room.tail.covers(two ?? 0)).toBe(true);
    expect(t.room.tail.covers(one ?? 0)).toBe(false);
  });

  test('counts what the timeline has before that place and shows it to nobody: whoever comes has read it', async () => {
    const t = new TestRoom();
    const [one, two] = await t.send('one', 'two');
    await t.open({ timelineSeq: one ?? 0, ordinal: 1 });
    const ann = t.reader('ann');
    const [three] = await t.send('three');
    t.deliver(two, three);
    t.turn.flush();
    expect(places(ann)).toEqual([[two, three, 3]]);
  });

  test('passes on the memberships from before that place, of other states nothing', async () => {
    const t = new TestRoom();
    const joined = await t.writing.join('a', 'ann');
    const muted = await t.writing.mute('a', 'bob', true);
    const config = (await t.writing.room('a', 'cid')) - 2;
    await t.open({ members: 7, participants: ['ann'] });
    const reader = t.reader('rob');
    t.deliver(joined - 1, joined, muted, config);
    t.turn.flush();
    expect(t.passedOn).toEqual([
      { seq: joined, userId: 'ann', standing: 'member', joined: true },
      { seq: muted, userId: 'bob', standing: 'member', joined: false },
    ]);
    expect(reader.frames).toEqual([]);
    expect([t.room.members, t.room.participants]).toEqual([7, ['ann']]);
  });

  test('fails where it cannot be found out where it stands, and shows nothing then', async () => {
    const t = new TestRoom();
    const ann = t.reader('ann');
    const opening = t.openWith(() => Promise.reject(new Error('away')));
    await expect(opening).rejects.toThrow('away');
    await expect(t.room.settled()).rejects.toThrow('away');
    t.deliver(...(await t.send('one')));
    t.turn.flush();
    expect(ann.frames).toEqual([]);
  });

  test('lets its subscription go where it is closed before it has one, and does not ask where it stands', async () => {
    const stopped: string[] = [];
    const located: string[] = [];
    const t = new TestRoom((log) =>
      withParts(log, { live: async (subject) => ({ stop: async () => void stopped.push(subject) }) }),
    );
    const opening = t.openWith(async () => (located.push('a'), AT_THE_START));
    await t.room.close();
    await opening;
    expect([stopped, located]).toEqual([['live.room.a.>'], []]);
  });
});

test('a room that was closed takes nothing any more, and gives its tail and its subscription back', async () => {
  const stopped: string[] = [];
  const t = await new TestRoom((log) =>
    withParts(log, { live: async (subject) => ({ stop: async () => void stopped.push(subject) }) }),
  ).open();
  const ann = t.reader('ann');
  const [one, two] = await t.send('one', 'two');
  t.deliver(one);
  t.turn.flush();
  await t.room.close();
  expect(t.room.tail.after(0)).toEqual([]);
  t.deliver(two);
  t.turn.flush();
  expect(ann.timeline('a')).toEqual(['one']);
  expect(stopped).toEqual(['live.room.a.>']);
});

describe('states', () => {
  test('are taken once each, by their sequence, from wherever they come', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const first = await t.writing.mute('a', 'bob', true);
    const second = await t.writing.mute('a', 'bob', false);
    t.deliver(second, second, first);
    t.turn.flush();
    expect(ann.frames).toMatchObject([{ type: 'member.updated', seq: second, data: { muted: false } }]);
    const subject = t.subjects.member('a', 'bob');
    expect([first, second, second + 1].map((seq) => t.room.lacks(subject, seq))).toEqual([false, false, true]);
  });

  test('that the mark covers are not taken: they were, and may have been forgotten', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const covered = await t.writing.mute('a', 'bob', true);
    const newer = await t.writing.mute('a', 'cid', true);
    t.markSeq = covered;
    t.deliver(covered, newer);
    t.turn.flush();
    expect(ann.frames).toMatchObject([{ seq: newer }]);
  });

  test('are remembered, however many they are, while the mark stands still; behind it they are forgotten', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const users = Array.from({ length: 300 }, (_, i) => `u${i}`);
    const seqs: number[] = [];
    for (const user of users.slice(0, 200)) seqs.push(await t.writing.mute('a', user, true));
    t.deliver(...seqs, ...seqs);
    t.turn.flush();
    expect(ann.frames).toHaveLength(200);
    const known = (): boolean[] => seqs.map((seq, i) => !t.room.lacks(t.subjects.member('a', `u${i}`), seq));
    expect(known()).toEqual(seqs.map(() => true));
    t.markSeq = seqs[99] ?? 0;
    for (const user of users.slice(200)) t.deliver(await t.writing.mute('a', user, true));
    expect(known()).toEqual(seqs.map((seq) => seq > t.markSeq));
    t.deliver(...seqs);
    t.turn.flush();
    expect(ann.frames).toHaveLength(300);
  });

  test('that this version cannot read show nothing and keep nobody from what follows', async () => {
    const t = await new TestRoom().open();
    const ann = t.reader('ann');
    const unreadable = { subject: t.subjects.config('a'), event: { type: 'RoomFlown', v: 1 } as never };
    const { seq } = await t.stored.append(unreadable);
    const [one = 0] = await t.send('one');
    t.deliver(seq);
    t.room.receive({ ...t.copyOf(one), subject: 'chat.0.room.a.pins' });
    t.deliver(one);
    t.turn.flush();
    expect(ann.frames).toMatchObject([{ seq: one }]);
  });

  test('the participants of a channel are those of its last config, for each event after it', async () => {
    const seen: (readonly string[] | undefined)[] = [];
    const noting: Encoding = {
      ...LINES,
      slot: 8,
      event: (event) => (seen.push(event.participants), LINES.event(event)),
    };
    const t = new TestRoom();
    await t.writing.room('a', 'ann');
    await t.open({ participants: ['ann', 'bob'] });
    t.readerIn(noting);
    const [one] = await t.send('one');
    const room = aRoom({ kind: 'channel', participants: ['ann', 'bob', 'cid'] });
    const event = { v: EVENT_VERSION, type: 'RoomChanged', actor: 'ann', data: { room } } as const;
    const { seq: changed } = await t.stored.append({ subject: t.subjects.config('a'), event });
    const muted = await t.writing.mute('a', 'bob', true);
    const [two] = await t.send('two');
    t.deliver(one, changed, muted, two);
    t.turn.flush();
    const after = ['ann', 'bob', 'cid'];
    expect(seen).toEqual([['ann', 'bob'], after, after, after]);
  });
});

describe('who comes and goes', () => {
  const from = LIMITS.announcedMembers;

  test('is told by name up to the last member of a room that is not large', async () => {
    const t = await new TestRoom().open({ members: from - 1 });
    const ann = t.reader('ann');
    await t.writing.roster('a', from - 1);
    const joined = await t.writing.join('a', 'bob');
    t.deliver(joined - 1, joined);
    t.turn.flush();
    expect([t.room.members, t.room.isLarge]).toEqual([from, false]);
    expect(ann.events('a')).toEqual(['member.joined']);
  });

  test('is told in a large room as one count for all that a turn brought, between everything else', async () => {
    const t = await new TestRoom().open({ members: from + 1 });
    const ann = t.reader('ann');
    await t.writing.roster('a', from + 1);
    const bob = await t.writing.join('a', 'bob');
    const [one] = await t.send('one');
    const cid = await t.writing.join('a', 'cid');
    const [two] = await t.send('two');
    t.deliver(bob - 1, bob, one, cid - 1, cid, two);
    t.turn.flush();
    expect(ann.events('a')).toEqual(['message.sent', 'members.changed', 'message.sent']);
    expect(counts(ann)).toEqual([from + 3]);
    const left = await t.writing.leave('a', 'cid');
    t.deliver(left - 1, left);
    t.turn.flush();
    expect(counts(ann)).toEqual([from + 3, from + 2]);
  });

  test('in a large room the room itself is told as ever', async () => {
    const t = await new TestRoom().open({ members: from + 1 });
    const ann = t.reader('ann');
    const joined = await t.writing.room('a', 'bob');
    t.deliver(joined - 2);
    t.turn.flush();
    expect(ann.events('a')).toEqual(['room.created']);
  });
});
