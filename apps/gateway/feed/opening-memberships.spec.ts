/** Whose room it was at the cursor, and whose it is now, where views, log and live delivery know different parts of it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { type ChatEvent, EVENT_VERSION, formatCursor, LIMITS, type MemberState, type ServerFrameOf } from '#contract';
import { waitUntil } from '#embedded';
import type { EventLog, StoredEntry } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import type { OpenFrom } from './opening.js';
import { memoryViews, TestFeed, type TestFeedOptions, type TestReader, TestSink, Writing } from './test-feed.js';

type Happening = () => Promise<unknown>;

/** What happens right after the reader was told where the log ends, and right after room `a` was read for it. */
interface Hooks {
  atEnds?: Happening;
  atRead?: Happening;
  /** Of a leader that is behind. */
  oldEnd?: number;
}

/** Waits for its network as soon as it has got something of its replay. */
const WAITING_BYTES = 256 * 1024 + 1;

const feeds: TestFeed[] = [];
afterEach(async () => {
  for (const feed of feeds.splice(0)) {
    await feed.stop();
    expect(feed.faults).toEqual([]);
  }
});

const says = ({ decoded }: StoredEntry, content: string): boolean =>
  decoded.kind === 'event' && decoded.event.type === 'MessageSent' && decoded.event.data.content === content;
const cursorAt = (seq: number): OpenFrom => ({ since: formatCursor({ epoch: 'memory', seqs: [seq] }) });
const welcomeOf = ({ frames }: TestReader) => frames[0] as ServerFrameOf<'welcome'>;

/** One partition; what says `lost` is lost on its way to the gateway. Room `a` is ann's. */
async function feedWith(options: TestFeedOptions = {}) {
  const log = new MemoryLog({ partitions: 1, faults: { dropLive: (entry) => says(entry, 'lost') } });
  const hooks: Hooks = {};
  const views: { upTo?: readonly number[] } = {};
  const after = async <T>(result: T, name: 'atEnds' | 'atRead'): Promise<T> => {
    const happens = hooks[name];
    delete hooks[name];
    await happens?.();
    return result;
  };
  const seen = (honest: EventLog): EventLog =>
    withParts(honest, {
      lastSequence: async (partition) => hooks.oldEnd ?? after(await honest.lastSequence(partition), 'atEnds'),
      readSubject: async (partition, subject, range) => {
        const read = await honest.readSubject(partition, subject, range);
        return subject === feed.subjects.room('a') ? after(read, 'atRead') : read;
      },
    });
  const feed = new TestFeed({ log, seen, viewsUpTo: () => views.upTo, ...options });
  await feed.start();
  feeds.push(feed);
  const writing = new Writing(feed.log);
  await writing.room('a', 'ann');
  const end = (): Promise<number> => feed.log.lastSequence(0);
  const stopViews = async (): Promise<void> => void (views.upTo = [await end()]);
  return Object.assign(feed, { writing, hooks, end, stopViews });
}

type Feed = Awaited<ReturnType<typeof feedWith>>;

function member(t: Feed, type: ChatEvent['type'], userId: string, state: Partial<MemberState> = {}): Promise<unknown> {
  const whole = { userId, standing: 'member', role: 'member', muted: false, banned: false, ...state };
  const event = { v: EVENT_VERSION, type, actor: 'ann', data: { member: whole } } as ChatEvent;
  return t.log.append({ subject: t.subjects.member('a', userId), event });
}

/** Opens bob's reader on a network that takes the first message of his replay and nothing more until `during` is over. */
async function openSlowly(t: Feed, from: OpenFrom, during: Happening): Promise<TestReader> {
  const sink = new TestSink();
  sink.queuedBytes = WAITING_BYTES;
  const opening = t.open('bob', from, 'origin', sink);
  await waitUntil('the replay has begun', 5_000, () => sink.frames.length > 1);
  await during();
  await t.settle();
  sink.queuedBytes = 0;
  return opening;
}

