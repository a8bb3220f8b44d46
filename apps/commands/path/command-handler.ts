/**
 * The one path of every command: validate, look at the key, load what the rule stands on, decide, append with fence and
 * key, reply.
 *
 * - A decision with one event (a send, a status) may stand on remembered state: its one fence covers it. The broker knows
 *   its key.
 * - Every other outcome (a batch, a refusal, nothing to do) is decided on what the log's leader says now. A batch
 *   carries no id for the broker, so its key is looked for first; and before a keyed command is refused, too: its first
 *   attempt may have been stored, the answer lost, and its sender gone since.
 * - A fence that has moved means: load again and decide again.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import {
  channelRoomId,
  commandRequest,
  COMMANDS,
  DomainError,
  EVENT_VERSION,
  formatPosition,
  messageId,
  parseOrRefuse,
  type ChatEvent,
  type CommandBody,
  type CommandName,
  type CommandReply,
  type CommandResult,
} from '#contract';
import { RULES, type Command, type Decision, type NewEvent, type Rule } from '#domain';
import {
  AppendUnknownError,
  FenceMovedError,
  LogUnavailableError,
  type Append,
  type EventLog,
  type Subscription,
} from '#event-log';
import { BrokerClock } from './broker-clock.js';
import { FirstResults, sameBody } from './first-results.js';
import type { KeyLookup, StoredResult } from './key-lookup.js';
import { keyed, type Keyed } from './keyed.js';
import { KnownState, knownOf, type Loaded } from './known-state.js';
import { Turns } from './turns.js';

/** Decisions of one command before it is `unavailable`: another process wins a room's fence every second time at most. */
const DECISIONS_MAX = 24;
/** After a moved fence: a pause between 0 and this, longer from one decision to the next. */
const PAUSE_STEP_MS = 2;

export interface HandlerOptions {
  readonly roomsOnJoin: boolean;
  /** Hears of every error that is no refusal, once. */
  readonly onFault: (error: unknown, name: CommandName) => void;
}

interface Task<N extends CommandName> {
  readonly name: N;
  readonly rule: Rule<N>;
  readonly command: Command<N>;
  readonly key: Keyed | undefined;
  readonly partition: number;
  /** The subject of the command's own event. */
  readonly home: string;
  /** Up to here the key's first result is known not to stand. */
  readonly noneUpTo: number | undefined;
}

export class CommandHandler {
  private readonly known: KnownState;
  private readonly firsts: FirstResults;
  private readonly clock = new BrokerClock();
  private readonly turns = new Turns();

  constructor(
    private readonly log: EventLog,
    view: KeyLookup,
    private readonly options: HandlerOptions,
  ) {
    this.known = new KnownState(log);
    this.firsts = new FirstResults(log, view);
  }

  /** Starts to follow what other processes do to rooms. */
  follow(): Promise<Subscription> {
    return this.known.followConfigs();
  }

