/** The read side of the history checker: what queries answer, against a fold of the log. */
import type { InboxRecord, RoomViewRecord, Violation } from './history-records.js';
import { sameMessage } from './history-feeds.js';
import type { RoomTruth, Truth } from './history-log.js';

export function checkRoomView(truth: Truth, view: RoomViewRecord): Violation[] {
  const room = truth.rooms.get(view.room);
  if (!room)
    return [
      {
        kind: 'view-messages',
        where: { room: view.room },
        what: `the log knows no room ${view.room}`,
        evidence: [view.room],
      },
    ];
  return [...checkMessages(room, view), ...checkMembers(room, view)];
}

function checkMessages(room: RoomTruth, view: RoomViewRecord): Violation[] {
  const at = Array.from({ length: Math.max(room.messages.length, view.messages.length) }, (_, i) => i).find((i) => {
    const [seen, logged] = [view.messages[i], room.messages[i]];
    return !seen || !logged || seen.seq !== logged.seq || !sameMessage(seen, logged);
  });
  if (at === undefined) return [];
  const what = `${room.room} shows ${view.messages.length} messages, the log has ${room.messages.length}; they differ from number ${at + 1}`;
  return [
    {
      kind: 'view-messages',
      where: { room: room.room },
      what,
      evidence: [{ shown: view.messages[at] }, { logged: room.messages[at] }],
    },
  ];
}

function checkMembers(room: RoomTruth, view: RoomViewRecord): Violation[] {
  const shown = view.members.map(({ userId, role }) => `${userId} ${role}`).sort();
  const logged = seated(room)
    .map(({ userId, role }) => `${userId} ${role}`)
    .sort();
  const violations: Violation[] = [];
  if (shown.join() !== logged.join())
    violations.push({
      kind: 'view-members',
      where: { room: room.room },
      what: `${room.room} shows other members than the log has`,
      evidence: [
        { shownOnly: shown.filter((member) => !logged.includes(member)) },
        { loggedOnly: logged.filter((member) => !shown.includes(member)) },
      ],
    });
  if (view.memberCount !== logged.length)
    violations.push({
      kind: 'view-count',
      where: { room: room.room },
      what: `${room.room} shows ${view.memberCount} members, the log has ${logged.length}`,
      evidence: [{ shown: view.memberCount, logged: logged.length }],
    });
  return violations;
}

const seated = (room: RoomTruth) => [...room.members.values()].filter(({ standing }) => standing === 'member');

export function checkInbox(truth: Truth, inbox: InboxRecord): Violation[] {
  const expected = [...truth.rooms.values()].filter((room) => room.members.get(inbox.user)?.standing === 'member');
  const violations: Violation[] = [];
  const differs = (room: string, evidence: unknown[]): void => {
    violations.push({
      kind: 'view-inbox',
      where: { user: inbox.user, room },
      what: `the inbox of ${inbox.user} is wrong about ${room}`,
      evidence,
    });
  };
  for (const room of expected) {
    const shown = inbox.entries.find((entry) => entry.room === room.room);
    const logged = {
      lastMessageId: room.messages.at(-1)?.id ?? null,
      unread: unread(room, inbox.user, shown?.readUpTo ?? null),
    };
    if (shown?.lastMessageId !== logged.lastMessageId || shown.unread !== logged.unread)
      differs(room.room, [{ shown }, { logged }]);
  }
  for (const entry of inbox.entries)
    if (!expected.some(({ room }) => room === entry.room))
      differs(entry.room, [{ shown: entry }, { logged: 'no member' }]);
  return violations;
}

/** Messages after the mark, after what the user wrote last, and after the present membership began. */
function unread(room: RoomTruth, user: string, readUpTo: string | null): number {
  const joined = room.periods.get(user)?.at(-1)?.from ?? 0;
  const marked = room.messages.find(({ id }) => id === readUpTo)?.seq ?? 0;
  const wrote = room.messages.findLast(({ sender }) => sender === user)?.seq ?? 0;
  return room.messages.filter(({ seq }) => seq > Math.max(joined, marked, wrote)).length;
}
