/**
 * The tails role of a partition: reads the log in order and tells, every `tailsMs` in which something happened, what
 * stands last on every subject that moved. Gateways check by it that the live copies missed nothing.
 *
 * Notices of one run join end to end (`from` is the one before's `to`). A new run starts at the log's end, which shows
 * as a gap.
 */
import { LOG_LIMITS } from './limits.js';
import type { StoredEntry, TailsNotice } from './log.js';

/** What a pair costs in a notice beside its subject: brackets, quotes, comma and the sequence. */
const PAIR_BYTES = 24;

/** Collects entries into notices that stay below the size limit. */
export class TailsCollector {
  #last = new Map<string, number>();
  #bytes = 0;
  #to: number;

  constructor(
    private readonly epoch: string,
    private from: number,
    /** False when nothing can be published now: the notice grows until it can. */
    private readonly publish: (notice: TailsNotice) => boolean,
  ) {
    this.#to = from;
  }

  /** Entries in the log's order. */
  add(entries: readonly Pick<StoredEntry, 'subject' | 'seq'>[]): void {
    for (const { subject, seq } of entries) {
      if (!this.#last.has(subject)) this.#bytes += subject.length + PAIR_BYTES;
      this.#last.set(subject, seq);
      this.#to = seq;
      if (this.#bytes >= LOG_LIMITS.tailsNoticeBytesMax) this.flush();
    }
  }

  flush(): void {
    if (this.#last.size === 0) return;
    if (!this.publish({ epoch: this.epoch, from: this.from, to: this.#to, last: [...this.#last] })) return;
    this.from = this.#to;
    this.#last = new Map();
    this.#bytes = 0;
  }
}

/** Undefined for anything that is no notice. */
export function parseNotice(text: string): TailsNotice | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (
    typeof value !== 'object' ||
    value === null ||
    !('epoch' in value && 'from' in value && 'to' in value && 'last' in value)
  )
    return undefined;
  const { epoch, from, to, last } = value;
  if (typeof epoch !== 'string' || !isPlace(from) || !isPlace(to) || from > to || !Array.isArray(last))
    return undefined;
  const pairs = last.filter(isPair);
  const fits = pairs.length === last.length && pairs.every(([, seq]) => from < seq && seq <= to);
  return fits ? { epoch, from, to, last: pairs } : undefined;
}

/** A gateway's mark moves to what stands here, and cursors are made of marks. */
const isPlace = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isPair = (value: unknown): value is [string, number] =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && value[0] !== '' && isPlace(value[1]);