describe('with views that stop before the cursor', () => {
  test('whoever came in between gets all that came since', async () => {
    const t = await feedWith();
    await t.stopViews();
    const joined = await t.writing.join('a', 'bob');
    await t.writing.send('a', 'ann', 'since');
    const bob = await t.open('bob', cursorAt(joined));
    expect(bob.events('a')).toEqual(['message.sent']);
    await t.writing.send('a', 'ann', 'live');
    await t.settle();
    expect(bob.timeline('a')).toEqual(['since', 'live']);
  });

  test('whoever left in between gets nothing that came since', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.stopViews();
    const left = await t.writing.leave('a', 'bob');
    await t.writing.send('a', 'ann', 'not for bob');
    const bob = await t.open('bob', cursorAt(left));
    await t.writing.send('a', 'ann', 'nor this');
    await t.settle();
    expect(bob.events('a')).toEqual([]);
  });

  test('whoever left in between and came back is shown only what came after that, where they were not in before', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.stopViews();
    const left = await t.writing.leave('a', 'bob');
    await t.writing.send('a', 'ann', 'not for bob');
    t.hooks.atEnds = () => t.writing.join('a', 'bob');
    const bob = await t.open('bob', cursorAt(left));
    await t.writing.send('a', 'ann', 'for bob');
    await t.settle();
    expect(bob.events('a')).toEqual(['member.joined', 'message.sent']);
    expect(bob.timeline('a')).toEqual(['for bob']);
  });

  test('whoever left and came back before the cursor is not shown again what they had', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.stopViews();
    await t.writing.leave('a', 'bob');
    await t.writing.join('a', 'bob');
    const had = await t.writing.send('a', 'ann', 'had');
    await t.writing.send('a', 'ann', 'new');
    const bob = await t.open('bob', cursorAt(had));
    expect(bob.events('a')).toEqual(['message.sent']);
    expect(bob.timeline('a')).toEqual(['new']);
  });

  test('a room that was left since is told in `welcome` as it was at the cursor', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    const seq = await t.writing.send('a', 'ann', 'one');
    await t.stopViews();
    await t.writing.leave('a', 'bob');
    const bob = await t.open('bob', cursorAt(seq));
    expect(welcomeOf(bob)).toMatchObject({ recovered: true, rooms: [{ room: 'a', seq, ordinal: 1 }] });
    expect(bob.events('a')).toEqual(['member.left']);
  });
});

describe('with views that stop at the cursor', () => {
  test('whoever came since gets nothing from before the coming', async () => {
    const t = await feedWith();
    await t.stopViews();
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'not for bob');
    await t.writing.join('a', 'bob');
    await t.writing.send('a', 'ann', 'for bob');
    const bob = await t.open('bob', since);
    expect(bob.events('a')).toEqual(['member.joined', 'message.sent']);
    expect(bob.timeline('a')).toEqual(['for bob']);
  });
});

describe('with views beyond the cursor', () => {
  test.each([
    ['a mute', { muted: true }, ['before', 'after']],
    ['another role', { role: 'moderator' }, ['before', 'after']],
    ['a ban of one who is out', { standing: 'removed', banned: true }, []],
  ] as const)('%s as the first change since tells nothing of before: the periods do', async (_, state, shown) => {
    const t = await feedWith();
    if (!('standing' in state)) await t.writing.join('a', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'before');
    await member(t, 'MemberChanged', 'bob', state);
    await t.writing.send('a', 'ann', 'after');
    const bob = await t.open('bob', since);
    expect(bob.timeline('a')).toEqual(shown);
  });

  test.each(['MemberJoined', 'MemberInvited'] as const)(
    '%s as the first change says by itself that its user was out: the views are not asked again',
    async (type) => {
      const log = new MemoryLog({ partitions: 1 });
      const refuse = (): Promise<never> => Promise.reject(new Error('asked again'));
      const views = withParts(
        memoryViews(log, () => undefined),
        { periods: refuse, anchor: refuse },
      );
      const t = await feedWith({ log, views });
      const since = cursorAt(await t.end());
      await member(t, type, 'bob', { standing: type === 'MemberJoined' ? 'member' : 'invited' });
      if (type === 'MemberInvited') await member(t, 'MemberJoined', 'bob');
      const bob = await t.open('bob', since);
      expect(bob.frames.map(({ op }) => op)).toEqual(['welcome', 'event', 'caught_up']);
      expect(bob.events('a')).toEqual(['member.joined']);
    },
  );

  test('a change that this version cannot read changes nothing', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'before');
    await t.log.append({ subject: t.subjects.member('a', 'bob'), event: { type: 'MemberCrowned', v: 1 } as never });
    const bob = await t.open('bob', since);
    await t.writing.send('a', 'ann', 'after');
    await t.settle();
    expect(bob.timeline('a')).toEqual(['before', 'after']);
  });
});

