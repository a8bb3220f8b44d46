import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ServerFrameOf } from '#contract';
import { type ChatState, described, fetched, initialState, placed, reduce } from './state.js';
import { message, tea as room, told, view, welcome } from './test-frames.js';

const MAX = 100;
const started = reduce(initialState(), welcome(true), MAX).state;
const seqsOf = (state: ChatState): number[] => state.rooms.get('tea')?.messages.map(({ seq }) => seq) ?? [];
const apply = (state: ChatState, ...frames: ServerFrameOf<'event'>[]): ChatState =>
  frames.reduce((before, frame) => reduce(before, frame, MAX).state, state);

describe('the timeline is a chain', () => {
  test('what follows is taken, what is known is dropped', () => {
    const state = apply(started, message(3, 0), message(5, 3), message(3, 0), message(5, 3));
    expect(seqsOf(state)).toEqual([3, 5]);
    expect(reduce(state, message(5, 3), MAX)).toEqual({ state, refetch: [], news: false });
  });

  test('a hole makes the room stale, once, and nothing behind it is shown', () => {
    const first = reduce(apply(started, message(3, 0)), message(9, 7), MAX);
    expect(first).toMatchObject({ refetch: ['tea'], news: false });
    expect(seqsOf(first.state)).toEqual([3]);
    expect(reduce(first.state, message(11, 9), MAX).refetch).toEqual([]);
  });

  test('a skip goes on over what the echo mode holds back', () => {
    const skipped = reduce(started, { op: 'skip', room: 'tea', seq: 4, prev: 0, key: 'k' }, MAX).state;
    expect(seqsOf(apply(skipped, message(6, 4)))).toEqual([6]);
  });

  test('whatever is repeated, a run of the log is shown once and in order', () => {
    const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
    fc.assert(
      fc.property(seqs, fc.array(fc.nat(60)), (chosen, repeats) => {
        const log = [...chosen].sort((a, b) => a - b).map((seq, i, all) => message(seq, all[i - 1] ?? 0));
        const noisy = log.flatMap((frame, i) => [
          frame,
          ...repeats.filter((r) => r % (i + 1) === 0).map((r) => log[Math.min(r, i)] ?? frame),
        ]);
        expect(seqsOf(apply(started, ...noisy))).toEqual(log.map(({ seq }) => seq));
      }),
    );
  });
});

describe('a room that is fetched again', () => {
  test('joins what it has with the page, where they meet', () => {
    const stale = apply(started, message(3, 0), message(9, 7));
    const state = fetched(stale, 'tea', { items: [9, 7, 5, 3].map(view), isAll: false }, MAX);
    expect(seqsOf(state)).toEqual([3, 5, 7, 9]);
    expect(state.rooms.get('tea')).toMatchObject({ stale: false, lastSeq: 9 });
  });

  test('keeps the page alone where they do not: there is never a hole in what is shown', () => {
    const stale = apply(started, message(3, 0), message(90, 80));
    const state = fetched(stale, 'tea', { items: [90, 80, 70].map(view), isAll: false }, MAX);
    expect(seqsOf(state)).toEqual([70, 80, 90]);
  });

  test('keeps an own message that the page is too old for', () => {
    const own = { ...view(95), room: 'tea', at: '' };
    const stale = placed(apply(started, message(3, 0), message(90, 80)), own, MAX);
    const page = { items: [90, 80, 70].map(view), isAll: false };
    expect(seqsOf(fetched(stale, 'tea', page, MAX))).toEqual([70, 80, 90, 95]);
  });

  test('after a resume that was not recovered every known room is fetched', () => {
    const known = apply(started, message(3, 0));
    const { state, refetch } = reduce(known, welcome(false, 50), MAX);
    expect(refetch).toEqual(['tea']);
    expect(state.rooms.get('tea')).toMatchObject({ stale: true, lastSeq: 50, messages: [] });
  });

  test('a room that the user is no longer in is gone after a resume that was not recovered', () => {
    const state = reduce(started, { ...welcome(false), rooms: [] }, MAX).state;
    expect(state.rooms.size).toBe(0);
  });
});

