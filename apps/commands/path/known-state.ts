/**
 * The state that decisions stand on: the last entry of each subject, from the log's leader or remembered.
 *
 * What is remembered may be old. That is safe where a decision's fence is on what it stands on: memberships need no
 * invalidation, because the broker refuses a send whose sender's membership has moved. Nothing fences a send on the room's config:
 * remembered configs follow `live.room.*.config`, and because that copy can lose an event, each is read again when it
 * was not confirmed for `CONFIG_CONFIRMED_MS`.
 */
import { performance } from 'node:perf_hooks';
import { LIVE, Subjects, type ChatEvent, type CommandName } from '#contract';
import { evolve, initialState, type Command, type Rule, type State, type StateRef } from '#domain';
import type { EventLog, StoredEntry, Subscription } from '#event-log';
import { Remembered } from './remembered.js';

/** Some 750 bytes each: the memberships of the busiest rooms of this process. */
const MEMBERSHIPS_MAX = 100_000;
/** Configs, statuses and profiles: mostly less than 1 KB each, but some 11 KB where somebody fills them. */
const OTHERS_MAX = 20_000;
const OTHERS_BYTES_MAX = 32 * 1024 * 1024;
/** Of one: what its event has as JSON, and objects and names around it. */
const bytesOf = ({ event }: Known): number => Buffer.byteLength(JSON.stringify(event)) + 500;
/** How long a send may go by a config of which the live copy was lost. */
const CONFIG_CONFIRMED_MS = 5_000;

/** The last entry of a subject. */
export interface Known {
  readonly seq: number;
  /** The broker's time, ms. */
  readonly at: number;
  readonly event: ChatEvent;
  /** `performance.now()` of when the leader, or the live copy, said so. */
  readonly confirmedAtMs: number;
}

/** What somebody wants to decide. */
export interface Need {
  readonly rule: Rule<CommandName>;
  readonly command: Command;
}

type Kind = StateRef['kind'];

export interface Loaded {
  readonly state: State;
  /** By subject; undefined where nothing stands. */
  readonly known: ReadonlyMap<string, Known | undefined>;
}

export class KnownState {
  readonly subjects: Subjects;
  private readonly memberships = new Remembered<Known>(MEMBERSHIPS_MAX);
  private readonly others = new Remembered<Known>(OTHERS_MAX, { max: OTHERS_BYTES_MAX, of: bytesOf });
  /** Reads under way for the memory, so that a room that wakes up is read once. */
  private readonly reading = new Map<string, Promise<Known | undefined>>();

  constructor(private readonly log: EventLog) {
    this.subjects = new Subjects(log.partitions);
  }

  /** Follows what rooms become; runs until the subscription is stopped. */
  followConfigs(): Promise<Subscription> {
    return this.log.live(LIVE.configs, (entry) => {
      const before = this.others.get(entry.subject);
      if (before && before.seq < entry.seq) this.remember(entry.subject, knownOf(entry));
    });
  }

  subjectOf(ref: StateRef): string {
    switch (ref.kind) {
      case 'member':
        return this.subjects.member(ref.roomId, ref.userId);
      case 'config':
        return this.subjects.config(ref.roomId);
      case 'roster':
        return this.subjects.roster(ref.roomId);
      case 'timeline':
        return this.subjects.timeline(ref.roomId);
      case 'status':
        return this.subjects.status(ref.userId);
      case 'profile':
        return this.subjects.profile(ref.userId);
    }
  }

  /**
   * @param from `memory` where what is there will do; `leader` reads everything now, and the first ref of the first rule
   * before all others, so that a fence on it covers them
   */
  async load(needs: readonly Need[], from: 'memory' | 'leader'): Promise<Loaded> {
    const known = new Map<string, Known | undefined>();
    let state = initialState();
    for (;;) {
      const missing = new Map<string, Kind>();
      for (const { rule, command } of needs)
        for (const ref of rule.reads(command, state)) missing.set(this.subjectOf(ref), ref.kind);
      for (const subject of known.keys()) missing.delete(subject);
      if (missing.size === 0) return { state, known };
      const now = from === 'leader' && known.size === 0 ? [...missing].slice(0, 1) : [...missing];
      for (const [subject, value] of await this.lastOfEach(now, from)) {
        known.set(subject, value);
        if (value) state = evolve(state, value.event, value.at);
      }
    }
  }

  /** After an own append: nobody needs to read what we have just written. */
  written(subject: string, seq: number, event: ChatEvent, at: number): void {
    this.remember(subject, { seq, at, event, confirmedAtMs: performance.now() });
  }

  forget(known: ReadonlyMap<string, unknown>): void {
    for (const subject of known.keys()) {
      this.memberships.delete(subject);
      this.others.delete(subject);
    }
  }

  private async lastOfEach(
    subjects: readonly [string, Kind][],
    from: 'memory' | 'leader',
  ): Promise<[string, Known | undefined][]> {
    const found: [string, Known | undefined][] = [];
    const reads: Promise<[string, Known | undefined]>[] = [];
    for (const [subject, kind] of subjects) {
      const value = from === 'memory' ? this.usable(subject, kind) : undefined;
      if (value) found.push([subject, value]);
      else
        reads.push((from === 'memory' ? this.readOnce(subject) : this.read(subject)).then((read) => [subject, read]));
    }
    return reads.length === 0 ? found : [...found, ...(await Promise.all(reads))];
  }

  private usable(subject: string, kind: Kind): Known | undefined {
    const value = (kind === 'member' ? this.memberships : this.others).get(subject);
    if (!value || kind !== 'config') return value;
    return performance.now() - value.confirmedAtMs < CONFIG_CONFIRMED_MS ? value : undefined;
  }

  private readOnce(subject: string): Promise<Known | undefined> {
    const running = this.reading.get(subject);
    if (running) return running;
    const read = this.read(subject).finally(() => this.reading.delete(subject));
    this.reading.set(subject, read);
    return read;
  }

  private async read(subject: string): Promise<Known | undefined> {
    const entry = await this.log.last(subject);
    if (!entry) return undefined;
    const known = knownOf(entry);
    this.remember(subject, known);
    return known;
  }

  private remember(subject: string, known: Known): void {
    // A roster is a lock: it is always read.
    if (known.event.type === 'RosterChanged') return;
    const memory = 'member' in known.event.data ? this.memberships : this.others;
    const before = memory.get(subject);
    if (!before || before.seq <= known.seq) memory.set(subject, known);
  }
}

/** @throws Error for an entry that this version cannot read: nothing may be decided on what is not understood */
export function knownOf(entry: StoredEntry): Known {
  const { decoded, seq, at, subject } = entry;
  if (decoded.kind !== 'event')
    throw new Error(
      `the last entry of ${subject} (${seq}) is ${decoded.kind}: ${decoded.kind === 'unknown' ? decoded.type : decoded.reason}`,
    );
  return { seq, at, event: decoded.event, confirmedAtMs: performance.now() };
}
