/**
 * Runs a world through every order of its steps, depth first, each order from the beginning: a prefix of choices is repeated
 * and then left for something else.
 *
 * Two orders that differ only in which of two independent steps went first lead to the same world, and one of them is enough.
 * Which others are needed is read off each order that was run ("source sets" of dynamic partial-order reduction, Abdulla et al.,
 * POPL 2014): of two steps that touch the same thing and of which neither caused the other, the second has to be tried first,
 * too. Sleep sets keep an order from being run again. `reduction: false` runs them all, which the specs compare.
 *
 * Where even those are too many, `delaysMax` bounds the orders instead (as in "delay-bounded scheduling", Emmi et al., POPL 2011): what came
 * up first goes first, but a step may be passed over, which is one delay, and then waits until nothing else does, or whatever else does is
 * passed over, too. No order of so many delays is left out, so nothing is reduced there: an equivalent one might have more. Enough delays
 * lead to every order.
 */
import { Schedule, type Step, type Taken } from './schedule.js';

export interface World {
  /** Sets going what is explored. */
  start(): void;
  /** What is wrong when everything has come to rest; empty for nothing. */
  judge(): Promise<string> | string;
}

export interface Exploring<T> {
  /** Builds the world, anew for each order. What happens before it is started is no part of the order. */
  readonly world: (schedule: Schedule<T>) => Promise<World>;
  readonly dependent: (a: T, b: T) => boolean;
  /** Above it, exploring is given up with an error. */
  readonly ordersMax: number;
  readonly reduction?: boolean;
  /** Only orders with so many delays. */
  readonly delaysMax?: number;
}

export interface Explored {
  /** Orders that were run to their end. */
  readonly orders: number;
  /** Orders that were left because another one had shown what they would. */
  readonly left: number;
  readonly stepsMax: number;
  readonly failure?: Failure;
}

export interface Failure {
  readonly wrong: string;
  /** By name, in their order: what `replay` takes. */
  readonly choices: readonly string[];
}

/** One place in the order that is being run. */
interface Node<T> {
  readonly waiting: ReadonlyMap<string, Step<T>>;
  readonly sleep: ReadonlyMap<string, Step<T>>;
  readonly toTry: Set<string>;
  readonly done: Map<string, Step<T>>;
  /** The steps that wait, in the order in which they go without a delay. */
  readonly queue: readonly string[];
  /** Those that were passed over. */
  readonly late: readonly string[];
  readonly delaysLeft: number;
  chosen: string;
}

/** Stops at the first order after which something is wrong. */
export async function explore<T>(exploring: Exploring<T>): Promise<Explored> {
  const path: Node<T>[] = [];
  let orders = 0;
  let left = 0;
  let stepsMax = 0;
  for (let from = 0; from >= 0; from = nextBranch(path)) {
    if (orders + left >= exploring.ordersMax) throw new Error(`more than ${exploring.ordersMax} orders`);
    const { taken, wrong } = await run(exploring, path);
    stepsMax = Math.max(stepsMax, taken.length);
    if (wrong === undefined) left++;
    else orders++;
    if (wrong) return { orders, left, stepsMax, failure: { wrong, choices: taken.map(({ name }) => name) } };
    if (isReduced(exploring)) noteRaces(path, taken, from, exploring.dependent);
  }
  return { orders, left, stepsMax };
}

/** Runs one order again; behind the choices, whatever comes first. */
export async function replay<T>({ world }: Pick<Exploring<T>, 'world'>, choices: readonly string[]): Promise<string> {
  const schedule = new Schedule<T>();
  const made = await begun(world, schedule);
  for (const name of choices) await schedule.take(name);
  await schedule.takeAll();
  return made.judge();
}

/** For the message of a failed test. */
export const describeFailure = ({ wrong, choices }: Failure): string =>
  `${wrong}\nafter these steps, which \`replay\` takes:\n${JSON.stringify(choices, undefined, 1)}`;

/** The path's order, and on from its end; `wrong` is undefined where it was left early. */
async function run<T>(
  exploring: Exploring<T>,
  path: Node<T>[],
): Promise<{ readonly taken: readonly Taken<T>[]; readonly wrong: string | undefined }> {
  const schedule = new Schedule<T>();
  const made = await begun(exploring.world, schedule);
  for (let depth = 0; schedule.waiting.length > 0; depth++) {
    const node = path[depth] ?? nodeBelow(path[depth - 1], schedule.waiting, exploring);
    if (!node) return { taken: schedule.taken, wrong: undefined };
    path[depth] = node;
    await schedule.take(node.chosen);
  }
  // To judge, the world may have to take some more.
  const taken = [...schedule.taken];
  return { taken, wrong: await made.judge() };
}

