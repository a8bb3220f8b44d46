/** The projection's floor: batches of 500 rows by `unnest` into one table with a checkpoint, one transaction each, nothing else. */
import { Client } from 'pg';

const BATCH = 500;
const CONTENT = 'x'.repeat(100);
const ROOMS = 100;

export interface UnnestFloor {
  /** @returns rows a second */
  run(rows: number): Promise<number>;
  stop(): Promise<void>;
}

export async function unnestFloor(databaseUrl: string): Promise<UnnestFloor> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('create schema if not exists floor');
  await client.query(
    `create table floor.msg (room int, seq int, id text, sender text, content text, ts timestamptz, meta jsonb, primary key (room, seq))`,
  );
  await client.query('create table floor.checkpoint (name text primary key, seq int not null)');
  await client.query(`insert into floor.checkpoint values ('floor', 0)`);
  let seq = 0;
  const batch = async (): Promise<void> => {
    const rows = Array.from({ length: BATCH }, () => (seq += 1));
    await client.query('begin');
    await client.query({
      name: 'floor-insert',
      text: `insert into floor.msg select * from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])`,
      values: [
        rows.map((row) => row % ROOMS),
        rows,
        rows.map((row) => `msg_${row}`),
        rows.map((row) => `user-${row % ROOMS}`),
        rows.map(() => CONTENT),
        rows.map(() => '2026-01-01T00:00:00Z'),
        rows.map(() => '{}'),
      ],
    });
    await client.query({ name: 'floor-checkpoint', text: 'update floor.checkpoint set seq = $1', values: [seq] });
    await client.query('commit');
  };
  return {
    async run(rows) {
      const startMs = performance.now();
      for (let done = 0; done < rows; done += BATCH) await batch();
      return (rows / (performance.now() - startMs)) * 1_000;
    },
    stop: () => client.end(),
  };
}
