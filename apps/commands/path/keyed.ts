/**
 * A command's idempotency key as the log knows it: a message id that is the same for the same sender, command, room and
 * key, and a hash of the body, by which the same key with another body is noticed.
 */
import { hash } from 'node:crypto';
import { channelParticipants, commandKeyId, keyTimeMs, LIMITS, type CommandName } from '#contract';

/** Half of a sha256: nobody finds two bodies that share it, and the broker keeps every id for two minutes. */
const HASH_CHARACTERS = 22;

/**
 * A key made by a clock that is this far ahead of the broker's still counts as young. The broker remembers ids for
 * twice as long as a key is young, so there is room for it.
 */
const CLOCK_AHEAD_MS = 5_000;

export interface Keyed {
  /** The broker's message id, `event.key.id`. */
  readonly id: string;
  /** `event.key.body` */
  readonly body: string;
  /** Young enough for the broker to remember every id of that age; any other key is looked up before it is used. */
  readonly fresh: boolean;
  /** An earlier attempt stands after this time (ms, the broker's) in the log, if at all. */
  readonly sinceMs: number;
}

/** @param restoredAtMs when the log was restored from a backup, 0 for never */
export function keyed(
  given: { readonly key: string; readonly sender: string; readonly name: CommandName; readonly roomId: string },
  body: object,
  nowMs: number,
  restoredAtMs = 0,
): Keyed {
  const id = commandKeyId(given.sender, given.name, given.roomId, given.key);
  const madeAtMs = keyTimeMs(given.key);
  const ageMs = madeAtMs === undefined ? Number.POSITIVE_INFINITY : nowMs - madeAtMs;
  const young = ageMs < LIMITS.freshKeyMs && ageMs >= -CLOCK_AHEAD_MS;
  // A broker that was given the log by a restore does not remember the ids of before it, however young.
  const fresh = young && madeAtMs !== undefined && madeAtMs > restoredAtMs + CLOCK_AHEAD_MS;
  // Its maker's clock may have been ahead, and then the key was stored before the time that it carries.
  const sinceMs = Math.min(madeAtMs ?? nowMs, nowMs) - LIMITS.freshKeyMs;
  return { id, body: shortHash(canonicalJson(body)), fresh, sinceMs };
}

const shortHash = (text: string): string => hash('sha256', text, 'base64url').slice(0, HASH_CHARACTERS);

/** The same text for the same body, in whatever order a client wrote its fields or listed a channel's participants. */
function canonicalJson(body: object): string {
  if (!('participants' in body) || !Array.isArray(body.participants)) return sorted(body);
  return sorted({ ...body, participants: channelParticipants(body.participants as string[]) });
}

function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${sorted(field)}`).join(',')}}`;
}
