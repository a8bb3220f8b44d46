/** Faults of the kinds that came with times, positions, seats by the room's own word, and the smaller read models. */
import { describe, expect, test } from '@jest/globals';
import { messageId, Subjects, type RoomState } from '#contract';
import { cursorAfter, eventFrame, frameStep, SHED, TEA, welcome } from './history-example.js';
import { type Example, frameOf, kindsAfter, type Plant } from './history-plant.js';
import type { Fetched, ViolationKind } from './history.js';
import { aRoom } from './happenings.js';

const subjects = new Subjects(2);

function config(example: Example, room: string, type: 'RoomCreated' | 'RoomChanged', change: Partial<RoomState>): void {
  example.writer.append(subjects.config(room), { type, actor: 'cid', data: { room: aRoom(change) } });
}

function roster(example: Example, room: string, members: number, limit: number): void {
  const data = { roster: { members, limit, moderators: [] } };
  example.writer.append(subjects.roster(room), { type: 'RosterChanged', actor: 'cid', data });
}

const move = (room: string, what: 'join' | 'leave', position: string, changed = true) => ({
  room,
  what,
  position,
  changed,
  sentAt: 0,
  answeredAt: 0,
});

describe('finds a planted fault:', () => {
  const faults: [string, ViolationKind[], Plant][] = [
    [
      'a send that stands ahead of what was acknowledged before it was sent',
      ['overtaken'],
      ({ ann, history }) => {
        Object.assign(ann.sends[1]!, { sentAt: 30, answeredAt: 40 });
        Object.assign(ann.sends[2]!, { sentAt: 10, answeredAt: 20 });
        for (const client of history.clients) client.steps = client.steps.map((step) => ({ ...step, at: 100 }));
      },
    ],
    [
      'a message that was received before it was sent',
      ['too-early'],
      ({ ann }) => {
        Object.assign(ann.sends[2]!, { sentAt: 5, answeredAt: 6 });
      },
    ],
    [
      'a leave that was acknowledged and is not there',
      ['not-moved'],
      ({ cid, at }) => void (cid.moves = [move(TEA, 'leave', `1-${at.away.seq}`)]),
    ],
    [
      'a join that had nothing to do, of somebody who was not in',
      ['not-moved'],
      ({ cid, at }) => void (cid.moves = [move(TEA, 'join', `1-${at.cidLeft.seq}`, false)]),
    ],
    [
      'seats that only the roster knows of',
      ['over-capacity', 'roster-differs', 'state-missing', 'view-count', 'view-members'],
      (example) => {
        config(example, SHED, 'RoomCreated', { maxMembers: 2 });
        example.writer.join(SHED, 'dot');
      },
    ],
    ['a limit below the number of members', ['over-capacity'], (example) => roster(example, SHED, 2, 1)],
    [
      "a roster whose limit is not the room's",
      ['roster-differs', 'state-missing'],
      (example) => {
        roster(example, SHED, 2, 9);
        config(example, SHED, 'RoomChanged', { maxMembers: 8 });
      },
    ],
    [
      'what a room has become, which nobody was told',
      ['state-missing'],
      (example) => config(example, SHED, 'RoomChanged', { maxMembers: 10 }),
    ],
    [
      'a member event that is not in the log',
      ['not-in-log'],
      ({ ann, at }) => void ann.steps.push(frameStep({ ...eventFrame(at.annIn), seq: 77 })),
    ],
    [
      'a member event with another role',
      ['differs'],
      ({ ann, at }) => void (frameOf(ann, at.annIn).data['role'] = 'owner'),
    ],
    [
      'a member event of another time',
      ['differs'],
      ({ ann, at }) => void (frameOf(ann, at.annIn).at = new Date(0).toISOString()),
    ],
    [
      'a member event that came twice on one connection',
      ['repeat'],
      ({ ann, at }) => void ann.steps.push(frameStep(eventFrame(at.annIn))),
    ],
    [
      'typing in a room that one was never in',
      ['outside-membership'],
      ({ bob }) => void bob.steps.push(frameStep({ op: 'typing', room: SHED, user: 'cid', typing: true })),
    ],
    [
      'a welcome to a room that one was never in',
      ['no-start', 'outside-membership'],
      ({ bob, at }) =>
        void bob.steps.splice(0, 1, frameStep(welcome('bob', cursorAfter(at.before), false, { [SHED]: 9 }))),
    ],
    [
      'the history of a room that one was never in',
      ['outside-membership'],
      ({ bob, at }) => {
        const messages: Fetched[] = [
          { id: messageId(at.first), seq: at.first.seq, ordinal: 1, sender: 'cid', content: 'nobody here' },
        ];
        bob.steps.push({ kind: 'refetched', at: 0, room: SHED, messages });
      },
    ],
    [
      'an answer without what it was asked to include',
      ['refetch-short'],
      ({ bob, at }) =>
        void bob.steps.push({
          kind: 'refetched',
          at: 0,
          room: TEA,
          messages: [],
          after: at.reply.seq,
          position: cursorAfter(at.away),
        }),
    ],
    [
      'a resume that was said to be recovered and lacks its first message',
      ['missing', 'not-recovered'],
      ({ bob, at }) => {
        const again = bob.steps.findIndex(({ kind }) => kind === 'closed') + 1;
        const lost = bob.steps.findIndex(
          (step, i) =>
            i > again && step.kind === 'frame' && step.frame.op === 'event' && step.frame.seq === at.secret.seq,
        );
        bob.steps.splice(lost, 1);
        bob.steps = bob.steps.filter(
          (step) => !(step.kind === 'frame' && step.frame.op === 'skip' && step.frame.seq === at.secret.seq),
        );
      },
    ],
    [
      'a room that the views do not have',
      ['view-room'],
      (example) => {
        config(example, 'attic', 'RoomCreated', {});
        example.history.allRooms = true;
      },
    ],
    [
      'a room with another name',
      ['view-room'],
      (example) => {
        config(example, 'attic', 'RoomCreated', { name: 'Attic' });
        example.history.rooms = [
          { room: 'attic', memberCount: 0, members: [], messages: [], view: { name: 'Cellar' } },
        ];
      },
    ],
    [
      'a member who joined at another time',
      ['view-members'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({
          ...room,
          members: room.members.map((member) => ({ ...member, joinedAt: new Date(0).toISOString() })),
        }));
      },
    ],
    [
      'a message with other metadata',
      ['view-messages'],
      ({ history }) => {
        history.rooms = history.rooms.map((room) => ({
          ...room,
          messages: room.messages.map((message) => ({ ...message, metadata: { color: 'red' } })),
        }));
      },
    ],
    [
      'a status that nobody set',
      ['view-users'],
      ({ history }) => void (history.users = [{ user: 'ann', status: { mood: 'well' } }]),
    ],
    [
      'a profile of before',
      ['view-users'],
      ({ history, writer }) => {
        const profile = { username: 'Ann', displayName: 'Ann A.', avatarUrl: '' };
        writer.append(subjects.profile('ann'), { type: 'ProfileChanged', actor: 'ann', data: profile });
        history.users = [{ user: 'ann', profile: { ...profile, displayName: 'Ann' } }];
      },
    ],
    [
      'a key that is not kept',
      ['view-keys'],
      (example) => {
        config(example, 'attic', 'RoomCreated', {});
        const last = example.history.log.at(-1)!;
        if (last.decoded.kind !== 'event') return;
        const event = { ...last.decoded.event, key: { id: 'k', body: 'b' } };
        example.history.log.splice(-1, 1, { ...last, decoded: { kind: 'event', event } });
        example.history.keys = [];
      },
    ],
    [
      'a key that no event carries',
      ['view-keys'],
      ({ history }) => void (history.keys = [{ id: 'k', partition: 0, seq: 1, body: 'b' }]),
    ],
  ];

  test.each(faults)('%s', (_, kinds, plant) => {
    expect(kindsAfter(plant)).toEqual([...kinds].sort());
  });
});
