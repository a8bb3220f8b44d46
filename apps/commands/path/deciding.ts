/**
 * How commands come to a decision that the log takes.
 *
 * - A decision with one event (a send, a status) may stand on remembered state: its one fence covers it. The broker knows
 *   its key.
 * - Every other outcome (a batch, a refusal, nothing to do) is decided on what the log's leader says now. A batch
 *   carries no id for the broker, so its key is looked for first; and before a keyed command is refused, too: its first
 *   attempt may have been stored, the answer lost, and its sender gone since.
 * - A fence that has moved means: load again and decide again. Another attempt of the same command may have been refused meanwhile,
 *   so what refuses it at any moment since the first decision refuses it: a mute, for one, that has ended again.
 * - A request that was long on its way may have been asked again by its edge, or elsewhere by its client, and refused. Past `DECIDED_WITHIN_MS` it is
 *   not decided at all; before, not where what a send stands on has changed since it was asked first.
 */
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, type CommandResult } from '#contract';
import { evolve } from '#domain';
import { FenceMovedError, type Append, type EventLog } from '#event-log';
import type { BrokerClock } from './broker-clock.js';
import { sameBody, type FirstResults } from './first-results.js';
import type { StoredResult } from './key-lookup.js';
import type { Keyed } from './keyed.js';
import { knownOf, type KnownState, type Loaded } from './known-state.js';
import { tooLate, TooLateError } from './lateness.js';
import { decide, decideTogether, type Decided, type Outcome } from './shared-decision.js';
import { repeated, resultOf, type Task } from './task.js';

/** Decisions of one command before it is `unavailable`: another process wins a room's fence every second time at most. */
const DECISIONS_MAX = 24;
/** Of one fence while one command is under way. */
const CHANGES_MAX = 64;
/** What is decided sooner is decided before its client has asked another edge. */
const DECIDED_SOON_MS = 1_000;
/** By which the clocks of two brokers may differ. */
const CLOCK_MARGIN_MS = 250;
/** After a moved fence: a pause between 0 and this, longer from one decision to the next. */
const PAUSE_STEP_MS = 2;

export class Deciding {
  constructor(
    private readonly log: EventLog,
    private readonly known: KnownState,
    private readonly firsts: FirstResults,
    private readonly clock: BrokerClock,
  ) {}

  /** The short way: a result where what is remembered leads to a single event that the log takes; else what is left to do. */
  async onRemembered(task: Task): Promise<{ readonly result: CommandResult } | { readonly left: Task }> {
    const loaded = await this.known.load([task], 'memory');
    if (tooLate(task.asked) || this.refusedWhileWaiting(task, loaded)) return { left: task };
    const { outcomes, appends } = decideTogether([task], [], loaded, this.known);
    if (outcomes[0]?.kind !== 'written' || appends.length !== 1) return { left: task };
    const first = await this.firstOfBatch(task, loaded);
    if (first) return { result: repeated(task, first) };
    try {
      const [seq, duplicate] = await this.appendOne(task, appends);
      return { result: resultOf(task, seq, { duplicate }) };
    } catch (error) {
      if (!(error instanceof FenceMovedError)) throw error;
      this.known.forget(loaded.known);
      return { left: standingOn(task, appends) };
    }
  }

  /**
   * Decides commands on one room, together, on what the leader says.
   * @returns of the first of them, at least one, their results
   */
  async onLeader(asked: readonly Task[]): Promise<Promise<CommandResult>[]> {
    let tasks = asked;
    for (let decisions = 1; decisions <= DECISIONS_MAX; decisions++) {
      const loaded = await this.known.load(tasks, 'leader');
      const firsts = await Promise.all(
        tasks.map(
          async (task) => (await orRefusal(this.firstOfBatch(task, loaded))) ?? this.refusedSince(task, loaded),
        ),
      );
      const inTime = firsts.map((first, i) => decidedBefore(first) ?? tooLate(tasks[i]!.asked) ?? first);
      const decided = decideTogether(tasks, inTime, loaded, this.known);
      try {
        const stored = await this.append(tasks, decided);
        return decided.outcomes.map((outcome, i) => this.settle(tasks[i]!, outcome, loaded, stored));
      } catch (error) {
        if (!(error instanceof FenceMovedError)) throw error;
        const [only] = tasks;
        if (only && tasks.length === 1) tasks = [standingOn(only, decided.appends)];
        await delay(randomInt(1 + PAUSE_STEP_MS * decisions));
      }
    }
    throw new DomainError('unavailable', 'too many change this at once');
  }

  /**
   * The same for what was asked long ago and is decided now for the first time: on what it would have been decided then, nobody knows.
   * It is no refusal for good, for its sender may have asked when all was well already.
   */
  private refusedWhileWaiting({ asked, rule, stoodOn, home }: Task, { known }: Loaded): DomainError | undefined {
    const waitedMs = performance.now() - asked.firstAskedAtMs;
    if (stoodOn || rule.standsOn !== 'cached' || waitedMs < DECIDED_SOON_MS) return undefined;
    const sinceMs = this.clock.now() - waitedMs - this.clock.errorMs - CLOCK_MARGIN_MS;
    // What stands on its own subject is what its sender did before, which refuses nothing.
    const hasChanged = [...known].some(([subject, last]) => subject !== home && last && last.at >= sinceMs);
    return hasChanged ? new DomainError('unavailable', 'this has changed while it waited') : undefined;
  }

