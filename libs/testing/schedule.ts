/**
 * A small world whose every asynchronous step waits to be let go: whoever holds the schedule decides what happens next.
 *
 * Terminology
 * - *step*: something that is on its way (a question, an answer, a copy, a timer) and happens when it is let go. Between two
 *   steps everything that needs nothing else runs to its end.
 * - *name*: the same for the same step in whatever order the others went, so that a run can be repeated.
 * - *cause*: a step without which another one would not be there.
 */

/** What a step touches, by which two steps are told to be independent: either order then leads to the same world. */
export interface Step<T> {
  readonly name: string;
  readonly touches: T;
}

interface Offered<T> extends Step<T> {
  readonly causes: ReadonlySet<number>;
  readonly run: () => void;
}

/** A step that was let go. */
export interface Taken<T> extends Step<T> {
  /** Places of its causes in the order in which steps were let go. */
  readonly causes: ReadonlySet<number>;
}

/** So many steps and the world does not come to rest. */
const STEPS_MAX = 5_000;

export class Schedule<T> {
  readonly taken: Taken<T>[] = [];
  readonly #waiting = new Map<string, Offered<T>>();
  #ticks: (() => void)[] = [];

  /** What may happen next, in the order in which it came up. */
  get waiting(): readonly Step<T>[] {
    return [...this.#waiting.values()];
  }

  /** The place of the step that is happening, as a cause of what comes of it; none before the first. */
  get cause(): number | undefined {
    return this.taken.length === 0 ? undefined : this.taken.length - 1;
  }

  /** Something that happens when it is let go. @param causes besides the step that is happening */
  offer(name: string, touches: T, run: () => void, causes: readonly (number | undefined)[] = []): void {
    if (this.#waiting.has(name)) throw new Error(`two steps are called "${name}"`);
    const known = [...causes, this.cause].filter((cause) => cause !== undefined);
    this.#waiting.set(name, { name, touches, run, causes: new Set(known) });
  }

  /** Resolves when the step is let go. */
  step(name: string, touches: T): Promise<void> {
    return new Promise((resolve) => this.offer(name, touches, resolve));
  }

  /** Something that comes before whatever else may happen: the end of a turn of the event loop. */
  tick(run: () => void): void {
    this.#ticks.push(run);
  }

  /** Until nothing goes on without another step. */
  async rest(): Promise<void> {
    for (await atRest(); this.#ticks.length > 0; await atRest()) {
      const ticks = this.#ticks;
      this.#ticks = [];
      for (const run of ticks) run();
    }
  }

  /** Lets a step go, and everything that comes of it without another step. */
  async take(name: string): Promise<void> {
    const offered = this.#waiting.get(name);
    if (!offered) throw new Error(`"${name}" does not wait; these do: ${[...this.#waiting.keys()].join(' | ')}`);
    if (this.taken.length >= STEPS_MAX) throw new Error(`no rest after ${STEPS_MAX} steps`);
    this.#waiting.delete(name);
    this.taken.push({ name, touches: offered.touches, causes: offered.causes });
    offered.run();
    await this.rest();
  }

  /** Lets everything go, in the order in which it comes up. */
  async takeAll(): Promise<void> {
    await this.rest();
    while (this.waiting[0]) await this.take(this.waiting[0].name);
  }

  /** Lets go whatever comes up first, until this is done: for what is before or after what is looked at. */
  async finish<R>(work: Promise<R>): Promise<R> {
    let done = false;
    const ended = (): void => void (done = true);
    work.then(ended, ended);
    for (await this.rest(); !done; await this.rest()) {
      const [next] = this.#waiting.values();
      if (!next) throw new Error('it waits for something that nobody will do');
      await this.take(next.name);
    }
    return work;
  }

  /** What happened so far is no part of what is explored. */
  begin(): void {
    const [left] = this.#waiting.keys();
    if (left !== undefined) throw new Error(`"${left}" is left over from before`);
    this.taken.length = 0;
  }
}

/** The event loop's own: a world may have made its ticks to steps. */
const nextRound = setImmediate;

/** When every promise that can go on has gone on. */
const atRest = (): Promise<void> => new Promise((resolve) => nextRound(resolve));
