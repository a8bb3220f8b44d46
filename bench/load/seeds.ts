/**
 * Rooms and members as they would stand in the log after many commands, written by the thin publisher: a hundred thousand joins as
 * commands would take minutes, and are not what is measured.
 */
import { Client } from 'pg';
import type { ChatEvent, MemberState } from '#contract';
import { LIMITS, Subjects } from '#contract';
import { type Platform, waitUntil } from '#embedded';
import type { EventLog } from '#event-log';
import { PARTITIONS, type Rooms } from '../parley.js';
import { logEnds, withEventLog } from './backlog.js';
import { eachOf } from './lanes.js';

/** Rooms being written at the same time. */
const LANES = 32;
const PROJECTED_WITHIN_MS = 1_200_000;
/** Of appends in one room that are on their way. */
const CHUNK = 64;

export interface SeededRooms extends Rooms {
  /** Of each room, in the order of `ids`: who owns it, besides the members. */
  readonly owners: readonly string[];
}

/** @param limit seats of each room */
export async function seedRooms(log: EventLog, { ids, members, owners }: SeededRooms, limit: number): Promise<void> {
  const subjects = new Subjects(log.partitions);
  await eachOf(ids, LANES, async (roomId, i) => {
    const owner = owners[i] ?? '';
    const others = members[i] ?? [];
    const first: readonly (readonly [string, ChatEvent])[] = [
      [subjects.config(roomId), created(roomId, owner, limit)],
      [subjects.roster(roomId), roster(owner, others.length + 1, limit)],
      [subjects.member(roomId, owner), joined(owner, 'owner')],
    ];
    // Of one connection, what is published first is stored first.
    await Promise.all(first.map(([subject, event]) => log.append({ subject, event })));
    for (let from = 0; from < others.length; from += CHUNK)
      await Promise.all(
        others
          .slice(from, from + CHUNK)
          .map((user) => log.append({ subject: subjects.member(roomId, user), event: joined(user, 'member') })),
      );
  });
}

/** `rooms` rooms of `membersEach` users who are in no other room, with owners of their own; projected when it resolves. */
export async function seededRooms(platform: Platform, prefix: string, rooms: number, membersEach: number) {
  const ids = Array.from({ length: rooms }, (_, i) => `${prefix}-${i}`);
  const members = ids.map((id) => Array.from({ length: membersEach }, (_, i) => `${id}-${i}`));
  const seeded: SeededRooms = { ids, members, owners: ids.map((id) => `${id}-owner`) };
  await withEventLog(platform.natsUrls(), PARTITIONS, (log) => seedRooms(log, seeded, LIMITS.membersMax));
  await untilProjected(platform);
  return seeded;
}

/** Until every read model has what stands in the log now, with statistics as autovacuum would make them by and by. */
export async function untilProjected(platform: Platform): Promise<void> {
  await untilInViews(platform);
  await withDatabase(platform, (database) => database.query('vacuum analyze'));
}

/** Until every read model has what stands in the log now. */
export async function untilInViews(platform: Platform): Promise<void> {
  const ends = await withEventLog(platform.natsUrls(), PARTITIONS, logEnds);
  const text = 'select partition, min(seq) as seq from checkpoints group by partition';
  await withDatabase(platform, (database) =>
    waitUntil('the views have what is in the log', PROJECTED_WITHIN_MS, async () => {
      const { rows } = await database.query<{ partition: number; seq: string }>(text);
      return ends.every(
        (end, partition) => end === 0 || Number(rows.find((row) => row.partition === partition)?.seq ?? 0) >= end,
      );
    }),
  );
}

export async function withDatabase<T>(platform: Platform, work: (database: Client) => Promise<T>): Promise<T> {
  const database = new Client({ connectionString: platform.databaseUrl });
  await database.connect();
  try {
    return await work(database);
  } finally {
    await database.end();
  }
}

const created = (name: string, owner: string, maxMembers: number): ChatEvent => ({
  v: 1,
  type: 'RoomCreated',
  actor: owner,
  data: {
    room: {
      kind: 'room',
      name,
      description: '',
      isPrivate: false,
      maxMembers,
      settings: {},
      createdBy: owner,
      archived: false,
    },
  },
});

const roster = (owner: string, members: number, limit: number): ChatEvent => ({
  v: 1,
  type: 'RosterChanged',
  actor: owner,
  data: { roster: { members, limit, owner, moderators: [] } },
});

const joined = (userId: string, role: MemberState['role']): ChatEvent => ({
  v: 1,
  type: 'MemberJoined',
  actor: userId,
  data: { member: { userId, standing: 'member', role, muted: false, banned: false } },
});
