/** What of a room's events a user may see, event by event. */
import { describe, expect, test } from '@jest/globals';
import { type ChatEvent, EVENT_VERSION, type MemberState } from '#contract';
import { bytesOf, roomEvent, type RoomEvent } from './room-event.js';
import { LINES } from './test-feed.js';
import { announcedToSelf, hasLeft, openStay, visibleTo, wasMemberAt } from './visible.js';

type Standing = MemberState['standing'];

function eventAt(seq: number, event: Pick<ChatEvent, 'type' | 'data'>, actor: string, announced = true): RoomEvent {
  const kind = 'member' in event.data ? 'member' : 'room' in event.data ? 'config' : 'timeline';
  const subject = { kind, partition: 0, roomId: 'den', userToken: actor } as Parameters<typeof roomEvent>[1];
  const decoded = { kind: 'event', event: { v: EVENT_VERSION, actor, ...event } as ChatEvent } as const;
  const placing = { prev: undefined, ordinal: 0, announced, participants: undefined };
  return roomEvent({ partition: 0, seq, subject: '', prev: undefined, at: 0, decoded }, subject, placing);
}

const said = (seq: number): RoomEvent =>
  eventAt(seq, { type: 'MessageSent', data: { content: 'hello', type: 'text' } }, 'zoe');

const stands = (seq: number, userId: string, standing: Standing, announced = true): RoomEvent => {
  const member = { userId, standing, role: 'member', muted: false, banned: false } as const;
  const type = standing === 'member' ? 'MemberJoined' : 'MemberLeft';
  return eventAt(seq, { type, data: { member } }, userId, announced);
};

const made = (seq: number, by: string): RoomEvent => {
  const room = { kind: 'room', name: 'den', description: '', isPrivate: false, maxMembers: 9, settings: {} } as const;
  return eventAt(seq, { type: 'RoomCreated', data: { room: { ...room, createdBy: by, archived: false } } }, by);
};

const unreadable = (seq: number): RoomEvent => {
  const decoded = { kind: 'unreadable', reason: 'of a later version' } as const;
  const place = { kind: 'timeline', partition: 0, roomId: 'den' } as const;
  const placing = { prev: 0, ordinal: 0, announced: true, participants: undefined };
  return roomEvent({ partition: 0, seq, subject: '', prev: undefined, at: 0, decoded }, place, placing);
};

const seqs = (events: readonly RoomEvent[]): number[] => events.map(({ seq }) => seq);

test('a period has its beginning and not its end', () => {
  const periods = [
    { from: 3, to: 5 },
    { from: 8, to: undefined },
  ];
  expect([2, 3, 4, 5, 7, 8, 9].filter((seq) => wasMemberAt(periods, seq))).toEqual([3, 4, 8, 9]);
  expect(wasMemberAt([], 1)).toBe(false);
});

describe('what is visible', () => {
  const history = [
    said(1),
    stands(2, 'ann', 'member'),
    said(3),
    stands(4, 'bob', 'member'),
    stands(5, 'ann', 'left'),
    said(6),
    stands(7, 'ann', 'left'),
    stands(8, 'ann', 'member'),
    unreadable(9),
  ];

  test('stays, with both their ends; an event that cannot be read has its place', () => {
    expect(seqs(visibleTo('ann', history, false))).toEqual([2, 3, 4, 5, 8, 9]);
    expect(seqs(visibleTo('ann', history, true))).toEqual([1, 2, 3, 4, 5, 8, 9]);
    expect(seqs(visibleTo('cyd', history, false))).toEqual([]);
  });

  test('the making of a room, to whoever made it', () => {
    const making = [made(1, 'ann'), stands(2, 'ann', 'member')];
    expect(seqs(visibleTo('ann', making, false))).toEqual([1, 2]);
    expect(seqs(visibleTo('zoe', [made(1, 'ann'), said(2), unreadable(3)], false))).toEqual([]);
  });

  test('one’s own coming, also where a large room announces nobody’s', () => {
    const event = stands(2, 'ann', 'member', false);
    expect(bytesOf(event, LINES)).toBeUndefined();
    const [own] = visibleTo('ann', [event], false);
    expect(own?.announced).toBe(true);
    expect(bytesOf(own!, LINES)?.toString()).toContain('member.joined');
    expect(announcedToSelf(own!)).toBe(own);
  });
});

test('an open stay began with its last coming', () => {
  expect(openStay([], false)).toBeUndefined();
  expect(openStay([stands(1, 'ann', 'member')], false)?.seq).toBe(1);
  expect(openStay([stands(1, 'ann', 'member')], true)).toBeUndefined();
  expect(openStay([stands(1, 'ann', 'left'), stands(2, 'ann', 'member')], true)?.seq).toBe(2);
  expect(openStay([stands(1, 'ann', 'member'), stands(2, 'ann', 'left')], false)).toBeUndefined();
  expect(openStay([stands(1, 'ann', 'member'), unreadable(2)], false)).toBeUndefined();
});

test('whether somebody went, after a place', () => {
  const events = [stands(1, 'ann', 'member'), stands(4, 'ann', 'left'), stands(6, 'bob', 'left'), said(7)];
  expect(hasLeft(events, 'ann', 3)).toBe(true);
  expect(hasLeft(events, 'ann', 4)).toBe(false);
  expect(hasLeft(events, 'bob', 4)).toBe(true);
  expect(hasLeft(events, 'cyd', 0)).toBe(false);
  expect(hasLeft([stands(5, 'ann', 'member')], 'ann', 0)).toBe(false);
});
