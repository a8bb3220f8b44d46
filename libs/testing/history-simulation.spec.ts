/** The checker against a platform that is right by construction: it must find nothing, and whatever is then taken away. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StoredEntry } from '#event-log';
import { type Act, ROOMS, Simulation, USERS } from './history-simulation.js';
import { checkHistory, type ClientStep } from './history.js';

const user = fc.nat({ max: USERS.length - 1 });
const room = fc.nat({ max: ROOMS.length - 1 });
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('join' as const, 'leave' as const), user, room }) },
    { weight: 5, arbitrary: fc.record({ act: fc.constant('say' as const), user, room }) },
    {
      weight: 3,
      arbitrary: fc.record({ act: fc.constantFrom('cut' as const, 'resume' as const, 'cursor' as const), user }),
    },
  ),
  { maxLength: 80 },
);

test('finds nothing in what a platform without a fault does', () => {
  fc.assert(
    fc.property(acts, (all) => expect(checkHistory(new Simulation().run(all))).toEqual([])),
    { numRuns: 300 },
  );
});

test('finds every timeline frame that is taken away, unless it came again', () => {
  fc.assert(
    fc.property(acts, fc.nat(), (all, which) => {
      const history = new Simulation().run(all);
      const frames = history.clients.flatMap(({ steps }, client) =>
        steps.flatMap((step, at) => (name(step) === undefined ? [] : [{ client, at, step }])),
      );
      const chosen = frames[which % Math.max(1, frames.length)];
      fc.pre(chosen !== undefined);
      const steps = history.clients[chosen?.client ?? 0]?.steps as ClientStep[];
      fc.pre(chosen !== undefined && steps.filter((step) => name(step) === name(chosen.step)).length === 1);
      steps.splice(chosen?.at ?? 0, 1);
      expect(checkHistory(history).map(({ kind }) => kind)).toContain('missing');
    }),
    { numRuns: 300 },
  );
});

test('finds every message that is stored again, and every one that goes missing', () => {
  fc.assert(
    fc.property(acts, fc.nat(), (all, which) => {
      const history = new Simulation().run(all);
      const log = history.log as StoredEntry[];
      const messages = log.filter(({ subject }) => subject.endsWith('.timeline'));
      const chosen = messages[which % Math.max(1, messages.length)];
      fc.pre(chosen !== undefined);
      const without = { ...history, log: log.filter((entry) => entry !== chosen) };
      expect(checkHistory(without)).not.toEqual([]);
      const last = log.findLast(({ partition }) => partition === chosen?.partition);
      const again = { ...(chosen as StoredEntry), seq: (last?.seq ?? 0) + 1, at: (last?.at ?? 0) + 1 };
      expect(checkHistory({ ...history, log: [...log, again] }).map(({ kind }) => kind)).toContain('stored-twice');
    }),
    { numRuns: 200 },
  );
});

/** Which timeline entry a step shows. */
function name(step: ClientStep): string | undefined {
  if (step.kind !== 'frame') return undefined;
  const { frame } = step;
  const shown = frame.op === 'skip' || (frame.op === 'event' && frame.type === 'message.sent');
  return shown ? `${frame.room} ${frame.seq}` : undefined;
}
