import { expect, test } from '@jest/globals';
import { LimitError } from './errors.js';
import { Emitter } from './emitter.js';

const ITERATOR_EVENTS_MAX = 1_000;

test('a listener is called until it has ended', () => {
  const emitter = new Emitter<number>();
  const called: number[] = [];
  const off = emitter.on((value) => {
    called.push(value);
    if (value === 2) off();
  });
  for (const value of [1, 2, 3]) emitter.emit(value);
  expect(called).toEqual([1, 2]);
});

test('a listener that throws keeps nothing from the others, and its error comes out by itself', async () => {
  const emitter = new Emitter<number>();
  const called: number[] = [];
  const broken = new Error('broken listener');
  const thrown: unknown[] = [];
  const queued = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (act) =>
    queued(() => {
      try {
        act();
      } catch (error) {
        thrown.push(error);
      }
    });
  try {
    emitter.on(() => {
      throw broken;
    });
    emitter.on((value) => called.push(value));
    emitter.emit(1);
    expect([called, thrown]).toEqual([[1], []]);
    await Promise.resolve();
    expect(thrown).toEqual([broken]);
  } finally {
    globalThis.queueMicrotask = queued;
  }
});

test('an iterator has what comes while it is read, and ends with the client or its signal', async () => {
  const emitter = new Emitter<number>();
  const stop = new AbortController();
  const read = async (signal?: AbortSignal): Promise<number[]> => {
    const values: number[] = [];
    for await (const value of emitter.iterate(signal)) values.push(value);
    return values;
  };
  const [aborted, ended, never] = [read(stop.signal), read(), read(AbortSignal.abort())];
  emitter.emit(1);
  stop.abort();
  await aborted;
  emitter.emit(2);
  emitter.end();
  expect(await Promise.all([aborted, ended, never])).toEqual([[1], [1, 2], []]);
});

test('an iterator that lags behind too far is told', async () => {
  const emitter = new Emitter<{ readonly value: number }>();
  const values = emitter.iterate();
  const first = values.next();
  for (let value = 0; value < ITERATOR_EVENTS_MAX; value += 1) emitter.emit({ value });
  expect((await first).value).toEqual({ value: 0 });
  expect((await values.next()).value).toEqual({ value: 1 });
  for (let value = 0; value < 5 * ITERATOR_EVENTS_MAX; value += 1) emitter.emit({ value });
  await expect(values.next()).rejects.toThrow(LimitError);
  expect(await values.next()).toEqual({ done: true, value: undefined });
});
