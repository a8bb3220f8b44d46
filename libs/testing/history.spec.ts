import { describe, expect, test } from '@jest/globals';
import { Subjects } from '#contract';
import { example, memberOf, SHED, TEA } from './history-example.js';
import { kindsAfter, type Plant } from './history-plant.js';
import { checkHistory, type ViolationKind } from './history.js';

const subjects = new Subjects(2);

test('finds nothing in a true history', () => {
  expect(checkHistory(example().history)).toEqual([]);
});

describe('finds a planted fault:', () => {
  const faults: [string, ViolationKind[], Plant][] = [
    [
      'an acknowledged send that is not in the log',
      ['lost'],
      ({ ann }) => {
        ann.sends.push({ room: TEA, key: 'x', content: 'lost', sentAt: 0, outcome: { kind: 'acknowledged', seq: 99 } });
      },
    ],
    [
      'a send that is in the log twice',
      ['missing', 'stored-twice', 'view-inbox', 'view-messages'],
      ({ writer }) => {
        writer.say(TEA, 'ann', 'hello');
      },
    ],
    [
      'an unanswered send that is in the log twice',
      ['missing', 'stored-twice', 'view-inbox', 'view-messages'],
      ({ writer, ann }) => {
        ann.sends.push({ room: TEA, key: 'x', content: 'again', sentAt: 0, outcome: { kind: 'unknown' } });
        writer.say(TEA, 'ann', 'again');
        writer.say(TEA, 'ann', 'again');
      },
    ],
    [
      'a refused send that is in the log',
      ['stored-though-refused'],
      ({ ann }) => {
        const send = ann.sends[1];
        if (send) send.outcome = { kind: 'refused', code: 'muted' };
      },
    ],
    [
      'an acknowledgement that names another place',
      ['stored-elsewhere'],
      ({ ann }) => {
        const send = ann.sends[1];
        if (send) send.outcome = { kind: 'acknowledged', seq: 1 };
      },
    ],
    [
      'an acknowledgement that names another message',
      ['stored-elsewhere'],
      ({ ann, at }) => {
        const send = ann.sends[1];
        if (send) send.outcome = { kind: 'acknowledged', seq: at.hello.seq, id: 'msg_1' };
      },
    ],
    ['a message that nobody sent', ['unsent'], ({ bob }) => void bob.sends.pop()],
    [
      'a message after its sender has left',
      ['missing', 'view-inbox', 'view-messages', 'without-membership'],
      ({ writer, cid }) => {
        cid.sends.push({ room: TEA, key: 'x', content: 'late', sentAt: 0, outcome: { kind: 'unknown' } });
        writer.say(TEA, 'cid', 'late');
      },
    ],
    [
      'a message of somebody who never was a member',
      ['missing', 'view-inbox', 'view-messages', 'without-membership'],
      ({ writer }) => {
        writer.say(TEA, 'eve', 'hi');
      },
    ],
    [
      'more members than seats',
      ['over-capacity', 'state-missing', 'view-count', 'view-members'],
      ({ writer }) => {
        writer.join(SHED, 'dot', 2);
      },
    ],
    [
      'a roster that counts wrong',
      ['roster-differs', 'state-missing', 'view-count', 'view-members'],
      ({ writer }) => {
        const member = memberOf('dot', 'MemberJoined');
        writer.append(subjects.member(SHED, 'dot'), { type: 'MemberJoined', actor: 'dot', data: { member } });
      },
    ],
    [
      'a log whose times do not rise',
      ['differs', 'out-of-order'],
      ({ history }) => {
        const last = history.log.at(-1)!;
        history.log.splice(-1, 1, { ...last, at: 0 });
      },
    ],
    [
      'an entry that cannot be read',
      ['unreadable'],
      ({ history }) => {
        const last = history.log.at(-1)!;
        history.log.push({ ...last, seq: last.seq + 1, decoded: { kind: 'unreadable', reason: 'not JSON' } });
      },
    ],
    [
      'a message that the view lacks',
      ['view-messages'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({ ...room, messages: room.messages.slice(1) }));
      },
    ],
    [
      'a message that the view has twice',
      ['view-messages'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({
          ...room,
          messages: [...room.messages, ...room.messages.slice(-1)],
        }));
      },
    ],
    [
      'a member that the view lacks',
      ['view-members'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({ ...room, members: room.members.slice(1) }));
      },
    ],
    [
      'a member with another role',
      ['view-members'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({
          ...room,
          members: room.members.map((member) => ({ ...member, role: 'owner' as const })),
        }));
      },
    ],
    [
      'a count that is wrong',
      ['view-count'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({ ...room, memberCount: 3 }));
      },
    ],
    [
      'a room that the log does not know',
      ['view-room'],
      ({ history }) => {
        history.rooms = [{ room: 'attic', memberCount: 0, members: [], messages: [] }];
      },
    ],
    [
      'a wrong unread count',
      ['view-inbox'],
      ({ history }) => {
        history.inboxes = history.inboxes.map(({ user, entries }) => ({
          user,
          entries: entries.map((entry) => ({ ...entry, unread: entry.unread + 1 })),
        }));
      },
    ],
    [
      'a wrong last message',
      ['view-inbox'],
      ({ history }) => {
        history.inboxes = history.inboxes.map(({ user, entries }) => ({
          user,
          entries: entries.map((entry) => ({ ...entry, lastMessageId: null })),
        }));
      },
    ],
    [
      'an inbox that lacks a room',
      ['view-inbox'],
      ({ history }) => {
        history.inboxes = history.inboxes.map(({ user }) => ({ user, entries: [] }));
      },
    ],
    [
      'an inbox with a room that was left',
      ['view-inbox'],
      ({ history }) => {
        const entry = { room: TEA, unread: 0, lastMessageId: null, readUpTo: null };
        history.inboxes = [
          { user: 'cid', entries: [{ ...entry, room: SHED, unread: 2, lastMessageId: 'msg_1' }, entry] },
        ];
      },
    ],
  ];

  test.each(faults)('%s', (_, kinds, plant) => {
    expect(kindsAfter(plant)).toEqual([...kinds].sort());
  });
});