  /** Why another attempt of the task may have been refused since its first decision. */
  private async refusedSince(task: Task, loaded: Loaded): Promise<DomainError | undefined> {
    const { stoodOn, partition } = task;
    const { known, state } = loaded;
    const late = this.refusedWhileWaiting(task, loaded);
    if (late) return late;
    const now = stoodOn && known.get(stoodOn.subject);
    if (!now || now.seq - 1 <= stoodOn.seq) return undefined;
    const range = { after: stoodOn.seq, upTo: now.seq - 1, max: CHANGES_MAX };
    const { entries, complete } = await this.log.readSubject(partition, stoodOn.subject, range);
    if (!complete) return new DomainError('unavailable', 'too much has changed meanwhile');
    for (const entry of entries) {
      const decision = decide(task, evolve(state, knownOf(entry).event, entry.at));
      if (decision instanceof DomainError) return decision;
    }
    return undefined;
  }

  private async settle(task: Task, outcome: Outcome, loaded: Loaded, stored: Stored): Promise<CommandResult> {
    if (outcome.kind === 'first') return repeated(task, outcome.result);
    if (outcome.kind === 'written')
      return resultOf(task, stored.seqs[outcome.own] ?? stored.seq, { duplicate: stored.duplicate });
    // Its edge asks again, and hears of a first result then.
    if (outcome.kind === 'refused' && outcome.error instanceof TooLateError) throw outcome.error;
    const first = task.key && (await this.firstOnHome(task, task.key));
    if (first) return repeated(task, first);
    if (outcome.kind === 'refused') throw outcome.error;
    // The position of a command that had nothing to do is that of the state that says so.
    const seq = Math.max(stored.seq, ...[...loaded.known.values()].map((value) => value?.seq ?? 0));
    return resultOf(task, seq, { changed: false });
  }

  private async append(tasks: readonly Task[], { appends }: Decided): Promise<Stored> {
    if (appends.length === 0) return { seq: 0, seqs: [], duplicate: false };
    if (appends.length === 1) {
      const [seq, duplicate] = await this.appendOne(tasks[0]!, appends);
      return { seq, seqs: [seq], duplicate };
    }
    const sentAtMs = performance.now();
    const { partition, seq, seqs } = await this.log.appendBatch(appends);
    for (const [i, each] of appends.entries()) this.remember(each, seqs[i] ?? seq);
    if (this.clock.wantsSample()) await this.sampleClock(partition, seq, sentAtMs);
    return { seq, seqs, duplicate: false };
  }

  private async appendOne(
    task: Task,
    [append]: readonly Append[],
  ): Promise<readonly [seq: number, duplicate: boolean]> {
    if (!append) throw new RangeError('a decision of one event has none');
    const sentAtMs = performance.now();
    const { seq, duplicate } = await this.log.append(append, task.key ? { messageId: task.key.id } : undefined);
    if (duplicate && task.key) return [(await this.stored(task, seq, task.key)).seq, true];
    this.remember(append, seq);
    if (this.clock.wantsSample()) await this.sampleClock(task.partition, seq, sentAtMs);
    return [seq, false];
  }

  /** Nobody needs to read the state that we have just written. */
  private remember({ subject, event }: Append, seq: number): void {
    if (event.type !== 'MessageSent') this.known.written(subject, seq, event, this.clock.now());
  }

  private async sampleClock(partition: number, seq: number, sentAtMs: number): Promise<void> {
    const entry = await this.log.entry(partition, seq);
    if (entry) this.clock.sample(entry.at, sentAtMs);
  }

  /** The first entry of a key that the broker says it has. @throws DomainError key_reused */
  private async stored(task: Task, seq: number, key: Keyed): Promise<StoredResult> {
    const entry = await this.log.entry(task.partition, seq);
    // An erased message has no body to compare: its place is its result all the same.
    return sameBody({ seq, body: (entry && knownOf(entry).event.key?.body) ?? key.body }, key);
  }

  private firstOnHome(task: Task, key: Keyed): Promise<StoredResult | undefined> {
    return this.firsts.onHome({ partition: task.partition, subject: task.home }, key, task.noneUpTo);
  }

  /** The first result of a task's key, where that may stand in a batch. */
  private async firstOfBatch(task: Task, { known }: Loaded): Promise<StoredResult | undefined> {
    const { key } = task;
    const trace = key && task.rule.batchTrace?.(task.command);
    if (!key || !trace) return undefined;
    const subject = this.known.subjectOf(trace);
    const last = known.get(subject);
    if (!last) return undefined;
    if (subject !== task.home)
      return this.firsts.asOpening({ partition: task.partition, subject: task.home }, key, { subject, seq: last.seq });
    if (last.seq <= (task.noneUpTo ?? 0) || last.at < key.sinceMs) return undefined;
    return this.firstOnHome(task, key);
  }
}

/** One event's fence covers all that its decision stands on; the first that has moved is what counts. */
function standingOn(task: Task, appends: readonly Append[]): Task {
  const [only] = appends;
  return task.stoodOn || appends.length !== 1 || !only?.fence ? task : { ...task, stoodOn: only.fence };
}

interface Stored {
  readonly seq: number;
  /** Of each append; the append's duplicate has only `seq`. */
  readonly seqs: readonly number[];
  readonly duplicate: boolean;
}

const decidedBefore = (first: StoredResult | DomainError | undefined): StoredResult | undefined =>
  first instanceof DomainError ? undefined : first;

/** A refusal of one command is an answer to that one, and no fault of those that share its turn. */
async function orRefusal<T>(result: Promise<T>): Promise<T | DomainError> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}
