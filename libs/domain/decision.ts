/**
 * The vocabulary of the rules: what a decision stands on, and what it says.
 *
 * Terminology
 * - *ref*: one subject of the log by what it means (a room's roster, a user's membership), without spelling it out.
 * - *fence*: the ref whose last event must still be the one that the decision saw.
 * - *home*: the ref of a command's own event, always the last of its decision. Its place in the log is the command's
 *   result, and it alone carries the caller's key, so a repeat looks for its first result there and nowhere else.
 *
 * The roster is a room's lock: every change of a room's members or its config writes it, fenced on its own last
 * event. So whoever reads the roster first and the rest after it decides on one consistent state, or is refused.
 */
import type { Actor, ChatEventType, CommandBody, CommandName, EventOf } from '#contract';
import type { State } from './state.js';

export type RoomRef =
  | { readonly kind: 'config' | 'roster' | 'timeline'; readonly roomId: string }
  | { readonly kind: 'member'; readonly roomId: string; readonly userId: string };
export type UserRef = { readonly kind: 'status' | 'profile'; readonly userId: string };
export type StateRef = RoomRef | UserRef;

/** An event without what the handler adds: version, actor, key. */
export type NewEvent = {
  [T in ChatEventType]: { readonly type: T; readonly data: EventOf<T>['data'] };
}[ChatEventType];

export interface PlannedEvent {
  readonly to: StateRef;
  readonly event: NewEvent;
  readonly fence?: StateRef;
}

/** The events to append, all or none; none when nothing has to be done. The last one is the command's own. */
export type Decision = readonly PlannedEvent[];

/** A command on its way to its rule, validated. */
export interface Command<N extends CommandName = CommandName> {
  readonly actor: Actor;
  /** The room that it concerns, also where the body names it by its participants or not at all; '' for a user's own commands. */
  readonly roomId: string;
  readonly body: CommandBody<N>;
  /** Whether joining a missing room makes it: the deployment's choice. */
  readonly createMissing: boolean;
}

export interface Rule<N extends CommandName> {
  /**
   * `cached`: may be decided on remembered state, because one fence covers all that matters. `fresh`: decided only on
   * what the log's leader says, the roster read first.
   */
  readonly standsOn: 'cached' | 'fresh';
  home(command: Command<N>): StateRef;
  /** What the decision stands on; asked again with what has been loaded, until it names nothing new. */
  reads(command: Command<N>, state: State): readonly StateRef[];
  /** @throws DomainError */
  decide(command: Command<N>, state: State): Decision;
  /**
   * A ref that is at least as new as any batch in which an earlier attempt of this command can stand: the broker
   * remembers no id for batches, so a repeat is looked for. Absent where no batch is ever written.
   */
  batchTrace?(command: Command<N>): StateRef | undefined;
  /** What the command made or changed, as its result names it; absent for messages, which are named by their place. */
  resultId?(command: Command<N>): string;
}

export const config = (roomId: string): StateRef => ({ kind: 'config', roomId });
export const roster = (roomId: string): StateRef => ({ kind: 'roster', roomId });
export const timeline = (roomId: string): StateRef => ({ kind: 'timeline', roomId });
export const member = (roomId: string, userId: string): StateRef => ({ kind: 'member', roomId, userId });
export const status = (userId: string): StateRef => ({ kind: 'status', userId });
export const profile = (userId: string): StateRef => ({ kind: 'profile', userId });
