/** How events change memberships. */
import type { Db } from '../database.js';
import { type Batch, eventsOf, lastOfEach, type ReadModel } from '../read-model.js';
import { memberChanges, type MemberChanges, type Period, userOf } from './changes.js';

export const members: ReadModel = {
  name: 'members',
  tables: ['members', 'member_periods'],
  needs: ['rooms'],
  apply(db, batch) {
    const changes = memberChanges(batch);
    return Promise.all([
      writeRows(db, batch.partition, changes.rows),
      writePeriods(db, batch.partition, changes),
      writeSenders(db, batch),
    ]);
  },
};

/** A change of role or a mute is no join: time and ordinal of the join stay. */
const JOINS = `given.joined_at is not null and (given.rejoined or known.standing is distinct from 'member')`;

async function writeRows(db: Db, partition: number, rows: MemberChanges['rows']): Promise<void> {
  if (rows.length === 0) return;
  await db.query(
    'members-rows',
    `insert into members (partition, room_id, user_id, seq, standing, role, muted, banned, joined_at, joined_ordinal)
     select $1, given.room_id, given.user_id, given.seq, given.standing, given.role, given.muted, given.banned,
       case when ${JOINS} then given.joined_at else known.joined_at end,
       case when ${JOINS} then given.joined_ordinal else coalesce(known.joined_ordinal, 0) end
     from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
         $9::bigint[], $10::bigint[], $11::boolean[])
       as given (room_id, user_id, seq, standing, role, muted, banned, joined_at, joined_ordinal, rejoined)
     left join members known on known.room_id = given.room_id and known.user_id = given.user_id
     on conflict (room_id, user_id) do update set seq = excluded.seq, standing = excluded.standing, role = excluded.role,
       muted = excluded.muted, banned = excluded.banned, joined_at = excluded.joined_at,
       joined_ordinal = excluded.joined_ordinal
     where excluded.seq > members.seq`,
    [
      partition,
      rows.map(({ roomId }) => roomId),
      rows.map(({ userId }) => userId),
      rows.map(({ seq }) => seq),
      rows.map(({ state }) => state.standing),
      rows.map(({ state }) => state.role),
      rows.map(({ state }) => state.muted),
      rows.map(({ state }) => state.banned),
      rows.map(({ joined }) => joined?.at ?? null),
      rows.map(({ joined }) => joined?.ordinal ?? 0),
      rows.map(({ rejoined }) => rejoined),
    ],
  );
}

/** In this order: what may have begun, then what ends, then what begins after that. */
async function writePeriods(db: Db, partition: number, changes: MemberChanges): Promise<void> {
  await Promise.all([
    insertPeriods(db, 'periods-maybe-begun', partition, changes.maybeBegun, 'open'),
    endPeriods(db, changes.ends),
    insertPeriods(db, 'periods-begun', partition, changes.begun, 'as they are'),
  ]);
}

async function endPeriods(db: Db, ends: MemberChanges['ends']): Promise<void> {
  if (ends.length === 0) return;
  await db.query(
    'periods-ended',
    `update member_periods set to_seq = given.seq, to_at = given.at
     from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) as given (room_id, user_id, seq, at)
     where member_periods.room_id = given.room_id and member_periods.user_id = given.user_id
       and member_periods.to_seq is null and member_periods.from_seq < given.seq`,
    [ends.map(({ subject }) => subject.roomId), ends.map(userOf), ends.map(({ seq }) => seq), ends.map(({ at }) => at)],
  );
}

async function insertPeriods(
  db: Db,
  name: string,
  partition: number,
  periods: readonly Period[],
  how: 'open' | 'as they are',
): Promise<void> {
  if (periods.length === 0) return;
  const to = periods.map((period) => (how === 'open' ? undefined : period.to));
  await db.query(
    name,
    `insert into member_periods (partition, room_id, user_id, from_seq, from_at, to_seq, to_at)
     select $1, given.* from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
       as given (room_id, user_id, from_seq, from_at, to_seq, to_at)
     where not exists (select from member_periods known
       where known.room_id = given.room_id and known.user_id = given.user_id and known.to_seq is null)
     on conflict (room_id, user_id, from_seq) do nothing`,
    [
      partition,
      periods.map(({ roomId }) => roomId),
      periods.map(({ userId }) => userId),
      periods.map(({ from }) => from.seq),
      periods.map(({ from }) => from.at),
      to.map((placed) => placed?.seq ?? null),
      to.map((placed) => placed?.at ?? null),
    ],
  );
}

/** Who sends has read what stands above: the own last message counts like a mark. One row a sender, however large the room. */
async function writeSenders(db: Db, batch: Batch): Promise<void> {
  const sent = eventsOf(batch, 'timeline');
  const last = lastOfEach(sent, ({ subject, event }) => `${subject.roomId} ${event.actor}`);
  if (last.length === 0) return;
  await db.query(
    'members-senders',
    `update members set sent_ordinal = given.ordinal
     from unnest($1::text[], $2::text[], $3::bigint[]) as given (room_id, user_id, ordinal)
     where members.room_id = given.room_id and members.user_id = given.user_id and members.sent_ordinal < given.ordinal`,
    [
      last.map(({ subject }) => subject.roomId),
      last.map(({ event }) => event.actor),
      last.map(({ ordinal }) => ordinal),
    ],
  );
}
