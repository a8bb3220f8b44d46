/** The read side of the history checker: what queries answer, against a fold of the log. */
import { userToken } from '#contract';
import type { History, InboxRecord, KeyRecord, RoomViewRecord, UserRecord, Violation } from './history-records.js';
import { agrees, sameMessage, sameRoom } from './history-same.js';
import { firstFrom, type RoomTruth, type Truth } from './history-truth.js';

export function checkViews(truth: Truth, history: History): Violation[] {
  const { rooms, inboxes, users = [], keys, allRooms = false } = history;
  const shown = new Set(rooms.map(({ room }) => room));
  const lacking = [...truth.rooms.values()].filter(({ room, config }) => allRooms && config && !shown.has(room));
  return [
    ...rooms.flatMap((view) => checkRoomView(truth, view)),
    ...lacking.map(({ room, config }): Violation => ({
      kind: 'view-room',
      where: { room },
      what: `the read models know no room ${room}`,
      evidence: [config],
    })),
    ...inboxes.flatMap((inbox) => checkInbox(truth, inbox)),
    ...users.flatMap((user) => checkUser(truth, user)),
    ...(keys === undefined ? [] : checkKeys(truth, keys)),
  ];
}

function checkRoomView(truth: Truth, view: RoomViewRecord): Violation[] {
  const room = truth.rooms.get(view.room);
  if (!room) {
    const what = `the log knows no room ${view.room}`;
    return [{ kind: 'view-room', where: { room: view.room }, what, evidence: [view.room] }];
  }
  return [...checkConfig(room, view), ...checkMessages(room, view), ...checkMembers(room, view)];
}

function checkConfig({ room, config }: RoomTruth, { view }: RoomViewRecord): Violation[] {
  if (view === undefined || (config && sameRoom(view, config.state, config.createdAt))) return [];
  const what = `${room} is shown as another room than the log has`;
  return [{ kind: 'view-room', where: { room }, what, evidence: [{ shown: view }, { logged: config }] }];
}

function checkMessages(room: RoomTruth, view: RoomViewRecord): Violation[] {
  const at = Array.from({ length: Math.max(room.messages.length, view.messages.length) }, (_, i) => i).find((i) => {
    const [seen, logged] = [view.messages[i], room.messages[i]];
    return !seen || !logged || seen.seq !== logged.seq || !sameMessage(seen, logged);
  });
  if (at === undefined) return [];
  const [shown, logged] = [view.messages[at], room.messages[at]];
  const seq = logged?.seq ?? shown?.seq ?? 0;
  const what = `${room.room} shows ${view.messages.length} messages, the log has ${room.messages.length}; they differ from number ${at + 1}`;
  return [{ kind: 'view-messages', where: { room: room.room, seq }, what, evidence: [{ shown }, { logged }] }];
}

function checkMembers(room: RoomTruth, view: RoomViewRecord): Violation[] {
  const seated = [...room.members.values()].filter(({ standing }) => standing === 'member');
  const shown = new Map(view.members.map((member) => [member.userId, member]));
  const shownOnly = view.members.filter(({ userId }) => room.members.get(userId)?.standing !== 'member');
  const wrong = seated.filter(({ userId, role, muted }) => {
    const member = shown.get(userId);
    const joinedAt = new Date(room.periods.get(userId)?.at(-1)?.fromAt ?? 0).toISOString();
    return !member || member.role !== role || !agrees(member, { muted, joinedAt });
  });
  const violations: Violation[] = [];
  const where = { room: room.room };
  if (shownOnly.length > 0 || wrong.length > 0 || shown.size !== view.members.length)
    violations.push({
      kind: 'view-members',
      where,
      what: `${room.room} shows other members than the log has`,
      evidence: [
        { shownOnly },
        ...wrong.map((logged) => ({ logged, shown: shown.get(logged.userId), since: room.periods.get(logged.userId) })),
      ],
    });
  if (view.memberCount !== seated.length)
    violations.push({
      kind: 'view-count',
      where,
      what: `${room.room} shows ${view.memberCount} members, the log has ${seated.length}`,
      evidence: [{ shown: view.memberCount, logged: seated.length }],
    });
  return violations;
}

function checkInbox(truth: Truth, inbox: InboxRecord): Violation[] {
  const { user } = inbox;
  const isIn = (room: RoomTruth | undefined): boolean => room?.members.get(user)?.standing === 'member';
  const expected = (truth.roomsOf.get(user) ?? []).filter(isIn);
  const shown = new Map(inbox.entries.map((entry) => [entry.room, entry]));
  const violations: Violation[] = [];
  const differs = (room: string, evidence: unknown[]): void => {
    const what = `the inbox of ${user} is wrong about ${room}`;
    violations.push({ kind: 'view-inbox', where: { user, room }, what, evidence });
  };
  for (const room of expected) {
    const entry = shown.get(room.room);
    const lastMessageId = room.messages.at(-1)?.id ?? null;
    const logged = { lastMessageId, unread: unreadIn(room, user, entry?.readUpTo ?? null) };
    if (entry?.lastMessageId !== logged.lastMessageId || entry.unread !== logged.unread)
      differs(room.room, [{ shown: entry }, { logged }]);
  }
  for (const entry of inbox.entries)
    if (!isIn(truth.rooms.get(entry.room))) differs(entry.room, [{ shown: entry }, { logged: 'no member' }]);
  if (shown.size !== inbox.entries.length) differs('-', [{ twice: inbox.entries.map(({ room }) => room) }]);
  return violations;
}

/** Messages after the mark, after what the user wrote last, and after the present membership began. */
export function unreadIn(room: RoomTruth, user: string, readUpTo: string | null): number {
  const joined = room.periods.get(user)?.at(-1)?.from ?? 0;
  const marked = readUpTo === null ? 0 : (room.messages.find(({ id }) => id === readUpTo)?.seq ?? 0);
  const wrote = room.messages.findLast(({ sender }) => sender === user)?.seq ?? 0;
  const seen = Math.max(joined, marked, wrote);
  return room.messages.length - firstFrom(room.messages, ({ seq }) => seq > seen);
}

/** Whoever has said nothing has an empty status; how they are called is then not the log's to say. */
function checkUser(truth: Truth, { user, status, profile }: UserRecord): Violation[] {
  const token = userToken(user);
  const logged = { status: truth.statuses.get(token)?.status ?? {}, profile: truth.profiles.get(token) };
  const isRight =
    agrees({ status }, { status: logged.status }) &&
    (profile === undefined || logged.profile === undefined || agrees({ profile }, { profile: logged.profile }));
  if (isRight) return [];
  const what = `${user} is shown as they are not`;
  return [{ kind: 'view-users', where: { user }, what, evidence: [{ shown: { status, profile } }, { logged }] }];
}

function checkKeys(truth: Truth, keys: readonly KeyRecord[]): Violation[] {
  const shown = new Map(keys.map((key) => [key.id, key]));
  const lacking = [...truth.keys.values()].find((key) => !agrees(shown.get(key.id) ?? { id: '' }, key));
  const foreign = keys.find(({ id }) => !truth.keys.has(id));
  return [lacking, foreign].flatMap((key): Violation[] => {
    if (!key) return [];
    const what = `the key ${key.id} is not kept as the log has it`;
    const evidence = [{ shown: shown.get(key.id) }, { logged: truth.keys.get(key.id) }];
    return [{ kind: 'view-keys', where: { seq: key.seq }, what, evidence }];
  });
}
