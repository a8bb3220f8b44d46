/** When the nemesis strikes, and whom: decided by the seed alone, before anything is started. */
import type { Random } from '../random.js';
import { FAULTS, type Draft, type FaultName } from './faults.js';
import type { World } from './world.js';

/** One fault, at one or several victims. */
export interface Blow extends Draft {
  readonly fault: FaultName;
  /** Since its round began. */
  readonly afterMs: number;
}

/** One fault, or two that overlap; then everything is healed, and everybody has to go on. */
export type Round = readonly Blow[];

export interface ScheduleOptions {
  readonly rounds: number;
  readonly faults: readonly FaultName[];
}

const TWO_AT_A_TIME = 0.45;
const DRAWS_MAX = 20;

export function schedule(random: Random, world: World, { rounds, faults }: ScheduleOptions): Round[] {
  const deck = new Deck(random.fork('deck'), faults);
  const drawn: Round[] = [];
  while (drawn.length < rounds) {
    const first = draw(deck, random, world, []);
    if (!first) throw new Error(`nothing can be broken here: ${faults.join(', ')}`);
    const second = random.chance(TWO_AT_A_TIME) && draw(deck, random, world, first.victims);
    // The second falls while the first lasts.
    const afterMs = random.below(Math.max(1, first.holdMs));
    drawn.push(second ? [first, { ...second, afterMs }] : [first]);
  }
  return drawn;
}

/** A fault that there can be in this world, whose victims are not those of another: a dead process cannot be frozen. */
function draw(deck: Deck, random: Random, world: World, taken: readonly string[]): Blow | undefined {
  for (let attempt = 0; attempt < DRAWS_MAX; attempt += 1) {
    const fault = deck.next();
    const draft = FAULTS[fault].draw(random, world);
    if (draft && !draft.victims.some((victim) => taken.includes(victim))) return { fault, afterMs: 0, ...draft };
  }
  return undefined;
}

/** Every fault once before any comes again. */
class Deck {
  #left: FaultName[] = [];

  constructor(
    private readonly random: Random,
    private readonly faults: readonly FaultName[],
  ) {}

  next(): FaultName {
    if (this.#left.length === 0) this.#left = this.random.shuffle(this.faults);
    return this.#left.pop() as FaultName;
  }
}

export function describeBlow({ fault, victims, holdMs, how }: Blow): string {
  return `${fault} ${victims.join(', ')}${how === undefined ? '' : ` (${how})`} for ${(holdMs / 1_000).toFixed(1)} s`;
}
