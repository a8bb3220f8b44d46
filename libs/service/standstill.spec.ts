/** What a process reads after it stood still is not handed on. */
import { expect, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { CommandBus } from './command-bus.js';
import { BEATS_TO_CATCH_UP, Standstill, STOOD_STILL_MS } from './standstill.js';

function standing() {
  let nowMs = 0;
  const standstill = new Standstill(() => nowMs);
  return { standstill, pass: (ms: number) => void (nowMs += ms) };
}

/** Its timer is the real one, which comes when the spec is over. */
const watched = () => {
  const { standstill, pass } = standing();
  standstill.watch();
  return { standstill, pass, stop: () => standstill.stop() };
};

test('who comes before the timer notices it, and it is over after some turns', () => {
  const { standstill, pass, stop } = watched();
  pass(STOOD_STILL_MS - 1);
  expect(standstill.isCatchingUp).toBe(false);
  standstill.beat();
  pass(STOOD_STILL_MS);
  for (let beats = 0; beats < BEATS_TO_CATCH_UP; beats++) {
    expect(standstill.isCatchingUp).toBe(true);
    standstill.beat();
    pass(250);
  }
  expect(standstill.isCatchingUp).toBe(false);
  stop();
});

test('the timer notices it for those who come later', () => {
  const { standstill, pass, stop } = watched();
  pass(STOOD_STILL_MS);
  standstill.beat();
  expect(standstill.isCatchingUp).toBe(true);
  stop();
  expect(standstill.isCatchingUp).toBe(false);
});

test('a process that starts, or has ended, may be busy for long', () => {
  const { standstill, pass } = standing();
  pass(10 * STOOD_STILL_MS);
  expect(standstill.isCatchingUp).toBe(false);
  standstill.watch();
  expect(standstill.isCatchingUp).toBe(false);
  standstill.stop();
  pass(10 * STOOD_STILL_MS);
  expect(standstill.isCatchingUp).toBe(false);
});

test('its own timer ends it', async () => {
  const { standstill, pass, stop } = watched();
  pass(STOOD_STILL_MS);
  expect(standstill.isCatchingUp).toBe(true);
  await waitUntil('it has caught up', 30_000, () => !standstill.isCatchingUp);
  stop();
});

test('a command that is read meanwhile is refused for now, and nothing is asked', async () => {
  const nothing = (): never => {
    throw new Error('asked');
  };
  const nats = { publish: nothing, subscribe: nothing, closed: nothing };
  const bus = new CommandBus(nats, { isCatchingUp: true });
  const refused = { code: 'unavailable', message: 'this process stood still; ask again' };
  await expect(bus.run('JoinRoom', { userId: 'ann' }, { roomId: 'den' })).rejects.toMatchObject(refused);
  expect(() => bus.admit()).toThrow(refused.message);
});
