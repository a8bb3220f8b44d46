/** Lets so many in at a time, the others in the order in which they came, and nobody more than can reasonably wait. */
export class Turns {
  readonly #queue: (() => void)[] = [];
  #inside = 0;

  constructor(
    private readonly insideMax: number,
    private readonly waitingMax: number,
  ) {}

  /** Undefined when too many are waiting. */
  take<T>(task: () => Promise<T>): Promise<T> | undefined {
    if (this.#inside >= this.insideMax && this.#queue.length >= this.waitingMax) return undefined;
    return this.#inTurn(task);
  }

  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.insideMax) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#inside++;
    try {
      return await task();
    } finally {
      // The place goes to the next one directly, so that nobody who comes now can slip in between.
      const next = this.#queue.shift();
      if (next) next();
      else this.#inside--;
    }
  }
}