  /** Answers a request of an edge. Never rejects: a refusal is an answer, and a fault is reported and answered `internal`. */
  async answer(name: CommandName, request: unknown): Promise<CommandReply> {
    try {
      return { ok: await this.run(name, request) };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.code === 'internal') this.options.onFault(error, name);
      return { refused: refusal.toRefusal() };
    }
  }

  private async run<N extends CommandName>(name: N, request: unknown): Promise<CommandResult> {
    const task = this.taskOf(name, request);
    const { key } = task;
    if (!key || key.fresh) return this.execute(task);
    const seen = await this.firsts.inView(task.partition, key);
    return 'noneUpTo' in seen ? this.execute({ ...task, noneUpTo: seen.noneUpTo }) : this.repeated(task, seen);
  }

  private taskOf<N extends CommandName>(name: N, request: unknown): Task<N> {
    const { actor, body: unread, key: givenKey } = parseOrRefuse(commandRequest, request);
    const body = parseOrRefuse(COMMANDS[name].schema, unread) as CommandBody<N>;
    const named = roomNamedBy(body);
    const key =
      givenKey === undefined
        ? undefined
        : keyed({ key: givenKey, sender: actor.userId, name, roomId: named }, body, this.clock.now());
    // A room without an id gets one from its key, so that a repeat meets the same room.
    const roomId = name === 'CreateRoom' && named === '' ? `room-${key?.id ?? randomUUID()}` : named;
    const command: Command<N> = { actor, roomId, body, createMissing: this.options.roomsOnJoin };
    const rule: Rule<N> = RULES[name];
    const partition =
      roomId === '' ? this.known.subjects.partitionOfUser(actor.userId) : this.known.subjects.partitionOfRoom(roomId);
    return { name, rule, command, key, partition, home: this.known.subjectOf(rule.home(command)), noneUpTo: undefined };
  }

  private async execute<N extends CommandName>(task: Task<N>): Promise<CommandResult> {
    if (task.rule.standsOn === 'fresh') return this.turns.take(task.command.roomId, () => this.decideFresh(task));
    return (await this.decideRemembered(task)) ?? this.decideFresh(task);
  }

  /** The short way: undefined unless what is remembered leads to a single event that the log takes. */
  private async decideRemembered<N extends CommandName>(task: Task<N>): Promise<CommandResult | undefined> {
    const loaded = await this.known.load(task.rule, task.command, 'memory');
    const decision = decided(task, loaded);
    if (decision instanceof DomainError || decision.length !== 1) return undefined;
    const first = task.key && (await this.firstOfBatch(task, task.key, loaded));
    if (first) return this.repeated(task, first);
    try {
      return await this.appendOne(task, decision, loaded);
    } catch (error) {
      if (!(error instanceof FenceMovedError)) throw error;
      this.known.forget(loaded.known);
      return undefined;
    }
  }

  private async decideFresh<N extends CommandName>(task: Task<N>): Promise<CommandResult> {
    const { key } = task;
    for (let decisions = 1; decisions <= DECISIONS_MAX; decisions++) {
      const loaded = await this.known.load(task.rule, task.command, 'leader');
      const decision = decided(task, loaded);
      const doubtful = decision instanceof DomainError || decision.length === 0;
      const first = key && (doubtful ? await this.firstOnHome(task, key) : await this.firstOfBatch(task, key, loaded));
      if (first) return this.repeated(task, first);
      if (decision instanceof DomainError) throw decision;
      if (decision.length === 0) return this.unchanged(task, loaded);
      try {
        return await (decision.length === 1
          ? this.appendOne(task, decision, loaded)
          : this.appendAll(task, decision, loaded));
      } catch (error) {
        if (!(error instanceof FenceMovedError)) throw error;
        await delay(randomInt(1 + PAUSE_STEP_MS * decisions));
      }
    }
    throw new DomainError('unavailable', 'too many change this at once');
  }

  private firstOnHome<N extends CommandName>(task: Task<N>, key: Keyed): Promise<StoredResult | undefined> {
    return this.firsts.onHome({ partition: task.partition, subject: task.home }, key, task.noneUpTo);
  }

  /** The key's first result, where that may stand in a batch. */
  private async firstOfBatch<N extends CommandName>(
    task: Task<N>,
    key: Keyed,
    loaded: Loaded,
  ): Promise<StoredResult | undefined> {
    const trace = task.rule.batchTrace?.(task.command);
    const subject = trace && this.known.subjectOf(trace);
    const last = subject === undefined ? undefined : loaded.known.get(subject);
    if (subject === undefined || !last) return undefined;
    if (subject !== task.home)
      return this.firsts.asOpening({ partition: task.partition, subject: task.home }, key, { subject, seq: last.seq });
    if (last.seq <= (task.noneUpTo ?? 0) || last.at < key.sinceMs) return undefined;
    return this.firstOnHome(task, key);
  }

  private async appendOne<N extends CommandName>(
    task: Task<N>,
    decision: Decision,
    loaded: Loaded,
  ): Promise<CommandResult> {
    const [append] = this.appendsOf(task, decision, loaded);
    if (!append) throw new RangeError('a decision of one event has none');
    const sentAtMs = performance.now();
    const { seq, duplicate } = await this.log.append(append, task.key ? { messageId: task.key.id } : undefined);
    if (duplicate && task.key) return this.repeated(task, await this.stored(task, seq, task.key));
    if (task.rule.home(task.command).kind !== 'timeline')
      this.known.written(append.subject, seq, append.event, this.clock.now());
    if (this.clock.wantsSample()) await this.sampleClock(task.partition, seq, sentAtMs);
    return this.resultOf(task, seq, {});
  }

  private async appendAll<N extends CommandName>(
    task: Task<N>,
    decision: Decision,
    loaded: Loaded,
  ): Promise<CommandResult> {
    const appends = this.appendsOf(task, decision, loaded);
    const sentAtMs = performance.now();
    const { seq, seqs } = await this.log.appendBatch(appends);
    for (const [i, { subject, event }] of appends.entries())
      if (event.type !== 'MessageSent') this.known.written(subject, seqs[i] ?? seq, event, this.clock.now());
    if (this.clock.wantsSample()) await this.sampleClock(task.partition, seq, sentAtMs);
    return this.resultOf(task, seq, {});
  }

  private appendsOf<N extends CommandName>(task: Task<N>, decision: Decision, { known }: Loaded): Append[] {
    const actor = task.command.actor.userId;
    return decision.map(({ to, event, fence }, i) => {
      const key = i === decision.length - 1 ? task.key : undefined;
      const append = { subject: this.known.subjectOf(to), event: eventOf(event, actor, key) };
      if (!fence) return append;
      const subject = this.known.subjectOf(fence);
      return { ...append, fence: { subject, seq: known.get(subject)?.seq ?? 0 } };
    });
  }

  /** The first entry of a key that the broker says it has. @throws DomainError key_reused */
  private async stored<N extends CommandName>(task: Task<N>, seq: number, key: Keyed): Promise<StoredResult> {
    const entry = await this.log.entry(task.partition, seq);
    // An erased message has no body to compare: its place is its result all the same.
    return sameBody({ seq, body: (entry && knownOf(entry).event.key?.body) ?? key.body }, key);
  }

  private async sampleClock(partition: number, seq: number, sentAtMs: number): Promise<void> {
    const entry = await this.log.entry(partition, seq);
    if (entry) this.clock.sample(entry.at, sentAtMs);
  }

  private repeated<N extends CommandName>(task: Task<N>, first: StoredResult): CommandResult {
    return this.resultOf(task, first.seq, { duplicate: true });
  }

  /** Nothing had to be done: the result's position is that of the state that says so. */
  private unchanged<N extends CommandName>(task: Task<N>, { known }: Loaded): CommandResult {
    const seq = Math.max(0, ...[...known.values()].map((value) => value?.seq ?? 0));
    return this.resultOf(task, seq, { changed: false });
  }

  private resultOf<N extends CommandName>(
    { rule, command, partition }: Task<N>,
    seq: number,
    { duplicate = false, changed = true },
  ): CommandResult {
    const at = { partition, seq };
    const id = rule.resultId?.(command) ?? messageId(at);
    const result = { id, position: formatPosition(at), seq, duplicate, changed };
    return command.roomId === '' ? result : { ...result, roomId: command.roomId };
  }
}

function decided<N extends CommandName>({ rule, command }: Task<N>, { state }: Loaded): Decision | DomainError {
  try {
    return rule.decide(command, state);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

/** The room that a body names, by id or by its participants; '' for none. */
function roomNamedBy(body: object): string {
  if ('roomId' in body && typeof body.roomId === 'string') return body.roomId;
  if ('participants' in body && Array.isArray(body.participants)) return channelRoomId(body.participants as string[]);
  return '';
}

const eventOf = (event: NewEvent, actor: string, key: Keyed | undefined): ChatEvent =>
  key
    ? { v: EVENT_VERSION, actor, key: { id: key.id, body: key.body }, ...event }
    : { v: EVENT_VERSION, actor, ...event };

function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof LogUnavailableError || error instanceof AppendUnknownError)
    return new DomainError('unavailable', undefined, { cause: error });
  return new DomainError('internal', undefined, { cause: error });
}
