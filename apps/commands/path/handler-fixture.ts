/** For specs: handlers over one log, and people who send them commands as edges do. */
import { randomBytes } from 'node:crypto';
import {
  DomainError,
  newKey,
  streamSubjects,
  type CommandBody,
  type CommandName,
  type CommandReply,
  type CommandResult,
  type Refusal,
} from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import type { RequestTimes } from '#service';
import { withParts } from '#testing';
import { CommandHandler } from './command-handler.js';
import type { KeyLookup } from './key-lookup.js';

/** A `message_keys` view folded from the log on demand; `behind` holds it back. */
export class FoldedKeys implements KeyLookup {
  /** Up to here, at most, the view has come. */
  reachedMax = Number.POSITIVE_INFINITY;
  /** The database does not answer. */
  away = false;
  finds = 0;

  constructor(private readonly log: EventLog) {}

  async reached(partition: number): Promise<number> {
    if (this.away) throw new DomainError('unavailable');
    return Math.min(this.reachedMax, await this.log.lastSequence(partition));
  }

  async find(partition: number, id: string): Promise<{ seq: number; body: string } | undefined> {
    this.finds++;
    const entries = await wholeLog(this.log, partition);
    const found = entries.findLast(({ seq, decoded }) => seq <= this.reachedMax && keyOf(decoded)?.id === id);
    return found && { seq: found.seq, body: keyOf(found.decoded)?.body ?? '' };
  }
}

const keyOf = (decoded: StoredEntry['decoded']) => (decoded.kind === 'event' ? decoded.event.key : undefined);

export async function wholeLog(log: EventLog, partition: number): Promise<StoredEntry[]> {
  const range = { after: 0, upTo: await log.lastSequence(partition), max: 1_000_000 };
  return (await log.readSubject(partition, streamSubjects(partition), range)).entries;
}

/** The same log, but for how the last entry of a subject is read: a slow network, a broken one. */
export const readingBy = (log: EventLog, last: EventLog['last']): EventLog => withParts(log, { last });

export const freshKey = (ageMs = 0): string => newKey(Date.now() - ageMs, randomBytes(10));

export interface Handling {
  readonly handler: CommandHandler;
  readonly view: FoldedKeys;
  readonly faults: unknown[];
}

export function handling(log: EventLog, options: { roomsOnJoin?: boolean } = {}): Handling {
  const view = new FoldedKeys(log);
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const handler = new CommandHandler(log, view, { roomsOnJoin: options.roomsOnJoin ?? false, onFault });
  return { handler, view, faults };
}

/** What a client may leave out, because its schema fills it in. */
type Sent<N extends CommandName> = Partial<CommandBody<N>>;

export const ask = <N extends CommandName>(
  handler: CommandHandler,
  name: N,
  by: string,
  body: Sent<N>,
  key?: string,
  asked?: RequestTimes,
): Promise<CommandReply> =>
  handler.answer(name, { actor: { userId: by }, body, ...(key === undefined ? {} : { key }) }, asked);

/** A request whose edge made it so long ago, and asked the same for the first time even longer ago. */
export function askedAgo(ms: number, firstMs = ms): RequestTimes {
  const nowMs = performance.now();
  return { askedAtMs: nowMs - ms, firstAskedAtMs: nowMs - firstMs };
}

export async function accepted(reply: Promise<CommandReply>): Promise<CommandResult> {
  const answer = await reply;
  if ('ok' in answer) return answer.ok;
  throw new Error(`refused: ${JSON.stringify(answer.refused)}`);
}

export async function refusal(reply: Promise<CommandReply>): Promise<Refusal> {
  const answer = await reply;
  if ('refused' in answer) return answer.refused;
  throw new Error(`accepted: ${JSON.stringify(answer.ok)}`);
}
