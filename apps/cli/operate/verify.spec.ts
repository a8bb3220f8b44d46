import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ChatEvent, type MemberState, Subjects } from '#contract';
import { MemoryLog } from '#event-log/memory';
import type { Violation } from './verify-rules.js';
import { verifyLog, type WalkedLog } from './verify.js';

const PARTITIONS = 2;
const subjects = new Subjects(PARTITIONS);
const ROOM = {
  kind: 'room',
  name: 'Tea',
  description: '',
  isPrivate: false,
  maxMembers: 2,
  settings: {},
  createdBy: 'ann',
  archived: false,
} as const;

let log: MemoryLog;
beforeEach(() => {
  log = new MemoryLog({ partitions: PARTITIONS });
});

const member = (userId: string, change: Partial<MemberState> = {}): MemberState => ({
  userId,
  standing: 'member',
  role: 'member',
  muted: false,
  banned: false,
  ...change,
});

async function put(
  subject: string,
  type: ChatEvent['type'],
  actor: string,
  data: object,
  keyId?: string,
): Promise<string> {
  const key = keyId === undefined ? {} : { key: { id: keyId, body: 'b' } };
  const event = { v: 1, type, actor, data, ...key } as ChatEvent;
  const { partition, seq } = await log.append({ subject, event });
  return `${partition}-${seq}`;
}

const roster = (members: number, more: object = {}): Promise<string> =>
  put(subjects.roster('tea'), 'RosterChanged', 'ann', { roster: { members, limit: 2, moderators: [], ...more } });
const joins = (userId: string, change: Partial<MemberState> = {}): Promise<string> =>
  put(subjects.member('tea', userId), 'MemberJoined', userId, { member: member(userId, change) });
const says = (userId: string, keyId?: string): Promise<string> =>
  put(subjects.timeline('tea'), 'MessageSent', userId, { content: 'hello', type: 'text' }, keyId);

/** Ann makes the room, bob joins, both talk. */
async function lawful(): Promise<void> {
  await put(subjects.config('tea'), 'RoomCreated', 'ann', { room: ROOM });
  await roster(1, { owner: 'ann' });
  await joins('ann', { role: 'owner' });
  await says('ann', 'k1');
  await roster(2, { owner: 'ann' });
  await joins('bob');
  await says('bob', 'k2');
  await put(subjects.status('bob'), 'StatusChanged', 'bob', { status: { mood: 'thirsty' } });
}

async function violationsOf(verified: WalkedLog = log): Promise<Violation[]> {
  const found: Violation[] = [];
  const partitions = Array.from({ length: verified.partitions }, (_, partition) => partition);
  const stop = new AbortController().signal;
  await verifyLog(verified, { partitions, found: (each) => found.push(each), progress: () => undefined, stop });
  return found;
}

test('a lawful log has no violations, nor has one with erased messages', async () => {
  await lawful();
  expect(await violationsOf()).toEqual([]);
  const partition = subjects.partitionOfRoom('tea');
  log.erase(partition, 4);
  expect(await violationsOf()).toEqual([]);
});

