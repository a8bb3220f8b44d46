/** The small parts of the command path. */
import { performance } from 'node:perf_hooks';
import { describe, expect, test } from '@jest/globals';
import { COMMAND_NAMES, COMMANDS, COMMAND_SERVICES, commandSubject } from '#contract';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { BrokerClock } from './broker-clock.js';
import { commandController } from './command-controller.js';
import { freshKey } from './handler-fixture.js';
import { keyed } from './keyed.js';
import { TooLateError } from './lateness.js';
import { Remembered } from './remembered.js';
import { Turns } from './turns.js';

const MINUTE_MS = 60_000;

describe('a key', () => {
  const made = (key: string, nowMs = Date.now(), restoredAtMs = 0) =>
    keyed({ key, sender: 'ann', name: 'SendMessage', roomId: 'den' }, { content: 'x' }, nowMs, restoredAtMs);

  test('is young for a minute, and a little before its time', () => {
    expect(made(freshKey()).fresh).toBe(true);
    expect(made(freshKey(0.9 * MINUTE_MS)).fresh).toBe(true);
    expect(made(freshKey(1.1 * MINUTE_MS)).fresh).toBe(false);
    expect(made(freshKey(-2_000)).fresh).toBe(true);
    expect(made(freshKey(-MINUTE_MS)).fresh).toBe(false);
    expect(made('17').fresh).toBe(false);
  });

  test('of before a restore is not young, for the broker has forgotten it', () => {
    const restoredAtMs = Date.now() - 0.5 * MINUTE_MS;
    expect(made(freshKey(0.2 * MINUTE_MS), Date.now(), restoredAtMs).fresh).toBe(true);
    expect(made(freshKey(0.6 * MINUTE_MS), Date.now(), restoredAtMs).fresh).toBe(false);
    // Its maker's clock may have been a little ahead.
    expect(made(freshKey(0.5 * MINUTE_MS - 2_000), Date.now(), restoredAtMs).fresh).toBe(false);
  });

  test('has a body that is the same in any order', () => {
    const hashOf = (body: object) =>
      keyed({ key: 'k', sender: 'ann', name: 'SendMessage', roomId: 'den' }, body, 0).body;
    const body = { content: 'x', metadata: { a: '1', b: '2' }, participants: ['ann', 'bob'] };
    expect(hashOf({ participants: ['bob', 'ann', 'bob'], metadata: { b: '2', a: '1' }, content: 'x' })).toBe(
      hashOf(body),
    );
    expect(hashOf({ ...body, mentions: undefined })).toBe(hashOf(body));
    expect(hashOf({ ...body, mentions: ['b', 'a'] })).not.toBe(hashOf({ ...body, mentions: ['a', 'b'] }));
    expect(hashOf({ ...body, content: 'y' })).not.toBe(hashOf(body));
  });
});

describe("the broker's clock", () => {
  test("is this machine's until a sample says otherwise", () => {
    const clock = new BrokerClock();
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(MINUTE_MS);
    expect(clock.wantsSample()).toBe(true);
    expect(clock.wantsSample()).toBe(false);
    clock.sample(Date.now() + 10 * MINUTE_MS, performance.now());
    expect(clock.now() - Date.now()).toBeGreaterThan(9 * MINUTE_MS);
  });
});

describe('what is remembered', () => {
  test('is bounded, and what is used stays', () => {
    const memory = new Remembered<number>(10);
    memory.set('kept', 1);
    for (let i = 0; i < 1_000; i++) {
      memory.set(`n${i}`, i);
      expect(memory.get('kept')).toBe(1);
    }
    const left = Array.from({ length: 1_000 }, (_, i) => memory.get(`n${i}`)).filter((value) => value !== undefined);
    expect(left.length).toBeLessThanOrEqual(10);
    memory.delete('kept');
    expect(memory.get('kept')).toBeUndefined();
  });

  test('is bounded in bytes, too: what grows, and what is deleted, counts as what it is', () => {
    const memory = new Remembered<string>(1_000, { max: 100, of: (value) => value.length });
    const left = (): string[] =>
      Array.from({ length: 50 }, (_, i) => memory.get(`n${i}`) ?? '').filter((value) => value !== '');
    for (let i = 0; i < 50; i++) memory.set(`n${i}`, 'x'.repeat(20));
    expect(left().join('').length).toBeLessThanOrEqual(100);
    expect(memory.get('n49')).toBeDefined();
    for (let i = 0; i < 50; i++) {
      memory.set('grows', 'x'.repeat(i));
      memory.set('goes', 'x'.repeat(40));
      memory.delete('goes');
    }
    expect(memory.get('grows')).toHaveLength(49);
    memory.set('n1', 'now');
    memory.set('n1', 'then');
    expect(memory.get('n1')).toBe('then');
  });
});

