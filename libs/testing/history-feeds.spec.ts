import { describe, expect, test } from '@jest/globals';
import { cursorAfter, cursorAt, eventFrame, example, frameStep, skipFrame, TEA, welcome } from './history-example.js';
import { frameOf, kindsAfter, type Plant, stepOf, without } from './history-plant.js';
import { checkHistory, describeViolations, type ViolationKind } from './history.js';

describe('finds a planted fault:', () => {
  const faults: [string, ViolationKind[], Plant][] = [
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
    ['a leaving that was never told', ['state-missing'], ({ ann, at }) => without(ann, at.cidLeft)],
    ['an own joining that was never told', ['state-missing'], ({ ann, at }) => without(ann, at.annIn)],
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
      ['not-refetched'],
      ({ cid }) => {
        cid.steps = cid.steps.filter(({ kind }) => kind !== 'refetched');
      },
    ],
    [
      'history that says something else',
      ['differs'],
      ({ cid }) => {
        cid.steps = cid.steps.map((step) =>
          step.kind === 'refetched' && step.messages !== 'refused'
            ? { ...step, messages: step.messages.map((message) => ({ ...message, content: 'else' })) }
            : step,
        );
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

test('forgives what came after a leaving that was not told, where copies were lost, and nothing after it was', () => {
  const lost = (until: 'leaving' | 'cursor' | 'nothing', broken = { from: 0, to: 2_000 }): ViolationKind[] => {
    const { history, cid, at } = example();
    const leaving = stepOf(cid, at.cidLeft);
    const secret = frameStep(eventFrame(at.secret, 4));
    const cursor = frameStep({ op: 'cursor', cursor: cursorAfter(at.cidLeft) });
    if (until === 'nothing') cid.steps.splice(leaving, 0, secret);
    if (until === 'leaving') cid.steps.splice(leaving + 1, 0, secret);
    if (until === 'cursor') cid.steps.splice(leaving, 0, cursor, secret);
    return checkHistory({ ...history, copiesLost: [broken] }).map(({ kind }) => kind);
  };
  expect(lost('nothing')).toEqual([]);
  expect(lost('nothing', { from: 60_000, to: 61_000 })).toEqual(['outside-membership']);
  expect(lost('leaving')).toEqual(['outside-membership']);
  expect(lost('cursor')).toEqual(['outside-membership']);
});

test('asks nothing of a room that was left while away for too long', () => {
  const { history, cid, at } = example();
  without(cid, at.cidLeft);
  without(cid, at.reply);
  expect(checkHistory(history)).toEqual([]);
});

test('tells a violation in a sentence, with the records that show it', () => {
  const { history, ann, at } = example();
  without(ann, at.second);
  ann.steps.pop();
  const text = describeViolations(checkHistory(history));
  expect(text).toContain(`missing: ann-1 (ann) in shed: never received 1 of its timeline, first ${at.second.seq}`);
  expect(text).toContain('"content":"ann is here"');
  expect(cursorAt({})).toBe('e1.0.0');
});
