/**
 * Finds what a key's first command did, when it may have been stored and its answer lost. Where the broker still knows
 * the id of a single append it says so itself; this is for everything else: batches, which carry no id; keys that the
 * broker has forgotten; and commands that the rules would refuse today, because their sender has left since.
 *
 * A command's own event, its home's, alone carries the key, so only that subject is looked through.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, type ChatEvent } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import type { KeyLookup, StoredResult } from './key-lookup.js';
import type { Keyed } from './keyed.js';
import { Remembered } from './remembered.js';

/** How long a command with an old key waits for the view to catch up, before its caller is asked to. */
const VIEW_WAIT_MS = 1_000;
const VIEW_POLL_MS = 25;
/** Entries of a home that are looked through before the view is asked to shorten the way: memberships are short, timelines not. */
const FIRST_LOOK_ENTRIES = 64;
/** Beyond the view, and where there is none: entries a read, and at most. */
const PAGE_ENTRIES = 500;
const SCAN_ENTRIES_MAX = 10_000;
/** How a starting point is found from the end: the first step back, and how much longer each next one is. */
const STEP_BACK = 256;
const STEP_GROWTH = 16;
/** Channels whose first message's key is remembered. */
const OPENINGS_MAX = 50_000;

interface Home {
  readonly partition: number;
  readonly subject: string;
}

export class FirstResults {
  /** The key of a channel's first message, by the channel's config subject; null where that has none. */
  private readonly openings = new Remembered<KeyedResult | null>(OPENINGS_MAX);

  constructor(
    private readonly log: EventLog,
    private readonly view: KeyLookup,
  ) {}

  /**
   * Looks an old key up in the view, which has to hold all that is stored by now.
   * @returns the first result, or the sequence up to which there is none
   * @throws DomainError `key_reused`; `behind` when the view does not catch up
   */
  async inView(partition: number, key: Keyed): Promise<StoredResult | { readonly noneUpTo: number }> {
    const last = await this.log.lastSequence(partition);
    const giveUpAt = performance.now() + VIEW_WAIT_MS;
    let reached = await this.view.reached(partition);
    while (reached < last) {
      if (performance.now() >= giveUpAt) throw new DomainError('behind');
      await delay(VIEW_POLL_MS);
      reached = await this.view.reached(partition);
    }
    const found = await this.view.find(partition, key.id);
    return found ? sameBody(found, key) : { noneUpTo: last };
  }

  /**
   * Looks for the key on its command's home, as far back as it can stand there.
   * @param noneUpTo up to here it is known not to be
   * @throws DomainError `key_reused`; `behind` when too much has happened since for one look
   */
  async onHome(home: Home, key: Keyed, noneUpTo: number | undefined): Promise<StoredResult | undefined> {
    const last = await this.log.last(home.subject);
    if (!last || last.seq <= (noneUpTo ?? 0) || last.at < key.sinceMs) return undefined;
    const newest = resultOf(last);
    if (newest?.id === key.id) return sameBody(newest, key);
    const after = noneUpTo ?? (await this.startBefore(home, key.sinceMs, last.seq));
    const page = await this.scan(home, key, after, last.seq, FIRST_LOOK_ENTRIES);
    if (page.found) return sameBody(page.found, key);
    if (page.upTo >= last.seq) return undefined;
    return this.onLongHome(home, key, page.upTo, last.seq);
  }

  /** A busy timeline: the view knows most of it, and the rest is short. */
  private async onLongHome(home: Home, key: Keyed, after: number, upTo: number): Promise<StoredResult | undefined> {
    const { reached, found } = await this.askView(home, key);
    if (found) return sameBody(found, key);
    let from = Math.max(after, reached);
    for (let read = 0; read < SCAN_ENTRIES_MAX && from < upTo; read += PAGE_ENTRIES) {
      const page = await this.scan(home, key, from, upTo, PAGE_ENTRIES);
      if (page.found) return sameBody(page.found, key);
      from = page.upTo;
    }
    if (from < upTo) throw new DomainError('behind');
    return undefined;
  }

  /** What the view knows; without a database the log is all there is. */
  private async askView(home: Home, key: Keyed): Promise<{ readonly reached: number; readonly found?: StoredResult }> {
    try {
      const reached = await this.view.reached(home.partition);
      const found = await this.view.find(home.partition, key.id);
      return found ? { reached, found } : { reached };
    } catch (error) {
      if (error instanceof DomainError && error.code === 'unavailable') return { reached: 0 };
      throw error;
    }
  }

  /**
   * Whether the key is the one whose command opened this channel.
   * @param opened the channel's config subject, and where its creation stands
   */
  async asOpening(
    home: Home,
    key: Keyed,
    opened: { readonly subject: string; readonly seq: number },
  ): Promise<StoredResult | undefined> {
    let first = this.openings.get(opened.subject);
    if (first === undefined) {
      const upTo = await this.log.lastSequence(home.partition);
      const { entries } = await this.log.readSubject(home.partition, home.subject, { after: opened.seq, upTo, max: 1 });
      if (!entries[0]) return undefined;
      first = resultOf(entries[0]) ?? null;
      this.openings.set(opened.subject, first);
    }
    return first?.id === key.id ? sameBody(first, key) : undefined;
  }

  private async scan(
    home: Home,
    key: Keyed,
    after: number,
    upTo: number,
    max: number,
  ): Promise<{ readonly found?: StoredResult; readonly upTo: number }> {
    const { entries, complete } = await this.log.readSubject(home.partition, home.subject, { after, upTo, max });
    for (const entry of entries) {
      const result = resultOf(entry);
      if (result?.id === key.id) return { found: result, upTo: entry.seq };
    }
    return { upTo: complete ? upTo : (entries[entries.length - 1]?.seq ?? upTo) };
  }

  /** A sequence after which everything of the home since `sinceMs` stands. */
  private async startBefore(home: Home, sinceMs: number, last: number): Promise<number> {
    for (let step = STEP_BACK; ; step *= STEP_GROWTH) {
      const after = Math.max(0, last - step);
      if (after === 0) return 0;
      const { entries } = await this.log.readSubject(home.partition, home.subject, { after, upTo: last, max: 1 });
      const first = entries[0];
      if (first && first.at < sinceMs) return after;
    }
  }
}

const eventOf = (entry: StoredEntry): ChatEvent | undefined =>
  entry.decoded.kind === 'event' ? entry.decoded.event : undefined;

interface KeyedResult extends StoredResult {
  readonly id: string;
}

function resultOf(entry: StoredEntry): KeyedResult | undefined {
  const key = eventOf(entry)?.key;
  return key && { id: key.id, body: key.body, seq: entry.seq };
}

/** @throws DomainError key_reused */
export function sameBody(first: StoredResult, key: Keyed): StoredResult {
  if (first.body !== key.body) throw new DomainError('key_reused');
  return first;
}
