/** Commands that wait for others of their user: the service is told since when. */
import { expect, test } from '@jest/globals';
import { type CommandResult, DomainError } from '#contract';
import { type CommandBus, loadConfig } from '#service';
import { UserCommands } from './user-commands.js';

const ann = { userId: 'ann' };
const RESULT = {} as CommandResult;

/** A service that is slow to answer the first command, and then answers at once. */
function slowFirst() {
  const asked: { readonly body: unknown; readonly readAtMs: number | undefined }[] = [];
  let answer: (outcome: CommandResult | DomainError) => void = () => undefined;
  const bus: Pick<CommandBus, 'admit' | 'run'> = {
    admit: () => undefined,
    run: (_name, _actor, body, _key, readAtMs) => {
      asked.push({ body, readAtMs });
      if (asked.length > 1) return Promise.resolve(RESULT);
      return new Promise((resolve, reject) => {
        answer = (outcome) => (outcome instanceof DomainError ? reject(outcome) : resolve(outcome));
      });
    },
  };
  const commands = new UserCommands(bus as CommandBus, loadConfig({}));
  return {
    asked,
    send: (body: object, key: string, actor = ann) => commands.run('SendMessage', actor, body, key),
    answer: (o: Parameters<typeof answer>[0]) => answer(o),
  };
}

const refusalOf = (command: Promise<unknown>): Promise<unknown> =>
  command.catch((error: unknown) => (error instanceof DomainError ? error.code : error));

test('what waited in the line of its user counts from when it was read: its repeat may have been refused since', async () => {
  const { asked, send, answer } = slowFirst();
  const both = [send({ content: 'first' }, 'a key'), send({ content: 'second' }, 'another key')];
  const waitsSinceMs = performance.now();
  while (performance.now() - waitsSinceMs < 2) await new Promise((resolve) => setImmediate(resolve));
  answer(RESULT);
  await Promise.all(both);
  expect(asked).toHaveLength(2);
  expect(asked[1]?.readAtMs).toBeLessThanOrEqual(waitsSinceMs);
});

test('a repeat of what is under way has its outcome, and is not asked for itself', async () => {
  const { asked, send, answer } = slowFirst();
  const both = [send({ content: 'x' }, 'a key'), send({ content: 'x' }, 'a key')].map(refusalOf);
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  answer(new DomainError('muted'));
  expect(await Promise.all(both)).toEqual(['muted', 'muted']);
  expect(asked).toHaveLength(1);
  // It is over: the next one is a command of its own.
  expect(await send({ content: 'x' }, 'a key')).toBe(RESULT);
});

test('the repeat of one that is stored says so; another command with its key is asked for', async () => {
  const { asked, send, answer } = slowFirst();
  const all = [send({ content: 'x' }, 'a key'), send({ content: 'x' }, 'a key'), send({ content: 'y' }, 'a key')];
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  answer({ ...RESULT, duplicate: false });
  expect((await Promise.all(all)).map(({ duplicate }) => duplicate)).toEqual([false, true, undefined]);
  expect(asked.map(({ body }) => body)).toEqual([{ content: 'x' }, { content: 'y' }]);
});

test('users and keys are told apart, wherever one of them has its spaces', async () => {
  const { asked, send, answer } = slowFirst();
  const both = [send({ content: 'x' }, 'b c', ann), send({ content: 'x' }, 'c', { userId: `${ann.userId} b` })];
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  answer(RESULT);
  await Promise.all(both);
  expect(asked).toHaveLength(2);
}, 2_000);

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
