import { relative } from 'node:path';
import { root } from './paths.mjs';

const SAID_EVERY_MS = 5 * 60_000;

/** A reporter for jest, which is silent about a suite until it has ended: says which ones take long. */
export default class LongSuites {
  #timers = new Map();

  /** @param options `everyMs`: how often it says so */
  constructor(_, { everyMs = SAID_EVERY_MS } = {}) {
    this.everyMs = everyMs;
  }

  onTestFileStart({ path }) {
    const startMs = Date.now();
    const say = () =>
      console.error(`parley: ${relative(root, path)} has run for ${Math.round((Date.now() - startMs) / 1_000)} s`);
    this.#timers.set(path, setInterval(say, this.everyMs).unref());
  }

  onTestFileResult({ path }) {
    clearInterval(this.#timers.get(path));
    this.#timers.delete(path);
  }
}
