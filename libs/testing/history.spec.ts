import { describe, expect, test } from '@jest/globals';
import { Subjects, type ServerFrameOf } from '#contract';
import { checkHistory, describeViolations, type ViolationKind } from './history.js';
import {
  cursorAfter,
  cursorAt,
  eventFrame,
  example,
  frameStep,
  memberOf,
  SHED,
  skipFrame,
  TEA,
  welcome,
} from './history-example.js';

type Example = ReturnType<typeof example>;
type Plant = (example: Example) => void;

const subjects = new Subjects(2);

function kindsAfter(plant: Plant): ViolationKind[] {
  const planted = example();
  plant(planted);
  return [...new Set(checkHistory(planted.history).map(({ kind }) => kind))].sort();
}

/** Puts a frame in place of the step that shows the entry, or takes the step out. */
function stepOf({ steps }: Example['ann'], { seq, subject }: Example['at']['hello']): number {
  const room = subject.split('.')[3];
  return steps.findIndex(({ kind, ...rest }) => {
    const frame = kind === 'frame' && 'frame' in rest ? rest.frame : undefined;
    return (frame?.op === 'event' || frame?.op === 'skip') && frame.room === room && frame.seq === seq;
  });
}

function frameOf(client: Example['ann'], entry: Example['at']['hello']): ServerFrameOf<'event'> {
  const step = client.steps[stepOf(client, entry)];
  if (step?.kind !== 'frame' || step.frame.op !== 'event') throw new Error('the client has no such event');
  return step.frame;
}

const without = (client: Example['ann'], entry: Example['at']['hello']): void =>
  void client.steps.splice(stepOf(client, entry), 1);

test('finds nothing in a true history', () => {
  expect(checkHistory(example().history)).toEqual([]);
});

