/** Reading and moving checkpoints. All live models of a partition stand at the same sequence, because a batch moves them together. */
import type { Db } from '../database.js';
import { projections } from '../projections.js';

export interface Checkpoint {
  readonly epoch: string;
  readonly seq: number;
  /** ms since 1970 of the event at `seq`, 0 for none. */
  readonly at: number;
}

/** A checkpoint as a writer of the partition knows it. */
export interface ModelCheckpoint extends Checkpoint {
  readonly model: string;
  readonly generation: number;
}

/** Somebody else has moved a checkpoint, or swapped the read models: what the writer knows is no longer so. */
export class CheckpointMovedError extends Error {
  override readonly name = 'CheckpointMovedError';
}

const NAMES = projections.map(({ name }) => name);

/** How far queries can see; undefined before anything has been projected. */
export async function checkpointOf(db: Db, partition: number): Promise<Checkpoint | undefined> {
  const rows = await db.query<Checkpoint>(
    'checkpoint-of',
    `select epoch, seq, at from checkpoints where partition = $1 and model = any($2::text[]) order by seq limit 1`,
    [partition, NAMES],
  );
  return rows[0];
}

export async function checkpointsOf(db: Db, partition: number): Promise<ModelCheckpoint[]> {
  return db.query<ModelCheckpoint>(
    'checkpoints-of',
    `select model, epoch, seq, at, generation from checkpoints where partition = $1 and model = any($2::text[])`,
    [partition, NAMES],
  );
}

/** Sets the checkpoints of these models, whatever they were. */
export async function setCheckpoints(
  db: Db,
  partition: number,
  models: readonly string[],
  { epoch, seq, at }: Checkpoint,
): Promise<void> {
  await db.query(
    'checkpoints-set',
    `insert into checkpoints (model, partition, epoch, seq, at)
     select model, $2, $3, $4, $5 from unnest($1::text[]) as model
     on conflict (model, partition) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at,
       generation = checkpoints.generation + 1`,
    [models, partition, epoch, seq, at],
  );
}

export async function forgetCheckpoints(db: Db, partition: number, models: readonly string[]): Promise<void> {
  await db.query('checkpoints-forget', 'delete from checkpoints where partition = $1 and model = any($2::text[])', [
    partition,
    models,
  ]);
}

/**
 * Moves the checkpoints of these models, if they are still where the writer knew them: the second lock, for a leader that
 * does not know yet that it is none any more. First statement of a batch, so that everyone takes locks in the same order.
 * @throws CheckpointMovedError
 */
export async function moveCheckpoints(
  db: Db,
  partition: number,
  models: readonly ModelCheckpoint[],
  to: { readonly seq: number; readonly at: number },
): Promise<void> {
  const moved = await db.query(
    'checkpoints-move',
    `update checkpoints set seq = $6, at = $7
     from unnest($1::text[], $2::text[], $3::bigint[], $4::int[]) as known (model, epoch, seq, generation)
     where checkpoints.partition = $5 and checkpoints.model = known.model and checkpoints.epoch = known.epoch
       and checkpoints.seq = known.seq and checkpoints.generation = known.generation
     returning checkpoints.model`,
    [
      models.map(({ model }) => model),
      models.map(({ epoch }) => epoch),
      models.map(({ seq }) => seq),
      models.map(({ generation }) => generation),
      partition,
      to.seq,
      to.at,
    ],
  );
  if (moved.length !== models.length)
    throw new CheckpointMovedError(`partition ${partition}: somebody else has moved the checkpoints`);
}