describe('state', () => {
  const member = (seq: number, standing: string): ServerFrameOf<'event'> => ({
    op: 'event',
    type: standing === 'member' ? 'member.joined' : 'member.left',
    room: 'tea',
    seq,
    actor: 'alice',
    at: '2026-01-01T00:00:00.000Z',
    data: { userId: 'alice', standing, role: 'member', muted: false, banned: false },
  });

  test('the highest sequence wins, in whatever order memberships come', () => {
    const events = [member(2, 'member'), member(4, 'left'), member(6, 'member')];
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: 3 }), (order) => {
        expect(apply(started, ...order).rooms.get('tea')?.joined).toBe(true);
      }),
    );
    expect(apply(started, member(4, 'left'), member(2, 'member')).rooms.get('tea')?.joined).toBe(false);
  });

  test('is replaced, never changed', () => {
    const before = structuredClone(started);
    apply(started, message(3, 0), member(5, 'left'));
    expect(started).toEqual(before);
  });

  test('keeps the newest messages only', () => {
    const frames = Array.from({ length: 22 }, (_, i) => message(i + 1, i));
    const state = frames.reduce((s, frame) => reduce(s, frame, 5).state, started);
    expect(seqsOf(state)).toEqual([18, 19, 20, 21, 22]);
  });
});

const tea = (state: ChatState) => state.rooms.get('tea');

describe('who is in a room', () => {
  const bob = (seq: number, data = {}) =>
    told('member.updated', seq, { userId: 'bob', standing: 'member', role: 'moderator', muted: true, ...data });

  test('is what the last event of each says, and changes nothing of one’s own', () => {
    const state = apply(started, bob(4), bob(6, { role: 'member', muted: false }), bob(5));
    expect([...(tea(state)?.members.values() ?? [])]).toEqual([
      { userId: 'bob', role: 'member', muted: false, seq: 6 },
    ]);
    expect(tea(state)).toMatchObject({ role: 'member', joined: true, name: 'Tea', lastSeq: 0 });
    expect(tea(apply(started, bob(4)))?.members.get('bob')).toMatchObject({ role: 'moderator', muted: true });
    expect(tea(apply(started, told('member.left', 4, { userId: 'bob', standing: 'left' })))?.joined).toBe(true);
  });

  test('is no news when it is repeated', () => {
    const state = apply(started, bob(4));
    expect(reduce(state, bob(4), MAX)).toEqual({ state, refetch: [], news: false });
    expect(reduce(state, bob(5), MAX)).toMatchObject({ refetch: [], news: true });
  });

  test('one’s own role and stay are the room’s', () => {
    const alice = (seq: number, type: 'member.updated' | 'member.left', standing: string) =>
      told(type, seq, { userId: 'alice', standing, role: 'moderator' });
    expect(tea(apply(started, alice(4, 'member.updated', 'member')))).toMatchObject({
      role: 'moderator',
      joined: true,
    });
    for (const gone of [alice(4, 'member.left', 'member'), alice(4, 'member.updated', 'removed')])
      expect(tea(apply(started, gone))?.joined).toBe(false);
  });
});

describe('what a room is', () => {
  const changed = (seq: number, data: Record<string, unknown>) => told('room.updated', seq, data);

  test('is what its last event says, where it says it', () => {
    const state = apply(started, changed(6, { kind: 'channel', name: 'Tea time', participants: ['alice', 'bob'] }));
    expect(tea(state)).toMatchObject({ kind: 'channel', name: 'Tea time', participants: ['alice', 'bob'], seq: 6 });
    const later = apply(
      state,
      changed(5, { name: 'Late' }),
      changed(6, { name: 'Again' }),
      changed(8, { kind: 'room' }),
    );
    expect(tea(later)).toMatchObject({ kind: 'room', name: 'Tea time', participants: ['alice', 'bob'], seq: 8 });
    expect(reduce(later, changed(8, {}), MAX)).toEqual({ state: later, refetch: [], news: false });
  });

  test('is not what says how many are in it', () => {
    const state = apply(started, told('members.changed', 9, { members: 2_000, name: 'no name' }));
    expect(tea(state)).toEqual(tea(started));
  });

  test('is told by a description until an event has', () => {
    const view = { id: 'tea', kind: 'channel', name: 'Described', participants: ['alice', 'bob'] } as never;
    expect(tea(described(started, view))).toMatchObject({
      kind: 'channel',
      name: 'Described',
      participants: ['alice', 'bob'],
    });
    expect(tea(described(started, { id: 'tea', kind: 'room', name: 'Described' } as never))?.participants).toEqual([]);
    const known = apply(started, changed(6, { name: 'Newer' }));
    expect(described(known, view)).toBe(known);
    expect(described(initialState(), view).rooms.size).toBe(0);
  });

  test('is its id where nothing has said more, and nobody is in it yet', () => {
    const state = apply(initialState(), message(5, 3));
    expect(tea(state)).toMatchObject({ kind: 'room', name: 'tea', role: 'member', joined: false, lastSeq: 5 });
    expect(seqsOf(state)).toEqual([5]);
  });
});

