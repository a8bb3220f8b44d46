/** Events that were given up; see `apps/projection/poison.ts` for when. */
import type { Db } from '../database.js';

export interface DeadLetterRow {
  readonly partition: number;
  readonly seq: number;
  readonly subject: string;
  readonly reason: string;
  /** ms since 1970 */
  readonly at: number;
}

/** A reason is for a person; a whole row quoted in an error of the database is not. */
const REASON_CHARACTERS_MAX = 1_000;

/** Part of the transaction that steps over these events. */
export async function recordDeadLetters(db: Db, letters: readonly DeadLetterRow[]): Promise<void> {
  if (letters.length === 0) return;
  await db.query(
    'dead-letters-record',
    `insert into dead_letters (partition, seq, subject, reason, at)
     select * from unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
     on conflict (partition, seq) do update set reason = excluded.reason`,
    [
      letters.map(({ partition }) => partition),
      letters.map(({ seq }) => seq),
      letters.map(({ subject }) => subject),
      letters.map(({ reason }) => reason.replaceAll('\0', '').slice(0, REASON_CHARACTERS_MAX)),
      letters.map(({ at }) => at),
    ],
  );
}

export async function listDeadLetters(db: Db, limit: number): Promise<DeadLetterRow[]> {
  return db.query<DeadLetterRow>(
    'dead-letters-list',
    'select partition, seq, subject, reason, at from dead_letters order by partition, seq limit $1',
    [limit],
  );
}

export async function countDeadLetters(db: Db): Promise<number> {
  const [row] = await db.query<{ count: number }>('dead-letters-count', 'select count(*) as count from dead_letters');
  return row?.count ?? 0;
}
