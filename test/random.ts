/**
 * Chance that can be repeated: the same seed draws the same. A fork has a sequence of its own, so that what one part draws does not
 * depend on how often another did.
 */
export class Random {
  readonly #name: string;
  #state: number;

  constructor(seed: string | number) {
    this.#name = String(seed);
    this.#state = hash(this.#name);
  }

  fork(name: string | number): Random {
    return new Random(`${this.#name}/${name}`);
  }

  /** At least 0, less than 1. */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, at least `min` and less than `limit`. */
  between(min: number, limit: number): number {
    return min + Math.floor(this.next() * (limit - min));
  }

  /** Less than `limit`. */
  below(limit: number): number {
    return this.between(0, limit);
  }

  chance(of: number): boolean {
    return this.next() < of;
  }

  /** @throws RangeError when there is nothing to pick from */
  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('nothing to pick from');
    return from[this.below(from.length)] as T;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(this.below(left.length), 1)[0] as T);
  }
}

/** FNV-1a: names that differ in one letter begin far from each other. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value;
}
