import { describe, expect, test } from '@jest/globals';
import { DomainError } from '#contract';
import { Gate } from './gate.js';

const refused = (error: unknown): string =>
  error instanceof DomainError ? `${error.code} ${error.retryMs}` : String(error);

/** A task that ends when it is told to. */
function task(): { readonly work: () => Promise<void>; end: () => void; begun: boolean } {
  const made = { begun: false, end: (): void => undefined, work: (): Promise<void> => Promise.resolve() };
  const ended = new Promise<void>((resolve) => (made.end = resolve));
  made.work = () => {
    made.begun = true;
    return ended;
  };
  return made;
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a gate', () => {
  test('lets so many in, lets so many wait in their order, and sends the others away with a hint', async () => {
    const gate = new Gate({ inside: 2, waiting: 2, refusal: 'busy' });
    const tasks = Array.from({ length: 5 }, task);
    const outcomes = tasks.map(({ work }) => gate.run(work).then(() => 'done', refused));
    await turnOfTheLoop();
    expect(tasks.map(({ begun }) => begun)).toEqual([true, true, false, false, false]);
    expect(await outcomes[4]).toBe('unavailable 1000');
    expect(gate.isFull).toBe(true);
    tasks[1]?.end();
    await outcomes[1];
    await turnOfTheLoop();
    expect(tasks.map(({ begun }) => begun)).toEqual([true, true, true, false, false]);
    tasks.forEach(({ end }) => end());
    expect(await Promise.all(outcomes.slice(0, 4))).toEqual(['done', 'done', 'done', 'done']);
    expect([gate.busy, gate.waiting, gate.isFull]).toEqual([0, 0, false]);
  });

  test('a place is free again when its task has failed, and is given back once only', async () => {
    const gate = new Gate({ inside: 1, waiting: 0, refusal: 'busy', retryMs: 250 });
    await expect(gate.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const leave = await gate.enter();
    await expect(gate.enter().catch((error: unknown) => Promise.reject(new Error(refused(error))))).rejects.toThrow(
      'unavailable 250',
    );
    leave();
    leave();
    const again = await gate.enter();
    expect(gate.busy).toBe(1);
    again();
  });

  test('what is inside weighs at most so much together; one that weighs more goes in alone', async () => {
    const gate = new Gate({ inside: 10, waiting: 3, weight: 100, refusal: 'busy' });
    const heavy = await gate.enter(150);
    const order: string[] = [];
    const light = gate.enter(60).then((leave) => (order.push('60'), leave));
    const next = gate.enter(50).then((leave) => (order.push('50'), leave));
    await turnOfTheLoop();
    expect(order).toEqual([]);
    heavy();
    const leaveLight = await light;
    await turnOfTheLoop();
    expect(order).toEqual(['60']);
    leaveLight();
    (await next)();
    expect(order).toEqual(['60', '50']);
  });

  test('nobody who comes later overtakes one who waits', async () => {
    const gate = new Gate({ inside: 2, waiting: 2, weight: 100, refusal: 'busy' });
    const first = await gate.enter(60);
    const order: string[] = [];
    const second = gate.enter(60).then((leave) => (order.push('second'), leave));
    const third = gate.enter(1).then((leave) => (order.push('third'), leave));
    await turnOfTheLoop();
    expect(order).toEqual([]);
    first();
    (await second)();
    (await third)();
    expect(order).toEqual(['second', 'third']);
  });
});