describe('turns', () => {
  const evenTogether = (group: readonly number[], next: number) => [...group, next].every((n) => n % 2 === 0);

  test('are taken one after the other, shared by what goes together, in the order of arrival', async () => {
    const groups: (readonly number[])[] = [];
    let running = 0;
    const turns = new Turns<number, number>(evenTogether, async (group) => {
      expect(running++).toBe(0);
      await Promise.resolve();
      running--;
      groups.push(group);
      return group.map((n) => Promise.resolve(n * 10));
    });
    const results = await Promise.all([1, 2, 4, 6, 7, 8].map((n) => turns.take('den', n)));
    expect(results).toEqual([10, 20, 40, 60, 70, 80]);
    expect(groups).toEqual([[1], [2, 4, 6], [7], [8]]);
  });

  test('what the work leaves over has its turn next', async () => {
    const turns = new Turns<number, number>(
      () => true,
      async (group) => [Promise.resolve(group.length)],
    );
    expect(await Promise.all([1, 2, 3].map((n) => turns.take('den', n)))).toEqual([1, 2, 1]);
  });

  test("one that fails ends nobody else's", async () => {
    const turns = new Turns<number, number>(
      () => false,
      async ([n]) => {
        if (n === 1) throw new Error('failed');
        return [Promise.resolve(n!)];
      },
    );
    const [failed, done] = await Promise.allSettled([turns.take('den', 1), turns.take('den', 2)]);
    expect([failed?.status, done?.status]).toEqual(['rejected', 'fulfilled']);
  });

  test('whose turn comes when it is too late is refused, and not done', async () => {
    let [nowMs, open] = [0, (): void => undefined];
    const gate = new Promise<void>((resolve) => (open = resolve));
    const done: string[] = [];
    const turns = new Turns<string, string>(
      () => false,
      async ([task = '']) => {
        if (task === 'slow') await gate;
        done.push(task);
        return [Promise.resolve(task)];
      },
      () => nowMs,
    );
    const slow = turns.take('den', 'slow');
    const late = turns.take('den', 'late').catch((error: unknown) => error);
    nowMs = 4_000;
    const inTime = turns.take('den', 'in time');
    nowMs = 6_000;
    open();
    expect(await Promise.all([slow, late, inTime])).toEqual(['slow', expect.any(TooLateError), 'in time']);
    expect(done).toEqual(['slow', 'in time']);
  });

  test('rooms do not wait for each other, and a room takes only so many', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const turns = new Turns<string, string>(
      () => false,
      async ([task]) => {
        if (task === 'slow') await gate;
        return [Promise.resolve(task!)];
      },
    );
    const slow = turns.take('den', 'slow');
    expect(await turns.take('other', 'fast')).toBe('fast');
    const waiting = Array.from({ length: 10_000 }, () => turns.take('den', 'next').catch((error: unknown) => error));
    expect(await waiting.at(-1)).toMatchObject({ code: 'unavailable' });
    open();
    expect(await slow).toBe('slow');
    await Promise.all(waiting);
  });
});

describe('the controllers', () => {
  test('answer every command of the contract, each in the queue group of its service', () => {
    const answered = COMMAND_SERVICES.flatMap((service) => {
      const prototype = commandController(service).prototype as Record<string, object>;
      return Object.getOwnPropertyNames(prototype)
        .filter((name) => name !== 'constructor')
        .map((name) => {
          expect(Reflect.getMetadata(PATTERN_EXTRAS_METADATA, prototype[name]!)).toEqual({ queue: service });
          const [subject] = Reflect.getMetadata(PATTERN_METADATA, prototype[name]!) as string[];
          return subject;
        });
    });
    const wanted = COMMAND_NAMES.map((name) => commandSubject(COMMANDS[name].service, name));
    expect(answered.sort()).toEqual(wanted.sort());
  });
});
