/** Commands that wait for others of their user: the service is told since when. */
import { expect, test } from '@jest/globals';
import { type CommandResult, DomainError } from '#contract';
import { type CommandBus, loadConfig } from '#service';
import { UserCommands } from './user-commands.js';

const ann = { userId: 'ann' };
const RESULT = {} as CommandResult;

test('what waited in the line of its user counts from when it was read: its repeat may have been refused since', async () => {
  let answer: (result: CommandResult) => void = () => undefined;
  const readAtMs: (number | undefined)[] = [];
  const bus: Pick<CommandBus, 'admit' | 'run'> = {
    admit: () => undefined,
    run: (...[, , , , readAt]) => {
      readAtMs.push(readAt);
      return readAtMs.length === 1 ? new Promise((resolve) => (answer = resolve)) : Promise.resolve(RESULT);
    },
  };
  const commands = new UserCommands(bus as CommandBus, loadConfig({}));
  const body = { roomId: 'den', content: 'x' };
  const first = commands.run('SendMessage', ann, body, 'a key');
  const second = commands.run('SendMessage', ann, body, 'a key');
  const waitsSinceMs = performance.now();
  while (performance.now() - waitsSinceMs < 2) await new Promise((resolve) => setImmediate(resolve));
  answer(RESULT);
  await Promise.all([first, second]);
  expect(readAtMs).toHaveLength(2);
  expect(readAtMs[1]).toBeLessThanOrEqual(waitsSinceMs);
});

test('what stood still is not even put into the line', async () => {
  const bus: Pick<CommandBus, 'admit' | 'run'> = {
    admit: () => {
      throw new DomainError('unavailable');
    },
    run: () => Promise.resolve(RESULT),
  };
  const commands = new UserCommands(bus as CommandBus, loadConfig({}));
  expect(() => commands.run('LeaveRoom', ann, { roomId: 'den' })).toThrow(DomainError);
});
