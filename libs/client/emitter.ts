/** Callbacks and async iterators over the same events. */
import { LimitError } from './errors.js';

/** Events that an iterator may lag behind; a slower reader is told, instead of filling the memory. */
const ITERATOR_EVENTS_MAX = 1_000;

export type Listener<T> = (value: T) => void;

export class Emitter<T> {
  private readonly listeners = new Set<Listener<T>>();
  private readonly enders = new Set<() => void>();

  /** Calls back with every value from now on; what is returned ends it. */
  on(listener: Listener<T>): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** A listener that throws is an error of the application: it is thrown where nothing of the client's is under way. */
  emit(value: T): void {
    for (const listener of [...this.listeners])
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
  }

  /** Ends all iterators; no more values come. */
  end(): void {
    for (const end of [...this.enders]) end();
  }

  /**
   * Values from now on, until `signal` aborts or the client is closed.
   * @throws LimitError when the loop is more than 1,000 values behind
   */
  async *iterate(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    const queue: T[] = [];
    let wake = (): void => undefined;
    let ended = signal?.aborted ?? false;
    const end = (): void => {
      ended = true;
      wake();
    };
    const off = this.on((value) => {
      // One more than it may lag behind says that it does.
      if (queue.length <= ITERATOR_EVENTS_MAX) queue.push(value);
      wake();
    });
    this.enders.add(end);
    signal?.addEventListener('abort', end);
    try {
      for (;;) {
        if (queue.length > ITERATOR_EVENTS_MAX) throw new LimitError('iterator', ITERATOR_EVENTS_MAX);
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (ended) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      off();
      this.enders.delete(end);
      signal?.removeEventListener('abort', end);
    }
  }
}
