/** The sends' side of the history checker: every answer against the log. */
import { formatPosition } from '#contract';
import type { ClientHistory, SendRecord, Violation } from './history-records.js';
import type { LoggedMessage, Truth } from './history-log.js';

interface Send extends SendRecord {
  readonly user: string;
}

const identity = (room: string, sender: string, content: string): string => JSON.stringify([room, sender, content]);

export function checkSends(truth: Truth, clients: readonly ClientHistory[]): Violation[] {
  const stored = new Map<string, LoggedMessage[]>();
  for (const room of truth.rooms.values())
    for (const message of room.messages) {
      const name = identity(message.room, message.sender, message.content);
      stored.set(name, [...(stored.get(name) ?? []), message]);
    }
  const sends: Send[] = clients.flatMap(({ user, sends: own }) => own.map((send) => ({ ...send, user })));
  const judged = sends.flatMap((send) =>
    judge(truth, send, stored.get(identity(send.room, send.user, send.content)) ?? []),
  );
  return [...judged, ...unsent(clients, sends, stored)];
}

function judge(truth: Truth, send: Send, found: readonly LoggedMessage[]): Violation[] {
  const { user, room, outcome } = send;
  const [first] = found;
  const where = { user, room, ...(first && { seq: first.seq }) };
  const name = `what ${user} sent to ${room} as ${JSON.stringify(send.content)}`;
  if (found.length > 1)
    return [
      {
        kind: 'stored-twice',
        where,
        what: `${name} is in the log ${found.length} times`,
        evidence: [send, ...found.slice(0, 2)],
      },
    ];
  if (outcome.kind === 'acknowledged' && !first)
    return [{ kind: 'lost', where, what: `${name} was acknowledged and is not in the log`, evidence: [send] }];
  if (outcome.kind === 'refused' && first)
    return [
      { kind: 'stored-though-refused', where, what: `${name} was refused and is in the log`, evidence: [send, first] },
    ];
  if (outcome.kind !== 'acknowledged' || !first) return [];
  const partition = truth.rooms.get(room)?.partition ?? -1;
  const right =
    outcome.seq === first.seq &&
    (outcome.id === undefined || outcome.id === first.id) &&
    (outcome.position === undefined || outcome.position === formatPosition({ partition, seq: first.seq }));
  if (right) return [];
  return [
    { kind: 'stored-elsewhere', where, what: `${name} is not where its acknowledgement says`, evidence: [send, first] },
  ];
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
    return [
      {
        kind: 'unsent',
        where: { user: message.sender, room: message.room, seq: message.seq },
        what: `${message.sender} never sent ${message.id} in ${message.room}`,
        evidence: [message],
      },
    ];
  });
}