async function begun<T>(world: Exploring<T>['world'], schedule: Schedule<T>): Promise<World> {
  const made = await world(schedule);
  await schedule.takeAll();
  schedule.begin();
  made.start();
  await schedule.rest();
  return made;
}

/** Undefined where whatever waits has been tried elsewhere. */
function nodeBelow<T>(
  above: Node<T> | undefined,
  waiting: readonly Step<T>[],
  exploring: Exploring<T>,
): Node<T> | undefined {
  const { dependent, delaysMax = Infinity } = exploring;
  const reduction = isReduced(exploring);
  const sleep = new Map<string, Step<T>>();
  const last = above?.waiting.get(above.chosen);
  if (above && last && reduction)
    for (const [name, step] of [...above.sleep, ...above.done])
      if (!dependent(step.touches, last.touches)) sleep.set(name, step);
  const first = waiting.find(({ name }) => !sleep.has(name));
  if (!first) return undefined;
  const passed = above?.queue.slice(0, above.queue.indexOf(above.chosen)) ?? [];
  const delaysLeft = (above?.delaysLeft ?? delaysMax) - passed.length;
  const again = new Set([...passed, above?.chosen]);
  const late = [...(above?.late ?? []).filter((name) => !again.has(name)), ...passed];
  const queue = [...waiting.map(({ name }) => name).filter((name) => !late.includes(name)), ...late];
  const toTry = new Set(reduction ? [first.name] : queue.slice(0, delaysLeft + 1));
  const byName = new Map(waiting.map((step) => [step.name, step]));
  const chosen = reduction ? first.name : queue[0]!;
  return { waiting: byName, sleep, toTry, done: new Map(), queue, late, delaysLeft, chosen };
}

const isReduced = <T>({ reduction, delaysMax }: Exploring<T>): boolean =>
  reduction !== false && delaysMax === undefined;

/** Leaves the path at the deepest place where something is left to try. @returns that depth, -1 when there is none */
function nextBranch<T>(path: Node<T>[]): number {
  for (let node = path.at(-1); node; node = path.at(-1)) {
    const chosen = node.waiting.get(node.chosen);
    if (chosen) node.done.set(node.chosen, chosen);
    const { done, sleep } = node;
    const next = [...node.toTry].find((name) => !done.has(name) && !sleep.has(name));
    if (next !== undefined) {
      node.chosen = next;
      return path.length - 1;
    }
    path.pop();
  }
  return -1;
}

/** For each race of the order that ends at `from` or behind it: what would turn it round is tried, too. */
function noteRaces<T>(
  path: readonly Node<T>[],
  taken: readonly Taken<T>[],
  from: number,
  dependent: Exploring<T>['dependent'],
): void {
  const before = happensBefore(taken, dependent);
  for (let j = Math.max(from, 1); j < taken.length; j++)
    for (let i = j - 1; i >= 0; i--) {
      if (!isRace(taken, before, i, j, dependent)) continue;
      const firsts = firstsWithout(before, i, j);
      const { toTry } = path[i]!;
      if (!firsts.some((k) => toTry.has(taken[k]!.name))) toTry.add(taken[firsts[0] ?? j]!.name);
    }
}

/** By step, the steps that had to come before it: bit i of entry j. */
function happensBefore<T>(taken: readonly Taken<T>[], dependent: Exploring<T>['dependent']): bigint[] {
  const before: bigint[] = [];
  for (const [j, step] of taken.entries()) {
    let bits = 0n;
    for (let i = j - 1; i >= 0; i--) {
      if ((bits >> BigInt(i)) & 1n) continue;
      const other = taken[i]!;
      if (step.causes.has(i) || dependent(other.touches, step.touches)) bits |= before[i]! | (1n << BigInt(i));
    }
    before.push(bits);
  }
  return before;
}

/** Two steps that meet, with nothing in between that keeps them in this order. */
function isRace<T>(
  taken: readonly Taken<T>[],
  before: readonly bigint[],
  i: number,
  j: number,
  dependent: Exploring<T>['dependent'],
): boolean {
  const bit = 1n << BigInt(i);
  if (!(before[j]! & bit) || taken[j]!.causes.has(i)) return false;
  if (!dependent(taken[i]!.touches, taken[j]!.touches)) return false;
  for (let k = i + 1; k < j; k++) if (before[k]! & bit && (before[j]! >> BigInt(k)) & 1n) return false;
  return true;
}

/** Of what came after i up to j and did not depend on i: the steps that could have been first. */
function firstsWithout(before: readonly bigint[], i: number, j: number): number[] {
  const free: number[] = [];
  for (let k = i + 1; k < j; k++) if (!((before[k]! >> BigInt(i)) & 1n)) free.push(k);
  free.push(j);
  return free.filter((k) => free.every((other) => other >= k || !((before[k]! >> BigInt(other)) & 1n)));
}
