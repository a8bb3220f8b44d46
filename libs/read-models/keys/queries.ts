import type { Db } from '../database.js';

/** Where the first command that used a key stands. */
export interface StoredKey {
  readonly partition: number;
  /** Of the command's last event. */
  readonly seq: number;
  /** Hash of the command's body. */
  readonly body: string;
}

/** @param id the broker's message id (`event.key.id`) */
export async function findKey(db: Db, partition: number, id: string): Promise<StoredKey | undefined> {
  const [row] = await db.query<StoredKey>(
    'key-find',
    'select partition, seq, body from message_keys where id = $1 and partition = $2',
    [id, partition],
  );
  return row;
}
