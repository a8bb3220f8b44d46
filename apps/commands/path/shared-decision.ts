/**
 * What several commands on one room decide together: one after the other, each on the state that those before it leave. A single
 * command is the group of one.
 *
 * One append results, a batch if it has more than one event. The roster stands in it once, with its last state and its
 * fence, and so every other fence in it is only a second lock; one on a subject that the batch itself has written is left out.
 */
import { DomainError, EVENT_VERSION, type ChatEvent } from '#contract';
import { evolve, type Decision, type NewEvent } from '#domain';
import type { Append } from '#event-log';
import type { StoredResult } from './key-lookup.js';
import type { Keyed } from './keyed.js';
import type { KnownState, Loaded } from './known-state.js';
import type { Task } from './task.js';

export type Outcome =
  /** `own`: the index of the command's own event in the append. */
  | { readonly kind: 'written'; readonly own: number }
  | { readonly kind: 'first'; readonly result: StoredResult }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly error: DomainError };

export interface Decided {
  /** Of the first of the tasks, at least one; what comes after them needs more state than was loaded. */
  readonly outcomes: readonly Outcome[];
  readonly appends: readonly Append[];
}

/** @param firsts of each task, the first result of its key where that was found, or why it is refused because of it */
export function decideTogether(
  tasks: readonly Task[],
  firsts: readonly (StoredResult | DomainError | undefined)[],
  loaded: Loaded,
  known: KnownState,
): Decided {
  const appends: Append[] = [];
  const outcomes: Outcome[] = [];
  const writtenAt = new Map<string, number>();
  let { state } = loaded;
  for (const [i, task] of tasks.entries()) {
    const reads = task.rule.reads(task.command, state);
    if (!reads.every((ref) => loaded.known.has(known.subjectOf(ref)))) break;
    const first = firsts[i];
    if (first && !(first instanceof DomainError)) {
      outcomes.push({ kind: 'first', result: first });
      continue;
    }
    const decision = first ?? decide(task, state);
    if (decision instanceof DomainError) outcomes.push({ kind: 'refused', error: decision });
    else if (decision.length === 0) outcomes.push({ kind: 'nothing' });
    else {
      for (const each of decision) state = evolve(state, each.event);
      add(decision, task, { appends, writtenAt, loaded, known });
      outcomes.push({ kind: 'written', own: appends.length - 1 });
    }
  }
  return { outcomes, appends };
}

export function decide(
  { rule, command }: Pick<Task, 'rule' | 'command'>,
  state: Loaded['state'],
): Decision | DomainError {
  try {
    return rule.decide(command, state);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

interface Building {
  readonly appends: Append[];
  readonly writtenAt: Map<string, number>;
  readonly loaded: Loaded;
  readonly known: KnownState;
}

function add(decision: Decision, task: Task, { appends, writtenAt, loaded, known }: Building): void {
  const actor = task.command.actor.userId;
  for (const [i, { to, event, fence }] of decision.entries()) {
    const subject = known.subjectOf(to);
    const key = i === decision.length - 1 ? task.key : undefined;
    const append = { subject, event: eventOf(event, actor, key) };
    const before = writtenAt.get(subject);
    if (to.kind === 'roster' && before !== undefined) {
      appends[before] = { ...appends[before]!, event: append.event };
      continue;
    }
    const fencedOn = fence && known.subjectOf(fence);
    const fenced = fencedOn !== undefined && !writtenAt.has(fencedOn);
    appends.push(
      fenced ? { ...append, fence: { subject: fencedOn, seq: loaded.known.get(fencedOn)?.seq ?? 0 } } : append,
    );
    writtenAt.set(subject, appends.length - 1);
  }
}

const eventOf = (event: NewEvent, actor: string, key: Keyed | undefined): ChatEvent =>
  key
    ? { v: EVENT_VERSION, actor, key: { id: key.id, body: key.body }, ...event }
    : { v: EVENT_VERSION, actor, ...event };
