/**
 * The one path of every command: validate, look at the key, load what the rule stands on, decide, append with fence and
 * key, reply. See `deciding.ts` for how a decision is reached, `first-results.ts` for keys that were used before.
 */
import { DomainError, LIMITS, type CommandName, type CommandReply, type CommandResult } from '#contract';
import { AppendUnknownError, LogUnavailableError, type EventLog, type Subscription } from '#event-log';
import { askedJustNow, type RequestTimes } from '#service';
import { BrokerClock } from './broker-clock.js';
import { Deciding } from './deciding.js';
import { FirstResults } from './first-results.js';
import type { KeyLookup } from './key-lookup.js';
import { KnownState } from './known-state.js';
import { tooLate, TooLateError } from './lateness.js';
import { repeated, taskOf, type Task } from './task.js';
import { Turns } from './turns.js';

export interface HandlerOptions {
  readonly roomsOnJoin: boolean;
  /** Hears of every error that is no refusal, once. */
  readonly onFault: (error: unknown, name: CommandName) => void;
}

/** What comes in masses to one room, and shares a batch there. */
const SHARING: ReadonlySet<CommandName> = new Set(['JoinRoom', 'LeaveRoom']);

/** Commands that are being done; above it the next one is refused for now. Each edge has as many under way at most. */
export const COMMANDS_MAX = 4_096;

export class CommandHandler {
  private readonly known: KnownState;
  private readonly firsts: FirstResults;
  private readonly deciding: Deciding;
  private readonly clock = new BrokerClock();
  private readonly turns: Turns<Task, CommandResult>;
  private underWay = 0;

  constructor(
    private readonly log: EventLog,
    view: KeyLookup,
    private readonly options: HandlerOptions,
  ) {
    this.known = new KnownState(log);
    this.firsts = new FirstResults(log, view);
    this.deciding = new Deciding(log, this.known, this.firsts, this.clock);
    this.turns = new Turns(together, (tasks) => this.deciding.onLeader(tasks));
  }

  /** Starts to follow what other processes do to rooms. */
  follow(): Promise<Subscription> {
    return this.known.followConfigs();
  }

  /**
   * Answers a request of an edge. Never rejects: a refusal is an answer, and a fault is reported and answered `internal`.
   * @param asked when the request was made
   */
  async answer(name: CommandName, request: unknown, asked = askedJustNow()): Promise<CommandReply> {
    if (this.underWay >= COMMANDS_MAX)
      return { refused: new DomainError('unavailable', 'too many commands at once').toRefusal() };
    this.underWay += 1;
    try {
      return { ok: await this.run(name, request, asked) };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.code === 'internal') this.options.onFault(error, name);
      const refused = refusal.toRefusal();
      return error instanceof TooLateError ? { refused, again: true } : { refused };
    } finally {
      this.underWay -= 1;
    }
  }

  private async run(name: CommandName, request: unknown, asked: RequestTimes): Promise<CommandResult> {
    const late = tooLate(asked);
    if (late) throw late;
    const createMissing = this.options.roomsOnJoin;
    const [nowMs, restoredAtMs] = [this.clock.now(), this.log.restoredAt];
    const task = taskOf(name, request, { known: this.known, createMissing, nowMs, restoredAtMs, asked });
    const { key } = task;
    if (!key || key.fresh) return this.execute(task);
    const seen = await this.firsts.inView(task.partition, key);
    return 'noneUpTo' in seen ? this.execute({ ...task, noneUpTo: seen.noneUpTo }) : repeated(task, seen);
  }

  private async execute(task: Task): Promise<CommandResult> {
    if (task.rule.standsOn === 'fresh') return this.turns.take(task.command.roomId, task);
    const tried = await this.deciding.onRemembered(task);
    if ('result' in tried) return tried.result;
    const [decided] = await this.deciding.onLeader([tried.left]);
    return decided!;
  }
}

/** One command a user in a group: what the second one's key may find must be stored by then. */
function together(group: readonly Task[], next: Task): boolean {
  if (group.length >= LIMITS.memberEventsPerBatch) return false;
  return [...group, next].every(({ name }) => SHARING.has(name)) && group.every(({ home }) => home !== next.home);
}

function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof LogUnavailableError || error instanceof AppendUnknownError)
    return new DomainError('unavailable', undefined, { cause: error });
  return new DomainError('internal', undefined, { cause: error });
}
