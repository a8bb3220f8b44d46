import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { MessageView, ServerFrameOf } from '#contract';
import { type ChatState, fetched, initialState, placed, reduce } from './state.js';

const MAX = 100;
const room = (seq = 0) => ({ room: 'tea', kind: 'room' as const, name: 'Tea', role: 'member', seq, ordinal: 0 });

const welcome = (recovered: boolean, seq = 0): ServerFrameOf<'welcome'> => ({
  op: 'welcome',
  session: 's',
  user: 'alice',
  cursor: 'e.0',
  recovered,
  heartbeatMs: 1_000,
  time: '2026-01-01T00:00:00.000Z',
  rooms: [room(seq)],
});

const message = (seq: number, prev: number): ServerFrameOf<'event'> => ({
  op: 'event',
  type: 'message.sent',
  room: 'tea',
  seq,
  prev,
  actor: 'bob',
  at: '2026-01-01T00:00:00.000Z',
  data: { id: `msg_${seq}`, sender: 'bob', content: `${seq}`, type: 'text', metadata: {}, mentions: [], replyTo: null },
});

const view = (seq: number): MessageView => ({
  id: `msg_${seq}`,
  roomId: 'tea',
  seq,
  ordinal: seq,
  sender: 'bob',
  content: `${seq}`,
  type: 'text',
  metadata: {},
  mentions: [],
  replyTo: null,
  reactions: {},
  editedAt: null,
  deletedAt: null,
  createdAt: '2026-01-01T00:00:00.000Z',
});

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
    const frames = Array.from({ length: 20 }, (_, i) => message(i + 1, i));
    const state = frames.reduce((s, frame) => reduce(s, frame, 5).state, started);
    expect(seqsOf(state)).toEqual([16, 17, 18, 19, 20]);
  });
});