describe('finds a planted fault:', () => {
  const faults: [string, ViolationKind[], Plant][] = [
    [
      'an acknowledged send that is not in the log',
      ['lost'],
      ({ ann }) => {
        ann.sends.push({ room: TEA, key: 'x', content: 'lost', outcome: { kind: 'acknowledged', seq: 99 } });
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
        ann.sends.push({ room: TEA, key: 'x', content: 'again', outcome: { kind: 'unknown' } });
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
        cid.sends.push({ room: TEA, key: 'x', content: 'late', outcome: { kind: 'unknown' } });
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
      ['over-capacity', 'view-count', 'view-members'],
      ({ writer }) => {
        writer.join(SHED, 'dot', 2);
      },
    ],
    [
      'a roster that counts wrong',
      ['roster-differs', 'view-count', 'view-members'],
      ({ writer }) => {
        const member = memberOf('dot', 'MemberJoined');
        writer.append(subjects.member(SHED, 'dot'), { type: 'MemberJoined', actor: 'dot', data: { member } });
      },
    ],
    [
      'a log whose times do not rise',
      ['out-of-order'],
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
    ['an event that never came', ['cursor-ahead', 'hole', 'missing'], ({ ann, at }) => without(ann, at.reply)],
    [
      'the last event that never came, and no cursor that covers it',
      ['missing'],
      ({ ann, at }) => {
        without(ann, at.second);
        ann.steps.pop();
      },
    ],
    ['a skip that never came', ['cursor-ahead', 'hole', 'missing'], ({ ann, at }) => without(ann, at.hello)],
    [
      'two events that changed places',
      ['hole', 'missing', 'repeat', 'cursor-ahead'],
      ({ bob, at }) => {
        const [one, other] = [stepOf(bob, at.hello), stepOf(bob, at.reply)];
        [bob.steps[one], bob.steps[other]] = [bob.steps[other]!, bob.steps[one]!];
      },
    ],
    [
      'an event that came twice on one connection',
      ['repeat'],
      ({ ann, at }) => {
        ann.steps.splice(stepOf(ann, at.reply), 0, frameStep(eventFrame(at.reply, 3)));
      },
    ],
    [
      'an event that is not in the log',
      ['not-in-log'],
      ({ ann, at }) => {
        ann.steps.push(frameStep({ ...eventFrame(at.away, 5), seq: 90 }));
      },
    ],
    [
      'an event with another content',
      ['differs'],
      ({ ann, at }) => {
        frameOf(ann, at.reply).data['content'] = 'rely';
      },
    ],
    [
      'an event with another number in the room',
      ['differs'],
      ({ ann, at }) => {
        frameOf(ann, at.reply).data['ordinal'] = 4;
      },
    ],
    [
      'an event with another sender',
      ['differs'],
      ({ ann, at }) => {
        frameOf(ann, at.reply).data['sender'] = 'ann';
      },
    ],
    [
      'a chain that names another predecessor',
      ['differs'],
      ({ ann, at }) => {
        frameOf(ann, at.reply).prev = at.before.seq;
      },
    ],
    [
      'an event after leaving',
      ['outside-membership'],
      ({ cid, at }) => {
        cid.steps.splice(stepOf(cid, at.cidLeft) + 1, 0, frameStep(eventFrame(at.secret, 4)));
      },
    ],
    [
      'an event from before joining',
      ['outside-membership'],
      ({ ann, at }) => {
        ann.steps.splice(stepOf(ann, at.annIn) + 1, 0, frameStep(eventFrame(at.first, 1)));
      },
    ],
    [
      'news about members of a room that one is not in',
      ['outside-membership'],
      ({ bob, at }) => {
        bob.steps.push(frameStep(eventFrame(at.cidIn)));
      },
    ],
    [
      "somebody else's message held back",
      ['skipped-foreign'],
      ({ ann, at }) => {
        ann.steps[stepOf(ann, at.reply)] = frameStep(skipFrame(at.reply));
      },
    ],
    [
      'a cursor that covers what comes later',
      ['cursor-ahead'],
      ({ bob, at }) => {
        bob.steps.splice(2, 0, frameStep({ op: 'cursor', cursor: cursorAfter(at.reply) }));
      },
    ],
    [
      'a cursor that is none',
      ['no-start'],
      ({ ann }) => void ann.steps.push(frameStep({ op: 'pong', cursor: 'soon' })),
    ],
    [
      'a welcome whose cursor covers what was never delivered',
      ['cursor-ahead'],
      ({ bob, at }) => {
        const again = bob.steps.findIndex(({ kind }) => kind === 'closed') + 1;
        bob.steps[again] = frameStep(welcome('bob', cursorAfter(at.away), true));
      },
    ],
    [
      'an event before the welcome',
      ['no-start'],
      ({ ann, at }) => void ann.steps.unshift(frameStep(eventFrame(at.before, 1))),
    ],
    [
      'a start that is not where its cursor says',
      ['no-start'],
      ({ ann, at }) => {
        ann.steps[0] = frameStep(welcome('ann', cursorAfter(at.before), false, { [TEA]: at.before.seq - 1 }));
      },
    ],
    [
      'a resume that was not recovered and left a hole',
      ['missing'],
      ({ cid }) => {
        cid.steps = cid.steps.filter(({ kind }) => kind !== 'refetched');
      },
    ],
    [
      'history that says something else',
      ['differs'],
      ({ cid }) => {
        cid.steps = cid.steps.map((step) =>
          step.kind === 'refetched'
            ? { ...step, messages: step.messages.map((message) => ({ ...message, content: 'else' })) }
            : step,
        );
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
      ['view-messages'],
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

test('judges only what a client saw when it was gone before the log ended', () => {
  const { history, ann } = example();
  ann.complete = false;
  ann.steps.splice(3);
  expect(checkHistory(history)).toEqual([]);
});

test('allows the same events again after a resume', () => {
  const { history, bob, at } = example();
  const again = bob.steps.findIndex(({ kind }) => kind === 'closed') + 1;
  bob.steps.splice(again + 1, 0, frameStep(eventFrame(at.hello, 2)), frameStep(eventFrame(at.reply, 3)));
  expect(checkHistory(history)).toEqual([]);
});

test('tells a violation in a sentence, with the records that show it', () => {
  const { history, ann, at } = example();
  without(ann, at.second);
  ann.steps.pop();
  const text = describeViolations(checkHistory(history));
  expect(text).toContain(`missing: ann-1 (ann) in shed: never received 1 of 1, first ${at.second.seq}`);
  expect(text).toContain('"content":"ann is here"');
  expect(cursorAt({})).toBe('e1.0.0');
});
