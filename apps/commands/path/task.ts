/** A command on its way: read from its request once, then decided, appended and answered. */
import { randomUUID } from 'node:crypto';
import {
  channelRoomId,
  commandRequest,
  COMMANDS,
  formatPosition,
  messageId,
  parseOrRefuse,
  type CommandName,
  type CommandResult,
} from '#contract';
import { RULES, type Command, type Rule } from '#domain';
import type { Append } from '#event-log';
import type { RequestTimes } from '#service';
import type { StoredResult } from './key-lookup.js';
import { keyed, type Keyed } from './keyed.js';
import type { KnownState } from './known-state.js';

export type Fence = NonNullable<Append['fence']>;

export interface Task {
  readonly name: CommandName;
  readonly rule: Rule<CommandName>;
  readonly command: Command;
  readonly key: Keyed | undefined;
  readonly partition: number;
  /** The subject of the command's own event. */
  readonly home: string;
  /** Up to here the key's first result is known not to stand. */
  readonly noneUpTo: number | undefined;
  readonly asked: RequestTimes;
  /** What it was first decided on, and has changed since: whatever came in between counts, too. */
  readonly stoodOn?: Fence;
}

interface TaskContext {
  readonly known: KnownState;
  readonly createMissing: boolean;
  /** ms since 1970, the broker's */
  readonly nowMs: number;
  /** `EventLog.restoredAt` */
  readonly restoredAtMs: number;
  readonly asked: RequestTimes;
}

/** @throws DomainError `invalid_body`, `invalid_text`, `too_large` */
export function taskOf(name: CommandName, request: unknown, context: TaskContext): Task {
  const { known, createMissing, nowMs, restoredAtMs, asked } = context;
  const { actor, body: unread, key: given } = parseOrRefuse(commandRequest, request);
  const body = parseOrRefuse(COMMANDS[name].schema, unread);
  const named = roomNamedBy(body);
  const key =
    given === undefined
      ? undefined
      : keyed({ key: given, sender: actor.userId, name, roomId: named }, body, nowMs, restoredAtMs);
  // A room without an id gets one from its key, so that a repeat meets the same room.
  const roomId = name === 'CreateRoom' && named === '' ? `room-${key?.id ?? randomUUID()}` : named;
  const command: Command = { actor, roomId, body, createMissing };
  const rule: Rule<CommandName> = RULES[name];
  const { subjects } = known;
  const partition = roomId === '' ? subjects.partitionOfUser(actor.userId) : subjects.partitionOfRoom(roomId);
  return {
    name,
    rule,
    command,
    key,
    partition,
    home: known.subjectOf(rule.home(command)),
    noneUpTo: undefined,
    asked,
  };
}

/** The room that a body names, by id or by its participants; '' for none. */
function roomNamedBy(body: object): string {
  if ('roomId' in body && typeof body.roomId === 'string') return body.roomId;
  if ('participants' in body && Array.isArray(body.participants)) return channelRoomId(body.participants as string[]);
  return '';
}

export function resultOf(
  { rule, command, partition }: Task,
  seq: number,
  { duplicate = false, changed = true } = {},
): CommandResult {
  const at = { partition, seq };
  const id = rule.resultId?.(command) ?? messageId(at);
  const result = { id, position: formatPosition(at), seq, duplicate, changed };
  return command.roomId === '' ? result : { ...result, roomId: command.roomId };
}

export const repeated = (task: Task, first: StoredResult): CommandResult =>
  resultOf(task, first.seq, { duplicate: true });
