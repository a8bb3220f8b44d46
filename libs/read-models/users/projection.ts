/** How events change what users say of themselves. */
import { userToken } from '#contract';
import type { Db } from '../database.js';
import { type Batch, eventsOf, lastOfEach, type Placed, type ReadModel } from '../read-model.js';

export const users: ReadModel = {
  name: 'users',
  tables: ['statuses', 'profiles'],
  apply: (db, batch) => Promise.all([writeStatuses(db, batch), writeProfiles(db, batch)]),
};

async function writeStatuses(db: Db, batch: Batch): Promise<void> {
  const statuses = lastOfEach(eventsOf(batch, 'status'), ownerOf);
  if (statuses.length === 0) return;
  await db.query(
    'users-statuses',
    `insert into statuses (partition, user_id, seq, online, status, at)
       select $1, * from unnest($2::text[], $3::bigint[], $4::boolean[], $5::jsonb[], $6::bigint[])
       on conflict (user_id) do update
         set seq = excluded.seq, online = excluded.online, status = excluded.status, at = excluded.at
       where excluded.seq > statuses.seq`,
    [
      batch.partition,
      statuses.map(ownerOf),
      statuses.map(({ seq }) => seq),
      statuses.map(({ event }) => event.data.online ?? null),
      statuses.map(({ event }) => JSON.stringify(event.data.status)),
      statuses.map(({ at }) => at),
    ],
  );
}

async function writeProfiles(db: Db, batch: Batch): Promise<void> {
  const profiles = lastOfEach(eventsOf(batch, 'profile'), ownerOf);
  if (profiles.length === 0) return;
  await db.query(
    'users-profiles',
    `insert into profiles (partition, user_id, seq, username, display_name, avatar_url)
       select $1, * from unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])
       on conflict (user_id) do update set seq = excluded.seq, username = excluded.username,
         display_name = excluded.display_name, avatar_url = excluded.avatar_url
       where excluded.seq > profiles.seq`,
    [
      batch.partition,
      profiles.map(ownerOf),
      profiles.map(({ seq }) => seq),
      profiles.map(({ event }) => event.data.username),
      profiles.map(({ event }) => event.data.displayName),
      profiles.map(({ event }) => event.data.avatarUrl),
    ],
  );
}

/** The subject has the id itself, or a hash of it; users speak for themselves, so the actor is the one hashed. */
function ownerOf({ subject, event }: Placed<'status' | 'profile'>): string {
  return userToken(event.actor) === subject.userToken ? event.actor : subject.userToken;
}