describe('who came or went since the cursor', () => {
  test('and is in, is shown the coming once, from the log as from what the room remembers', async () => {
    const t = await feedWith();
    const since = cursorAt(await t.end());
    await t.writing.join('a', 'bob');
    await t.writing.send('a', 'ann', 'for bob');
    for (const reader of [await t.open('bob', since), await t.open('bob', since)])
      expect(reader.events('a')).toEqual(['member.joined', 'message.sent']);
  });

  test('gets the last of the stay that ended, though the room has not heard of it', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.open('ann');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'lost');
    await t.writing.leave('a', 'bob');
    await t.writing.join('a', 'bob');
    const bob = await t.open('bob', since);
    expect(bob.events('a')).toEqual(['message.sent', 'member.left', 'member.joined']);
  });

  test('gets what they said themselves, where they are out, whatever the echo mode', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'bob', 'mine');
    await t.writing.leave('a', 'bob');
    const bob = await t.open('bob', since, 'none');
    expect(bob.timeline('a')).toEqual(['mine']);
  });

  test('left, and comes back while being connected: nothing from in between, though it comes late', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.open('ann');
    const since = cursorAt(await t.end());
    await t.writing.leave('a', 'bob');
    t.hooks.atEnds = async () => {
      await t.writing.send('a', 'ann', 'lost');
      await t.writing.join('a', 'bob');
    };
    const bob = await t.open('bob', since);
    await t.writing.send('a', 'ann', 'for bob');
    await t.settle();
    expect(bob.events('a')).toEqual(['member.left', 'member.joined', 'message.sent']);
    expect(bob.timeline('a')).toEqual(['for bob']);
  });

  test('while the room waits for what was lost, is not shown what was lost before the coming', async () => {
    const t = await feedWith();
    await t.stopViews();
    const ann = await t.open('ann');
    let fill = (): void => undefined;
    t.hooks.atRead = () => new Promise<void>((resolve) => (fill = resolve));
    await t.writing.send('a', 'ann', 'lost');
    await t.writing.send('a', 'ann', 'after it');
    await t.settle();
    await t.writing.join('a', 'bob');
    const opening = t.open('bob');
    await t.settle();
    fill();
    const bob = await opening;
    await t.writing.send('a', 'ann', 'for bob too');
    await t.settle();
    expect(ann.timeline('a')).toEqual(['lost', 'after it', 'for bob too']);
    expect(bob.events('a')).toEqual(['member.joined', 'message.sent']);
    expect(bob.timeline('a')).toEqual(['for bob too']);
  });

  test('and was changed behind what the room waits for: another device is told of the change, though one opens on it', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.writing.roster('a', LIMITS.announcedMembers + 1);
    await t.stopViews();
    const other = await t.open('bob');
    let fill = (): void => undefined;
    t.hooks.atRead = () => new Promise<void>((resolve) => (fill = resolve));
    await t.writing.send('a', 'ann', 'lost');
    await t.writing.send('a', 'ann', 'after it');
    await t.settle();
    await t.writing.mute('a', 'bob', true);
    const opening = t.open('bob');
    await t.settle();
    fill();
    await opening;
    await t.settle();
    expect(other.events('a')).toEqual(['message.sent', 'message.sent', 'member.updated']);
  });

  test('is shown the coming, where the room was located by a leader that was behind it', async () => {
    const t = await feedWith();
    await t.stopViews();
    const before = await t.end();
    await t.writing.join('a', 'bob');
    const activate = t.feed.activate.bind(t.feed);
    t.feed.activate = async (...room) => {
      t.hooks.oldEnd = before;
      const active = await activate(...room);
      delete t.hooks.oldEnd;
      await t.writing.send('a', 'ann', 'for bob');
      await t.settle();
      return active;
    };
    const bob = await t.open('bob');
    await t.settle();
    expect(bob.events('a').slice(0, 2)).toEqual(['member.joined', 'message.sent']);
  });
});

describe('who comes or goes while being connected', () => {
  test('out and in again: gets the last of the first stay, though the room has not heard of it', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.open('ann');
    const since = cursorAt(await t.end());
    t.hooks.atEnds = async () => {
      await t.writing.send('a', 'ann', 'lost');
      await t.writing.leave('a', 'bob');
      await t.writing.join('a', 'bob');
    };
    const bob = await t.open('bob', since);
    expect(bob.events('a')).toEqual(['message.sent', 'member.left', 'member.joined']);
  });

  test('out, while the room is read: hears nothing of what comes after the leaving', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'in');
    t.hooks.atRead = async () => {
      await t.writing.leave('a', 'bob');
      await t.settle();
    };
    const bob = await t.open('bob', since);
    await t.writing.send('a', 'ann', 'not for bob');
    await t.settle();
    expect(bob.events('a')).toEqual(['message.sent', 'member.left']);
  });

  test('out, while the replay waits for the network: is shown the leaving, once, and nothing again', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('a', 'ann', 'in');
    const bob = await openSlowly(t, since, () => t.writing.leave('a', 'bob'));
    await t.settle();
    expect(bob.events('a')).toEqual(['message.sent', 'member.left']);
    expect(bob.frames.at(-1)).toMatchObject({ op: 'caught_up' });
  });

  test('into a room that they had left long ago: is shown neither the old stay again nor what was in between', async () => {
    const t = await feedWith();
    await t.writing.join('a', 'bob');
    await t.writing.send('a', 'ann', 'old');
    await t.writing.leave('a', 'bob');
    await t.writing.room('b', 'bob');
    const since = cursorAt(await t.end());
    await t.writing.send('b', 'bob', 'elsewhere');
    const bob = await openSlowly(t, since, async () => {
      await t.writing.send('a', 'ann', 'not for bob');
      await t.writing.join('a', 'bob');
    });
    await t.writing.send('a', 'ann', 'for bob');
    await t.settle();
    expect(bob.events('a')).toEqual(['member.joined', 'message.sent']);
    expect(bob.timeline('a')).toEqual(['for bob']);
  });
});
