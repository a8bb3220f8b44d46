/**
 * How events change the keys. The first command that used a key keeps it. Its events stand next to each other in the log
 * (an atomic batch), and the last of them is its result; so only a direct successor may move a key on.
 */
import type { Batch, ReadModel } from '../read-model.js';

export const keys: ReadModel = {
  name: 'keys',
  tables: ['message_keys'],
  async apply(db, batch) {
    const runs = firstRuns(batch);
    const [first] = runs;
    if (first === undefined) return;
    // An atomic batch of the log may have been cut by the end of the batch before: then its key moves on.
    await db.query(
      'keys-first',
      `with continued as (
         update message_keys set seq = $6 where id = $5 and partition = $1 and seq = $7)
       insert into message_keys (partition, id, seq, body)
       select $1, * from unnest($2::text[], $3::bigint[], $4::text[])
       on conflict (id) do nothing`,
      [
        batch.partition,
        runs.map(({ id }) => id),
        runs.map(({ lastSeq }) => lastSeq),
        runs.map(({ body }) => body),
        first.id,
        first.lastSeq,
        first.firstSeq - 1,
      ],
    );
  },
};

interface Run {
  readonly id: string;
  readonly body: string;
  readonly firstSeq: number;
  lastSeq: number;
}

/** Of each key in the batch, its first run of neighbours; in the log's order. */
function firstRuns({ events }: Batch): Run[] {
  const runs = new Map<string, Run>();
  for (const { event, seq } of events) {
    if (event.key === undefined) continue;
    const { id, body } = event.key;
    const run = runs.get(id);
    if (run === undefined) runs.set(id, { id, body, firstSeq: seq, lastSeq: seq });
    else if (run.lastSeq === seq - 1) run.lastSeq = seq;
  }
  return [...runs.values()];
}