describe('a room that nothing was told of begins', () => {
  const joined = (userId: string) => told('member.joined', 8, { userId, standing: 'member', role: 'member' });
  const alone = { ...initialState(), user: 'alice' };

  test('with one’s own joining: what was said before is no hole', () => {
    expect(reduce(apply(alone, joined('alice')), message(9, 7), MAX)).toMatchObject({ refetch: [], news: true });
  });

  test.each([
    ['another’s joining', joined('bob')],
    ['another change of one’s own', { ...joined('alice'), type: 'member.updated' as const }],
  ])('with %s: what was said before it is a hole', (_, event) => {
    expect(reduce(apply(alone, event), message(9, 7), MAX)).toMatchObject({ refetch: ['tea'], news: false });
  });
});

describe('welcome', () => {
  test('has only those rooms fetched again that something is known of', () => {
    const cake = { ...room(), room: 'cake', kind: 'channel' as const, participants: ['alice', 'bob'] };
    const told = { ...welcome(false, 7), rooms: [room(7), cake] };
    const { state, refetch, news } = reduce(started, told, MAX);
    expect([refetch, news]).toEqual([['tea'], true]);
    expect(state.rooms.get('cake')).toMatchObject({ kind: 'channel', participants: ['alice', 'bob'], stale: false });
    expect(tea(state)?.participants).toEqual([]);
  });

  test('that recovered leaves a room what it has, and gives it the name that it has now', () => {
    const state = apply(started, message(3, 0));
    const after = reduce(state, { ...welcome(true, 9), rooms: [{ ...room(9), name: 'Renamed' }] }, MAX).state;
    expect(tea(after)).toEqual({ ...tea(state), name: 'Renamed' });
  });
});

describe('a page', () => {
  test('that begins with the last message of the room joins it; one that begins after it does not', () => {
    const stale = apply(started, message(1, 0), message(3, 1), message(9, 7));
    const from = (seqs: number[]) => seqsOf(fetched(stale, 'tea', { items: seqs.map(view), isAll: false }, MAX));
    expect(from([9, 7, 3])).toEqual([1, 3, 7, 9]);
    expect(from([9, 7, 4])).toEqual([4, 7, 9]);
  });

  test('of a room that is not there changes nothing; neither does an own message', () => {
    const empty = initialState();
    expect(fetched(empty, 'tea', { items: [view(3)], isAll: true }, MAX)).toBe(empty);
    expect(placed(empty, { ...view(3), room: 'tea', at: '' }, MAX)).toBe(empty);
  });
});

test('an own message that is acknowledged late stands in its place', () => {
  const state = apply(started, message(3, 0), message(7, 3));
  expect(seqsOf(placed(state, { ...view(5), room: 'tea', at: '' }, MAX))).toEqual([3, 5, 7]);
});

test('an event of a later version has its place on the timeline, and is no message', () => {
  const state = apply(started, told('message.pinned' as never, 3, {}, 0));
  expect([seqsOf(state), tea(state)?.lastSeq]).toEqual([[], 3]);
  expect(reduce(state, message(5, 3), MAX)).toMatchObject({ refetch: [], news: true });
});

test('what falls behind a hole is no news, and neither is a frame of something else', () => {
  const stale = apply(started, message(5, 3));
  expect(reduce(stale, message(9, 7), MAX)).toEqual({ state: stale, refetch: [], news: false });
  const pong = { op: 'pong', cursor: 'e.1' } as const;
  expect(reduce(stale, pong as never, MAX)).toEqual({ state: stale, refetch: [], news: false });
});
