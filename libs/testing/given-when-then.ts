/**
 * Specs of rules read as sentences: given what happened, when a command comes, then these events, or a refusal.
 *
 *     given(roomCreated, rosterOf(1), ann('owner')).when('JoinRoom', { by: 'bob', roomId: 'den', body }).then([...]);
 */
import assert from 'node:assert/strict';
import { DomainError, type Actor, type CommandBody, type CommandName, type RefusalCode } from '#contract';
import {
  evolve,
  initialState,
  RULES,
  type Command,
  type Decision,
  type Happened,
  type NewEvent,
  type Rule,
  type State,
} from '#domain';

export interface Asked<N extends CommandName> {
  readonly by: string | Actor;
  /** Absent for a user's own commands. */
  readonly roomId?: string;
  readonly body: CommandBody<N>;
  readonly createMissing?: boolean;
}

export interface Refused {
  readonly refused: RefusalCode;
  readonly detail?: string;
}

export const refused = (code: RefusalCode, detail?: string): Refused =>
  detail === undefined ? { refused: code } : { refused: code, detail };

export const given = (...happened: readonly Happened[]) => ({
  when<N extends CommandName>(name: N, asked: Asked<N>): Outcome {
    const state = happened.reduce((before, event) => evolve(before, event), initialState());
    return new Outcome(decideOn(name, asked, state));
  },
});

/** What the rule says in a state: its decision, or its refusal. Any other error is a fault and is thrown. */
export function decideOn<N extends CommandName>(name: N, asked: Asked<N>, state: State): Decision | DomainError {
  const rule: Rule<N> = RULES[name];
  const command: Command<N> = {
    actor: typeof asked.by === 'string' ? { userId: asked.by } : asked.by,
    roomId: asked.roomId ?? '',
    body: asked.body,
    createMissing: asked.createMissing ?? false,
  };
  try {
    return rule.decide(command, state);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

export class Outcome {
  constructor(private readonly outcome: Decision | DomainError) {}

  /** Checks the events, in order, or the refusal. */
  then(expected: readonly NewEvent[] | Refused): this {
    if ('refused' in expected) {
      assert.ok(this.outcome instanceof DomainError, `decided ${JSON.stringify(this.outcome)}, not a refusal`);
      assert.equal(this.outcome.code, expected.refused);
      if (expected.detail !== undefined) assert.equal(this.outcome.message, expected.detail);
      return this;
    }
    assert.deepEqual(
      this.decision.map(({ event }) => event),
      expected,
    );
    return this;
  }

  /** For what stands beside the events: subjects and fences. */
  get decision(): Decision {
    assert.ok(!(this.outcome instanceof DomainError), `refused: ${String(this.outcome)}`);
    return this.outcome;
  }
}
