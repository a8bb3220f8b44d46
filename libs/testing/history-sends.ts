/** The sends' side of the history checker: every answer against the log. */
import { formatPosition, parsePosition } from '#contract';
import type { ClientHistory, MoveRecord, SendRecord, Violation } from './history-records.js';
import { wasMember, type LoggedMessage, type Truth } from './history-truth.js';

interface Send extends SendRecord {
  readonly user: string;
}

const identity = (room: string, sender: string, content: string): string => JSON.stringify([room, sender, content]);

/** Of each message: when it was sent, as far as that was recorded. */
export class SentTimes {
  readonly #times = new Map<LoggedMessage, number>();

  constructor(truth: Truth, clients: readonly ClientHistory[]) {
    const known = new Map<string, number>();
    for (const { user, sends } of clients)
      for (const { room, content, sentAt } of sends) known.set(identity(room, user, content), sentAt);
    for (const { messages } of truth.rooms.values())
      for (const message of messages) {
        const sentAt = known.get(identity(message.room, message.sender, message.content));
        if (sentAt !== undefined) this.#times.set(message, sentAt);
      }
  }

  of(message: LoggedMessage): number | undefined {
    return this.#times.get(message);
  }
}

export function checkSends(truth: Truth, clients: readonly ClientHistory[]): Violation[] {
  const stored = new Map<string, LoggedMessage[]>();
  for (const room of truth.rooms.values())
    for (const message of room.messages) {
      const name = identity(message.room, message.sender, message.content);
      const known = stored.get(name);
      if (known === undefined) stored.set(name, [message]);
      else known.push(message);
    }
  const sends: Send[] = clients.flatMap(({ user, sends: own }) => own.map((send) => ({ ...send, user })));
  const placed = sends.map((send) => ({ send, found: stored.get(identity(send.room, send.user, send.content)) ?? [] }));
  return [
    ...placed.flatMap(({ send, found }) => judge(truth, send, found)),
    ...overtaken(placed),
    ...unsent(clients, sends, stored),
    ...clients.flatMap(({ user, moves = [] }) => moves.flatMap((move) => notMoved(truth, user, move))),
  ];
}

function judge(truth: Truth, send: Send, found: readonly LoggedMessage[]): Violation[] {
  const { user, room, outcome } = send;
  const [first] = found;
  const where = { user, room, ...(first && { seq: first.seq }) };
  const name = `what ${user} sent to ${room} as ${JSON.stringify(send.content)}`;
  if (found.length > 1) {
    const what = `${name} is in the log ${found.length} times`;
    return [{ kind: 'stored-twice', where, what, evidence: [send, ...found.slice(0, 2)] }];
  }
  if (outcome.kind === 'acknowledged' && !first)
    return [{ kind: 'lost', where, what: `${name} was acknowledged and is not in the log`, evidence: [send] }];
  if (outcome.kind === 'refused' && first) {
    const what = `${name} was refused and is in the log`;
    return [{ kind: 'stored-though-refused', where, what, evidence: [send, first] }];
  }
  if (outcome.kind !== 'acknowledged' || !first) return [];
  const partition = truth.rooms.get(room)?.partition ?? -1;
  const right =
    outcome.seq === first.seq &&
    (outcome.id === undefined || outcome.id === first.id) &&
    (outcome.position === undefined || outcome.position === formatPosition({ partition, seq: first.seq }));
  if (right) return [];
  const what = `${name} is not where its acknowledgement says`;
  return [{ kind: 'stored-elsewhere', where, what, evidence: [send, first] }];
}

/**
 * What was acknowledged before another was sent stands before it in their room. Both times are of one clock; from the end of a
 * room on, the earliest acknowledgement of all that follows must not be before any send that stands ahead of it.
 */
function overtaken(placed: readonly { readonly send: Send; readonly found: readonly LoggedMessage[] }[]): Violation[] {
  const byRoom = new Map<string, { send: Send; seq: number }[]>();
  for (const { send, found } of placed) {
    const [message, ...more] = found;
    if (!message || more.length > 0) continue;
    const known = byRoom.get(send.room);
    if (known === undefined) byRoom.set(send.room, [{ send, seq: message.seq }]);
    else known.push({ send, seq: message.seq });
  }
  return [...byRoom].flatMap(([room, sends]): Violation[] => {
    let earliest: { send: Send; seq: number; at: number } | undefined;
    for (const { send, seq } of sends.sort((a, b) => b.seq - a.seq)) {
      if (earliest && earliest.at < send.sentAt) {
        const what = `${earliest.seq} in ${room} was acknowledged before ${seq} was sent, and stands behind it`;
        return [{ kind: 'overtaken', where: { room, seq }, what, evidence: [earliest.send, send] }];
      }
      const { outcome, answeredAt = Infinity } = send;
      if (outcome.kind === 'acknowledged' && answeredAt < (earliest?.at ?? Infinity))
        earliest = { send, seq, at: answeredAt };
    }
    return [];
  });
}

/** Messages of the users at hand that none of them sent; whoever is no client of this history may have sent what they like. */
function unsent(
  clients: readonly ClientHistory[],
  sends: readonly Send[],
  stored: ReadonlyMap<string, readonly LoggedMessage[]>,
): Violation[] {
  const users = new Set(clients.map(({ user }) => user));
  const sent = new Set(sends.map((send) => identity(send.room, send.user, send.content)));
  return [...stored].flatMap(([name, [message]]): Violation[] => {
    if (!message || sent.has(name) || !users.has(message.sender)) return [];
    const { sender: user, room, seq, id } = message;
    const what = `${user} never sent ${id} in ${room}`;
    return [{ kind: 'unsent', where: { user, room, seq }, what, evidence: [message] }];
  });
}

/** A join or leave stands at its position; one that had nothing to do found the user so there. */
function notMoved(truth: Truth, user: string, move: MoveRecord): Violation[] {
  const { room, what, position, changed } = move;
  const known = truth.rooms.get(room);
  const seq = parsePosition(position)?.seq ?? 0;
  const event = known?.states.get(seq)?.event;
  const member = event && 'member' in event.data ? event.data.member : undefined;
  const isIn = what === 'join';
  const right = changed
    ? member?.userId === user && (member.standing === 'member') === isIn
    : known !== undefined && wasMember(known, user, seq + 0.5) === isIn;
  if (right) return [];
  const text = `${user}'s ${what} in ${room} was acknowledged at ${position}, and the log does not say so there`;
  return [{ kind: 'not-moved', where: { user, room, seq }, what: text, evidence: [move, event] }];
}
