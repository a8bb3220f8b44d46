/** More commands than a process does at once. */
import { expect, test } from '@jest/globals';
import type { CommandReply } from '#contract';
import type { StoredEntry } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { COMMANDS_MAX } from './command-handler.js';
import { accepted, ask, askedAgo, freshKey, handling, readingBy, refusal, wholeLog } from './handler-fixture.js';

const NEVER_LATE_MS = 600_000;

test('the next one is refused for now; those under way are done, each once, and it goes on', async () => {
  const log = new MemoryLog({ partitions: 1 });
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  const slow = readingBy(log, async (subject): Promise<StoredEntry | undefined> => {
    await held;
    return log.last(subject);
  });
  const { handler, faults } = handling(slow);
  // However slow the machine is, none of them is too late to be decided: that is for other specs.
  const make = (i: number): Promise<CommandReply> =>
    ask(handler, 'CreateRoom', 'ann', { roomId: `room-${i}`, name: 'Room' }, freshKey(), askedAgo(-NEVER_LATE_MS));
  const underWay = Array.from({ length: COMMANDS_MAX }, (_, i) => make(i));
  expect(await refusal(make(COMMANDS_MAX))).toEqual({
    code: 'unavailable',
    detail: 'too many commands at once',
    retryMs: 1_000,
  });
  go();
  const results = await Promise.all(underWay.map(accepted));
  expect(new Set(results.map(({ roomId }) => roomId)).size).toBe(COMMANDS_MAX);
  await accepted(make(COMMANDS_MAX));
  const configs = (await wholeLog(log, 0)).filter(({ subject }) => subject.endsWith('.config'));
  expect(configs).toHaveLength(COMMANDS_MAX + 1);
  expect(faults).toEqual([]);
});
