/** What is found at one client, and what clients of every kind are judged by alike. */
import { parseCursor, parsePosition } from '#contract';
import type { ClientHistory, ClientStep, Violation, ViolationKind } from './history-records.js';
import { firstFrom, type LoggedMessage, type RoomTruth } from './history-truth.js';

interface Finding {
  readonly kind: ViolationKind;
  readonly room: string;
  readonly what: string;
  readonly evidence: readonly unknown[];
  readonly seq?: number | undefined;
}

export class Findings {
  readonly #byName = new Map<string, Violation>();

  constructor(private readonly client: ClientHistory) {}

  get all(): Violation[] {
    return [...this.#byName.values()];
  }

  /** The first of its kind in a room tells enough. */
  add({ kind, room, what, evidence, seq }: Finding): void {
    const name = `${kind} ${room}`;
    if (this.#byName.has(name)) return;
    const { client, user } = this.client;
    this.#byName.set(name, {
      kind,
      where: { client, user, room, ...(seq === undefined ? {} : { seq }) },
      what: `${client} (${user}) in ${room}: ${what}`,
      evidence,
    });
  }
}

/** The first message that an answer lacks: it reaches back to `after`, and includes the position that it was asked with. */
export function refetchShort(
  { messages, after, position }: Extract<ClientStep, { kind: 'refetched' }>,
  room: RoomTruth,
): LoggedMessage | undefined {
  if (messages === 'refused' || after === undefined || position === undefined) return undefined;
  const place = parsePosition(position);
  const asked = place ? (place.partition === room.partition ? place.seq : 0) : cursorSeq(position, room.partition);
  const has = new Set(messages.map(({ seq }) => seq));
  for (let i = firstFrom(room.messages, ({ seq }) => seq > after); i < room.messages.length; i += 1) {
    const message = room.messages[i];
    if (!message || message.seq > asked) return undefined;
    if (!has.has(message.seq)) return message;
  }
  return undefined;
}

const cursorSeq = (cursor: string, partition: number): number => parseCursor(cursor)?.seqs[partition] ?? 0;
