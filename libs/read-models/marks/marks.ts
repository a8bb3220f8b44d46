/** Read and delivered marks: the greatest wins. They move with requests, not with events, and stand outside of the log's promise. */
import type { Db } from '../database.js';

export interface MarkInput {
  readonly userId: string;
  readonly roomId: string;
  /** The message's place. */
  readonly partition: number;
  readonly seq: number;
  readonly kind: 'read' | 'delivered';
}

/** What became of a mark; a refused one has changed nothing. */
export type MarkOutcome =
  | { readonly kind: 'marked'; readonly ordinal: number; readonly moved: boolean }
  | { readonly kind: 'room_not_found' | 'not_member' | 'message_not_found' };

interface MarkedRow {
  readonly known: boolean;
  readonly is_private: boolean | null;
  readonly member: boolean;
  readonly ordinal: number | null;
  readonly read_ordinal: number | null;
  readonly delivered_ordinal: number | null;
  readonly before_ordinal: number | null;
}

/**
 * Writes all marks with one statement, a transaction of its own, and answers in their order. Who has read has received. Rows are
 * locked in one order, so that two processes never wait for each other.
 */
export async function writeMarks(db: Db, marks: readonly MarkInput[]): Promise<MarkOutcome[]> {
  const rows = await db.query<MarkedRow>(
    'marks-write',
    `with given as (
       select * from unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::boolean[])
         with ordinality as given (user_id, room_id, partition, seq, is_read, n)),
     checked as (
       select given.*, room.room_id is not null as known, room.is_private, coalesce(member.standing = 'member', false) as member,
         message.ordinal, case when given.is_read then mark.read_ordinal else mark.delivered_ordinal end as before_ordinal
       from given
       left join rooms room on room.room_id = given.room_id
       left join members member on member.room_id = given.room_id and member.user_id = given.user_id
       left join messages message on message.room_id = given.room_id and message.seq = given.seq
         and message.partition = given.partition
       left join marks mark on mark.user_id = given.user_id and mark.room_id = given.room_id),
     written as (
       insert into marks (user_id, room_id, partition, read_seq, read_ordinal, delivered_seq, delivered_ordinal)
       select user_id, room_id, min(partition), coalesce(max(seq) filter (where is_read), 0),
         coalesce(max(ordinal) filter (where is_read), 0), max(seq), max(ordinal)
       from checked where member and ordinal is not null group by user_id, room_id
       order by user_id, room_id
       on conflict (user_id, room_id) do update set
         read_seq = greatest(marks.read_seq, excluded.read_seq),
         read_ordinal = greatest(marks.read_ordinal, excluded.read_ordinal),
         delivered_seq = greatest(marks.delivered_seq, excluded.delivered_seq),
         delivered_ordinal = greatest(marks.delivered_ordinal, excluded.delivered_ordinal)
       returning user_id, room_id, read_ordinal, delivered_ordinal)
     select checked.known, checked.is_private, checked.member, checked.ordinal, checked.before_ordinal,
       written.read_ordinal, written.delivered_ordinal
     from checked left join written on written.user_id = checked.user_id and written.room_id = checked.room_id
     order by checked.n`,
    [
      marks.map(({ userId }) => userId),
      marks.map(({ roomId }) => roomId),
      marks.map(({ partition }) => partition),
      marks.map(({ seq }) => seq),
      marks.map(({ kind }) => kind === 'read'),
    ],
  );
  return rows.map((row, i) => outcome(row, marks[i]?.kind === 'read'));
}

function outcome(row: MarkedRow, isRead: boolean): MarkOutcome {
  // A private room that one is not in does not exist.
  if (!row.known || (row.is_private === true && !row.member)) return { kind: 'room_not_found' };
  if (!row.member) return { kind: 'not_member' };
  if (row.ordinal === null) return { kind: 'message_not_found' };
  const ordinal = (isRead ? row.read_ordinal : row.delivered_ordinal) ?? row.ordinal;
  return { kind: 'marked', ordinal, moved: ordinal > (row.before_ordinal ?? 0) };
}

/**
 * The log has lost what stood after `last`: marks on lost messages go back to the last message that is left. To be called
 * while the messages of before still stand in the view.
 */
export async function clampMarks(db: Db, partition: number, last: number): Promise<void> {
  await db.query(
    'marks-clamp',
    `update marks set
       read_seq = least(marks.read_seq, coalesce(left_over.seq, 0)),
       read_ordinal = least(marks.read_ordinal, coalesce(left_over.ordinal, 0)),
       delivered_seq = least(marks.delivered_seq, coalesce(left_over.seq, 0)),
       delivered_ordinal = least(marks.delivered_ordinal, coalesce(left_over.ordinal, 0))
     from marks mark left join lateral (
       select seq, ordinal from messages where messages.room_id = mark.room_id and messages.seq <= $2
       order by seq desc limit 1) left_over on true
     where mark.partition = $1 and greatest(mark.read_seq, mark.delivered_seq) > $2
       and marks.user_id = mark.user_id and marks.room_id = mark.room_id`,
    [partition, last],
  );
}
