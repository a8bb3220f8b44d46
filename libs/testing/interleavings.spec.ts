import { describe, expect, test } from '@jest/globals';
import { describeFailure, explore, replay, type Exploring, type World } from './interleavings.js';
import type { Schedule } from './schedule.js';

/** Reads or writes of named cells. */
interface Touch {
  readonly cell: string;
  readonly writes: boolean;
}

const dependent = (a: Touch, b: Touch): boolean => a.cell === b.cell && (a.writes || b.writes);

type Actor = (cells: Map<string, number>, step: (what: string, touch: Touch) => Promise<void>) => Promise<void>;

/** Actors over cells; `judge` says what is wrong with what they leave. */
const world =
  (actors: readonly Actor[], judge: (cells: Map<string, number>) => string) =>
  async (schedule: Schedule<Touch>): Promise<World> => {
    const cells = new Map<string, number>();
    const ended: Promise<void>[] = [];
    return {
      start() {
        for (const [i, actor] of actors.entries())
          ended.push(actor(cells, (what, touch) => schedule.step(`${i}: ${what}`, touch)));
      },
      async judge() {
        await Promise.all(ended);
        return judge(cells);
      },
    };
  };

/** Adds one to a cell, as somebody does who reads first and writes then. */
const adds =
  (cell: string): Actor =>
  async (cells, step) => {
    await step(`reads ${cell}`, { cell, writes: false });
    const value = cells.get(cell) ?? 0;
    await step(`writes ${cell}`, { cell, writes: true });
    cells.set(cell, value + 1);
  };

/** Writes the same cell so many times. */
const writes =
  (cell: string, value: number): Actor =>
  async (cells, step) => {
    await step(`sets ${cell}`, { cell, writes: true });
    cells.set(cell, (cells.get(cell) ?? 0) * 10 + value);
  };

/** Of three that add, by hand: how many steps were passed over, which from then on come after all that were not. */
function delaysIn(order: readonly string[]): number {
  let inTime = order.filter((name) => name.includes('reads')).sort();
  let late: string[] = [];
  let delays = 0;
  for (const name of order) {
    const queue = [...inTime, ...late];
    const passed = queue.slice(0, queue.indexOf(name));
    delays += passed.length;
    inTime = inTime.filter((each) => each !== name && !passed.includes(each));
    late = [...late.filter((each) => each !== name && !passed.includes(each)), ...passed];
    if (name.includes('reads')) inTime.push(name.replace('reads', 'writes'));
  }
  return delays;
}

const exploring = (made: Exploring<Touch>['world'], reduction = true): Exploring<Touch> => ({
  world: made,
  dependent,
  ordersMax: 100_000,
  reduction,
});

describe('exploring', () => {
  test('runs every order of steps that meet', async () => {
    const left: string[] = [];
    const three = [1, 2, 3].map((value) => writes('a', value));
    const found = await explore(exploring(world(three, (cells) => (left.push(String(cells.get('a'))), ''))));
    expect(found).toMatchObject({ orders: 6, stepsMax: 3 });
    expect(left.sort()).toEqual(['123', '132', '213', '231', '312', '321']);
  });

  test('runs one order of steps that do not', async () => {
    const apart = ['a', 'b', 'c', 'd'].map(adds);
    expect(await explore(exploring(world(apart, () => '')))).toMatchObject({ orders: 1, left: 0, stepsMax: 8 });
    expect(
      (
        await explore(
          exploring(
            world(apart.slice(0, 3), () => ''),
            false,
          ),
        )
      ).orders,
    ).toBe(90);
  });

  test('finds what only one order shows, and says how to see it again', async () => {
    const made = world([adds('a'), adds('a')], (cells) => (cells.get('a') === 2 ? '' : `a is ${cells.get('a')}`));
    const { failure } = await explore(exploring(made));
    expect(failure?.wrong).toBe('a is 1');
    expect(await replay({ world: made }, failure!.choices)).toBe('a is 1');
    expect(describeFailure(failure!)).toContain('"1: reads a"');
    expect(await replay({ world: made }, ['1: reads a', '1: writes a'])).toBe('');
  });

  test('leads to every end that all orders lead to, with fewer of them', async () => {
    const mixes: readonly (readonly Actor[])[] = [
      [adds('a'), adds('a'), adds('b')],
      [adds('a'), writes('a', 7), adds('a')],
      [adds('a'), adds('b'), writes('a', 3), writes('b', 4)],
      [writes('a', 1), adds('b'), adds('b'), writes('a', 2)],
    ];
    for (const actors of mixes) {
      const ends = async (reduction: boolean) => {
        const seen = new Set<string>();
        const note = (cells: Map<string, number>): string => (seen.add(JSON.stringify([...cells].sort())), '');
        const { orders, left } = await explore(exploring(world(actors, note), reduction));
        return { seen: [...seen].sort(), runs: orders + left };
      };
      const [few, all] = [await ends(true), await ends(false)];
      expect(few.seen).toEqual(all.seen);
      expect(few.runs).toBeLessThan(all.runs);
    }
  });

  test('with a bound of delays runs every order within it, and no other', async () => {
    const made = world([adds('a'), adds('a'), adds('b')], () => '');
    const ordersOf = async (bound: Partial<Exploring<Touch>>): Promise<string[][]> => {
      const orders: string[][] = [];
      const noting: typeof made = async (schedule) => {
        const inner = await made(schedule);
        const judge = async (): Promise<string> => {
          orders.push(schedule.taken.map(({ name }) => name));
          return inner.judge();
        };
        return { start: () => inner.start(), judge };
      };
      await explore({ ...exploring(noting), ...bound });
      return orders.sort();
    };
    const all = await ordersOf({ reduction: false });
    expect(all).toHaveLength(90);
    for (const delaysMax of [0, 1, 2, 3, 5, 100])
      expect(await ordersOf({ delaysMax })).toEqual(all.filter((order) => delaysIn(order) <= delaysMax));
  });

  test('with a bound of delays finds what one delay shows, and says how to see it again', async () => {
    // Whatever comes up first: the third reads when both others have written.
    const late: Actor = async (cells, step) => {
      await step('waits', { cell: 'b', writes: false });
      await step('waits more', { cell: 'b', writes: false });
      await adds('a')(cells, step);
    };
    const made = world([adds('a'), late], (cells) => (cells.get('a') === 2 ? '' : `a is ${cells.get('a')}`));
    expect((await explore({ ...exploring(made), delaysMax: 0 })).failure).toBeUndefined();
    const { failure } = await explore({ ...exploring(made), delaysMax: 2 });
    expect(failure?.wrong).toBe('a is 1');
    expect(await replay({ world: made }, failure!.choices)).toBe('a is 1');
  });

  test('gives up with an error where there are more orders than it may run', async () => {
    const many = Array.from({ length: 6 }, (_, value) => writes('a', value));
    await expect(explore({ ...exploring(world(many, () => '')), ordersMax: 100 })).rejects.toThrow('more than 100');
  });

  test('says so when a run does not repeat itself', async () => {
    let runs = 0;
    const made = world(
      [async (_, step) => step(`step ${++runs}`, { cell: 'a', writes: true }), writes('a', 1)],
      () => '',
    );
    await expect(explore(exploring(made))).rejects.toThrow('does not wait');
  });
});
