import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StoredEntry } from '#event-log';
import { describeHistory } from './history-print.js';
import { type Act, ROOMS, Simulation, USERS } from './history-simulation.js';
import { shortestHistory } from './history-shrink.js';
import { checkHistory, type ClientStep, type History, type Violation } from './history.js';

/** A lot of talk, the same each time: everybody joins everything, and is cut and comes back now and then. */
function longTalk(turns: number): Act[] {
  const all = <T>(of: (user: number, room: number) => T): T[] =>
    USERS.flatMap((_, user) => ROOMS.map((__, room) => of(user, room)));
  const joins = all((user, room): Act => ({ act: 'join', user, room }));
  const talk = Array.from({ length: turns }, (_, i): Act[] => [
    { act: 'say', user: i % 3, room: (i * 7) % 3 },
    ...(i % 11 === 0 ? [{ act: 'cut', user: (i + 1) % 3 } as const] : []),
    ...(i % 11 === 5 ? [{ act: 'resume', user: (i - 4) % 3 } as const] : []),
    ...(i % 5 === 0 ? [{ act: 'cursor', user: i % 3 } as const] : []),
  ]);
  return [...joins, ...talk.flat()];
}

const only = (history: History): Violation => {
  const [violation, ...more] = checkHistory(history);
  if (!violation) throw new Error(`one violation is asked for, there are ${more.length + 1}`);
  return violation;
};

const isShown = (step: ClientStep, content: string): boolean =>
  step.kind === 'frame' && step.frame.op === 'event' && step.frame.data['content'] === content;

test('of a long history only what shows the violation is left', () => {
  const history = new Simulation().run(longTalk(200));
  expect(checkHistory(history)).toEqual([]);
  const bob = history.clients[1]?.steps as ClientStep[];
  bob.splice(
    bob.findIndex((step) => isShown(step, 'message 120')),
    1,
  );
  const violation = only(history);
  const { history: short, violation: same, finished } = shortestHistory(history, violation);
  expect(finished).toBe(true);
  expect(same).toMatchObject({ kind: violation.kind, where: violation.where });
  expect(checkHistory(short)).toContainEqual(same);
  expect(short.clients.map(({ user }) => user)).toEqual(['bob']);
  // The reader's membership, the sender's, and the message that never came; for a hole or a cursor what showed it.
  expect(short.log.length).toBeLessThanOrEqual(6);
  expect(short.clients[0]?.steps.length).toBeLessThanOrEqual(6);
  const text = describeHistory(short);
  expect(text).toContain('bob (bob, socket):');
  expect(text).toContain('MessageSent by');
});

test('a message that is stored twice is left with its copy and its sender', () => {
  const history = new Simulation().run(longTalk(120));
  const log = history.log as StoredEntry[];
  const first = log.find(({ decoded }) => decoded.kind === 'event' && decoded.event.type === 'MessageSent')!;
  const last = log.findLast(({ partition }) => partition === first.partition)!;
  log.push({ ...first, seq: last.seq + 1, at: last.at + 1, prev: 0 });
  const violation = checkHistory(history).find(({ kind }) => kind === 'stored-twice')!;
  const { history: short } = shortestHistory(history, violation);
  const messages = short.log.filter(({ subject }) => subject.endsWith('.timeline'));
  expect(messages.map(({ seq }) => seq)).toEqual([first.seq, last.seq + 1]);
  expect(short.clients).toHaveLength(1);
});

test('what is left of any history shows the same violation, and no other kind', () => {
  const act: fc.Arbitrary<Act> = fc.oneof(
    fc.record({ act: fc.constantFrom('join' as const, 'leave' as const), user: fc.nat(2), room: fc.nat(2) }),
    fc.record({ act: fc.constant('say' as const), user: fc.nat(2), room: fc.nat(2) }),
    fc.record({ act: fc.constantFrom('cut' as const, 'resume' as const, 'cursor' as const), user: fc.nat(2) }),
  );
  fc.assert(
    fc.property(fc.array(act, { minLength: 30, maxLength: 80 }), fc.nat(), (acts, which) => {
      const history = new Simulation().run(acts);
      const shown = history.clients.flatMap(({ steps }) => steps.filter((step) => step.kind === 'frame'));
      const gone = shown[which % Math.max(1, shown.length)];
      for (const { steps } of history.clients)
        if (gone && steps.includes(gone)) (steps as ClientStep[]).splice(steps.indexOf(gone), 1);
      const found = checkHistory(history);
      fc.pre(found.length > 0);
      const { history: short, violation } = shortestHistory(history, found[0]!);
      const left = checkHistory(short);
      expect(left).toContainEqual(violation);
      const kinds = new Set(found.map(({ kind }) => kind));
      expect(left.filter(({ kind }) => !kinds.has(kind))).toEqual([]);
      expect(short.log.length).toBeLessThanOrEqual(history.log.length);
    }),
    { numRuns: 40 },
  );
});

test('stops when its time is up, with what it has by then', () => {
  const history = new Simulation().run(longTalk(50));
  (history.clients[0]?.steps as ClientStep[]).splice(12, 1);
  const { violation, finished } = shortestHistory(history, only(history), { withinMs: 0 });
  expect(finished).toBe(false);
  expect(violation).toEqual(only(history));
});
