/** Clients of messages: they know no sequence and no chain, and everything is found all the same. */
import { describe, expect, test } from '@jest/globals';
import { channelRoomId, messageId } from '#contract';
import type { StoredEntry } from '#event-log';
import { cursorAfter, LogWriter } from './history-example.js';
import { checkHistory, type ClientStep, type Span, type Via, type ViolationKind } from './history.js';

const DUO = channelRoomId(['ann', 'bob']);

/** Ann's and Bob's talk in a room, as Ann's stream shows it: a line before the stream does, three lines, a loss of the stream, two lines. */
function talk(via: Via = 'grpc', room = 'den') {
  const writer = new LogWriter();
  writer.join(room, 'ann');
  const bobIn = writer.join(room, 'bob');
  const lines = ['early', 'one', 'two', 'three', 'away', 'back'].map((content, i) =>
    writer.say(room, i % 3 === 0 ? 'ann' : 'bob', content),
  );
  const [, one, two, three, away, back] = lines as [StoredEntry, ...StoredEntry[]] as StoredEntry[];
  if (!one || !two || !three || !away || !back) throw new Error('there are six lines');
  const show = (entry: StoredEntry, at: number): ClientStep => {
    if (entry.decoded.kind !== 'event' || entry.decoded.event.type !== 'MessageSent') throw new Error('no message');
    const { actor: sender, data } = entry.decoded.event;
    return { kind: 'message', at, room, id: messageId(entry), sender, content: data.content };
  };
  const since = cursorAfter(three);
  const steps: ClientStep[] = [
    { kind: 'opened', at: 10 },
    { kind: 'shown', at: 2_000, room },
    show(one, 2_010),
    show(two, 2_020),
    show(three, 2_030),
    { kind: 'closed', at: 2_035, code: 14 },
    { kind: 'opened', at: 2_060, since, recovered: true },
    show(away, 2_061),
    show(back, 2_070),
  ];
  // Sent in the order of the log, the first before the stream showed the room.
  const sentAt = [5, 2_001, 2_011, 2_021, 2_041, 2_062];
  const sendsOf = (user: string) =>
    lines.flatMap(({ seq, decoded }, i) => {
      if (decoded.kind !== 'event' || decoded.event.type !== 'MessageSent' || decoded.event.actor !== user) return [];
      const { content } = decoded.event.data;
      return [{ room, key: `${i}`, content, sentAt: sentAt[i] ?? 0, outcome: { kind: 'acknowledged' as const, seq } }];
    });
  const ann = { client: 'ann-1', user: 'ann', via, complete: true, sends: sendsOf('ann'), steps };
  const bob = { client: 'bob-1', user: 'bob', via: 'http' as const, complete: false, sends: sendsOf('bob'), steps: [] };
  const history = { log: writer.log, clients: [ann, bob], rooms: [], inboxes: [] };
  return { writer, history, ann, steps, show, at: { bobIn, one, two, three, away, back }, room };
}

type Talk = ReturnType<typeof talk>;

const kindsAfter = (plant: (talk: Talk) => void, via?: Via, room?: string): ViolationKind[] => {
  const planted = talk(via, room);
  plant(planted);
  return [...new Set(checkHistory(planted.history).map(({ kind }) => kind))].sort();
};

const without = ({ steps }: Talk, entry: StoredEntry): void => {
  const at = steps.findIndex((step) => step.kind === 'message' && step.id === messageId(entry));
  steps.splice(at, 1);
};

test('finds nothing in a true history', () => {
  expect(kindsAfter(() => undefined)).toEqual([]);
});

describe('finds a planted fault:', () => {
  const faults: [string, ViolationKind[], (talk: Talk) => void][] = [
    ['a message in the midst that never came', ['hole'], (planted) => without(planted, planted.at.two)],
    ['the first that was sent once the room was shown', ['hole'], (planted) => without(planted, planted.at.one)],
    ['the last one', ['missing'], (planted) => without(planted, planted.at.back)],
    ['the first of a replay', ['not-recovered'], (planted) => without(planted, planted.at.away)],
    [
      'a whole replay',
      ['not-recovered'],
      (planted) => {
        without(planted, planted.at.away);
        without(planted, planted.at.back);
      },
    ],
    ['a message that came twice', ['repeat'], ({ steps, show, at }) => void steps.push(show(at.back, 2_080))],
    [
      'two that changed places',
      ['hole', 'repeat'],
      ({ steps, show, at }) => void steps.splice(2, 2, show(at.two, 2_020), show(at.one, 2_021)),
    ],
    [
      'a message before it was sent',
      ['too-early'],
      ({ steps, show, at }) => void steps.splice(8, 1, show(at.back, 2_061)),
    ],
    [
      'other words than the log has',
      ['differs'],
      ({ steps, show, at }) => void steps.splice(3, 1, { ...show(at.two, 2_020), content: 'tow' } as ClientStep),
    ],
    [
      'a message that is not in the log',
      ['not-in-log'],
      ({ steps, show, at }) => void steps.push({ ...show(at.two, 2_080), id: 'msg_999424' } as ClientStep),
    ],
    [
      'a message after leaving',
      ['outside-membership'],
      ({ writer, room, steps, show }) => {
        writer.leave(room, 'ann');
        steps.push(show(writer.say(room, 'bob', 'unheard'), 2_090));
      },
    ],
    ['somebody who never came', ['not-in-log'], ({ steps, room }) => void steps.push(member(room, 'eve', 'joined'))],
    [
      'news of a room after leaving',
      ['outside-membership'],
      ({ writer, room, steps }) => {
        writer.leave(room, 'ann');
        writer.leave(room, 'bob');
        steps.push(member(room, 'bob', 'left'));
      },
    ],
    [
      'what was not recovered and never read again',
      ['not-refetched'],
      (planted) => {
        without(planted, planted.at.away);
        const opened = { kind: 'opened', at: 2_060, since: cursorAfter(planted.at.three), recovered: false } as const;
        planted.steps.splice(6, 1, opened);
      },
    ],
    ['a message before the stream was open', ['no-start'], ({ steps }) => void steps.splice(0, 1)],
  ];

  test.each(faults)('%s', (what, kinds, plant) => {
    const found = kindsAfter((planted) => {
      plant(planted);
      if (what.includes('after leaving')) planted.history.clients.pop();
    });
    expect(what.startsWith('a message before the stream') ? found.slice(-1) : found).toEqual([...kinds].sort());
  });
});