describe('a planted fault is found, with its position', () => {
  beforeEach(lawful);

  test('a message without a membership', async () => {
    const position = await says('mallory');
    expect(await violationsOf()).toEqual([
      { kind: 'without-membership', position, what: 'mallory was never a member in tea when this was stored' },
    ]);
  });

  test('a message after the sender has left, and one of somebody muted', async () => {
    await roster(1, { owner: 'ann' });
    await put(subjects.member('tea', 'bob'), 'MemberLeft', 'bob', { member: member('bob', { standing: 'left' }) });
    const left = await says('bob');
    await put(subjects.member('tea', 'ann'), 'MemberChanged', 'ann', {
      member: member('ann', { role: 'owner', muted: true }),
    });
    const muted = await says('ann');
    expect(await violationsOf()).toEqual([
      expect.objectContaining({
        kind: 'without-membership',
        position: left,
        what: expect.stringContaining('was left'),
      }),
      expect.objectContaining({ kind: 'without-membership', position: muted, what: expect.stringContaining('muted') }),
    ]);
  });

  test('a roster that does not count the members, in the middle and at the end', async () => {
    const middle = await roster(7, { owner: 'ann' });
    const end = await roster(1, { owner: 'bob' });
    expect(await violationsOf()).toEqual([
      expect.objectContaining({ kind: 'roster-differs', position: middle, what: expect.stringContaining('7 members') }),
      expect.objectContaining({ kind: 'roster-differs', position: end, what: expect.stringContaining('1 members') }),
      expect.objectContaining({ kind: 'roster-differs', position: end, what: expect.stringContaining('bob as owner') }),
    ]);
  });

  test('a seat too many', async () => {
    await roster(3, { owner: 'ann' });
    const position = await joins('cleo');
    expect(await violationsOf()).toEqual([
      { kind: 'over-capacity', position, what: 'tea holds 3 members, 2 are allowed' },
    ]);
  });

  test('a keyed message that is stored twice', async () => {
    const position = await says('ann', 'k1');
    expect(await violationsOf()).toEqual([expect.objectContaining({ kind: 'stored-twice', position })]);
  });

  test('a room that is created twice, and what stands in a room that was never created', async () => {
    const again = await put(subjects.config('tea'), 'RoomCreated', 'ann', { room: ROOM });
    const nowhere = await put(subjects.config('ghost'), 'RoomArchived', 'ann', { room: ROOM });
    const kinds = (await violationsOf()).map(({ kind, position }) => [kind, position]);
    expect(kinds).toHaveLength(2);
    expect(kinds).toEqual(
      expect.arrayContaining([
        ['made-twice', again],
        ['no-room', nowhere],
      ]),
    );
  });

  test('an event on a subject of another kind, of another user, or of another partition', async () => {
    const positions = [
      await put(subjects.timeline('tea'), 'RosterChanged', 'ann', { roster: { members: 2, limit: 2, moderators: [] } }),
      await put(subjects.member('tea', 'bob'), 'MemberChanged', 'ann', { member: member('ann', { role: 'owner' }) }),
      await put(subjects.status('bob'), 'StatusChanged', 'ann', { status: {} }),
      await put(subjects.config('tea').replace('room.tea', 'room.elsewhere.more'), 'RoomCreated', 'ann', {
        room: ROOM,
      }),
    ];
    const wrong = subjects.timeline('tea').replace(/\d/, String(1 - subjects.partitionOfRoom('tea')));
    positions.push(await put(wrong, 'MessageSent', 'ann', { content: 'hello', type: 'text' }));
    const found = await violationsOf();
    expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(['misplaced']));
    expect(new Set(found.map(({ position }) => position))).toEqual(new Set(positions));
  });

  test('an entry that cannot be read', async () => {
    const position = await put(subjects.timeline('tea'), 'MessageSent', 'ann', { nothing: true });
    expect(await violationsOf()).toEqual([expect.objectContaining({ kind: 'unreadable', position })]);
  });

  test('sequences and times that do not rise, and an index that disagrees with the stream', async () => {
    const partition = subjects.partitionOfRoom('tea');
    /** The log as a broken broker would give it. */
    const broken: WalkedLog = {
      partitions: log.partitions,
      lastSequence: (each) => log.lastSequence(each),
      readSubject: async (...args) => {
        const { entries, complete } = await log.readSubject(...args);
        const [first, second, ...rest] = entries;
        if (args[0] !== partition || !first || !second) return { entries, complete };
        return { entries: [first, { ...second, at: 0 }, second, ...rest], complete };
      },
      lastOf: () => Promise.resolve([]),
    };
    const kinds = (await violationsOf(broken)).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['out-of-order', 'chain-broken']));
  });
});

test('a walk that is stopped says so', async () => {
  await lawful();
  const stop = AbortSignal.abort();
  const options = {
    partitions: [subjects.partitionOfRoom('tea')],
    found: () => undefined,
    progress: () => undefined,
    stop,
  };
  await expect(verifyLog(log, options)).rejects.toThrow('stopped before the end');
});
