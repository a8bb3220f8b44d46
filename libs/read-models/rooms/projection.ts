/** How events change rooms. */
import type { Db } from '../database.js';
import { type Batch, eventsOf, lastOfEach, type Placed, type ReadModel } from '../read-model.js';

export const rooms: ReadModel = {
  name: 'rooms',
  tables: ['rooms', 'room_tails'],
  apply: (db, batch) => Promise.all([writeConfigs(db, batch), writeRosters(db, batch), writeTails(db, batch)]),
};

const roomOf = (placed: Placed<'config' | 'roster' | 'timeline'>): string => placed.subject.roomId;

async function writeConfigs(db: Db, batch: Batch): Promise<void> {
  const last = lastOfEach(eventsOf(batch, 'config'), roomOf);
  if (last.length === 0) return;
  // The first event of a room gives its time; later ones in the same batch must not move it.
  const firstAt = new Map(
    eventsOf(batch, 'config')
      .toReversed()
      .map((placed) => [roomOf(placed), placed.at]),
  );
  const room = last.map((placed) => placed.event.data.room);
  await db.query(
    'rooms-configs',
    `insert into rooms (partition, room_id, seq, kind, name, name_key, description, is_private, archived, max_members,
       settings, participants, created_by, created_at)
     select $1, * from unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
       $9::boolean[], $10::int[], $11::jsonb[], $12::jsonb[], $13::text[], $14::bigint[])
     on conflict (room_id) do update set seq = excluded.seq, kind = excluded.kind, name = excluded.name,
       name_key = excluded.name_key, description = excluded.description, is_private = excluded.is_private,
       archived = excluded.archived, max_members = excluded.max_members, settings = excluded.settings,
       participants = excluded.participants, created_by = excluded.created_by
     where excluded.seq > rooms.seq`,
    [
      batch.partition,
      last.map(roomOf),
      last.map((placed) => placed.seq),
      room.map(({ kind }) => kind),
      room.map(({ name }) => name),
      room.map(({ name }) => name.toLowerCase()),
      room.map(({ description }) => description),
      room.map(({ isPrivate }) => isPrivate),
      room.map(({ archived }) => archived),
      room.map(({ maxMembers }) => maxMembers),
      room.map(({ settings }) => JSON.stringify(settings)),
      room.map(({ participants }) => (participants === undefined ? null : JSON.stringify(participants))),
      room.map(({ createdBy }) => createdBy),
      last.map((placed, i) => room[i]?.createdAt ?? firstAt.get(roomOf(placed))),
    ],
  );
}

async function writeRosters(db: Db, batch: Batch): Promise<void> {
  const last = lastOfEach(eventsOf(batch, 'roster'), roomOf);
  if (last.length === 0) return;
  await db.query(
    'rooms-rosters',
    `insert into room_tails (partition, room_id, member_count, roster_seq)
     select $1, * from unnest($2::text[], $3::int[], $4::bigint[])
     on conflict (room_id) do update set member_count = excluded.member_count, roster_seq = excluded.roster_seq
     where excluded.roster_seq > room_tails.roster_seq`,
    [
      batch.partition,
      last.map(roomOf),
      last.map((placed) => placed.event.data.roster.members),
      last.map((placed) => placed.seq),
    ],
  );
}

async function writeTails(db: Db, batch: Batch): Promise<void> {
  const last = lastOfEach(eventsOf(batch, 'timeline'), roomOf);
  if (last.length === 0) return;
  await db.query(
    'rooms-tails',
    `insert into room_tails (partition, room_id, last_ordinal, last_seq, last_at)
     select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
     on conflict (room_id) do update set last_ordinal = excluded.last_ordinal, last_seq = excluded.last_seq,
       last_at = excluded.last_at
     where excluded.last_seq > room_tails.last_seq`,
    [
      batch.partition,
      last.map(roomOf),
      last.map((placed) => placed.ordinal),
      last.map((placed) => placed.seq),
      last.map((placed) => placed.at),
    ],
  );
}