const member = (room: string, user: string, what: 'joined' | 'left'): ClientStep => ({
  kind: 'member',
  at: 3_000,
  room,
  user,
  what,
});

test('asks for nothing that was sent before the room was shown, nor after the stream was lost for good', () => {
  expect(
    kindsAfter(({ steps, ann }) => {
      steps.splice(5);
      ann.complete = false;
    }),
  ).toEqual([]);
});

test('is content with what was not recovered and was read again', () => {
  const kinds = kindsAfter((planted) => {
    const { at, room, steps } = planted;
    without(planted, at.away);
    steps.splice(6, 1, { kind: 'opened', at: 2_060, since: cursorAfter(at.three), recovered: false });
    const message = { id: messageId(at.away), seq: at.away.seq, ordinal: 5, sender: 'bob', content: 'away' };
    steps.push({ kind: 'refetched', at: 2_090, room, messages: [message] });
  });
  expect(kinds).toEqual([]);
});

describe('a plain socket', () => {
  test("has its channels from its first moment on, and not its own user's messages", () => {
    const only = (planted: Talk): void => {
      const { steps, show, at } = planted;
      steps.splice(
        0,
        steps.length,
        { kind: 'opened', at: 10 },
        ...[at.one, at.two, at.away, at.back].map((entry) => show(entry, 2_100)),
      );
    };
    expect(kindsAfter(only, 'plain', DUO)).toEqual([]);
    const lacking = (planted: Talk): void => {
      only(planted);
      without(planted, planted.at.two);
    };
    expect(kindsAfter(lacking, 'plain', DUO)).toEqual(['hole']);
  });
});

describe('a stream that goes on after its user has left', () => {
  const LEFT_AT = 3_000;
  /** A leaving at 3 s, and a line after it that comes so much later. */
  const after = (lateMs: number, opened = 10) => {
    const { writer, history, room, steps, show } = talk();
    steps.splice(6, 1, {
      kind: 'opened',
      at: opened,
      since: cursorAfter(...writer.log.slice(-3, -2)),
      recovered: true,
    });
    const left = writer.leave(room, 'ann');
    (left as { at: number }).at = LEFT_AT;
    const line = writer.say(room, 'bob', 'unheard');
    (line as { at: number }).at = LEFT_AT + 1;
    steps.push(show(line, LEFT_AT + lateMs));
    return history;
  };
  const kinds = (history: ReturnType<typeof after>, ...copiesLost: Span[]): ViolationKind[] =>
    checkHistory({ ...history, copiesLost })
      .map(({ kind }) => kind)
      .filter((kind) => kind === 'outside-membership');
  /** A broker that is away from half a second before the leaving until a second after it. */
  const AROUND = { from: LEFT_AT - 500, to: LEFT_AT + 1_000 };
  const SOON_MS = 5_000;
  /** Later than any gateway that works is without what a broker, whole again since `AROUND`, can tell it. */
  const TOO_LATE_MS = 40_000;

  test('is forgiven where a broker was broken when the leaving was stored, until it has been whole for long enough', () => {
    expect(kinds(after(SOON_MS), AROUND)).toEqual([]);
    expect(kinds(after(TOO_LATE_MS), AROUND)).toEqual(['outside-membership']);
    expect(kinds(after(TOO_LATE_MS), { ...AROUND, to: LEFT_AT + TOO_LATE_MS })).toEqual([]);
  });

  test('is not forgiven where what was broken was whole before the leaving, or broke only afterwards', () => {
    expect(kinds(after(SOON_MS))).toEqual(['outside-membership']);
    expect(kinds(after(SOON_MS), { from: -60_000, to: -30_000 })).toEqual(['outside-membership']);
    expect(kinds(after(SOON_MS), { from: LEFT_AT + 2_000, to: LEFT_AT + 4_000 })).toEqual(['outside-membership']);
  });

  test('is not forgiven to a stream that was opened since', () => {
    expect(kinds(after(SOON_MS, LEFT_AT + 1), AROUND)).toEqual(['outside-membership']);
  });
});
