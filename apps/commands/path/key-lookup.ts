/** The `message_keys` view, as the write side needs it: keys that the broker has forgotten. */
import { checkpointOf, findKey, type Database } from '#read-models';

export interface StoredResult {
  readonly seq: number;
  /** Hash of the body that the key was used with. */
  readonly body: string;
}

export interface KeyLookup {
  /** The sequence up to which the view holds every key of a partition; 0 for a view of another log. */
  reached(partition: number): Promise<number>;
  find(partition: number, id: string): Promise<StoredResult | undefined>;
}

export const keysInView = (database: Database, epoch: string): KeyLookup => ({
  async reached(partition) {
    const checkpoint = await checkpointOf(database, partition);
    return checkpoint?.epoch === epoch ? checkpoint.seq : 0;
  },
  find: (partition, id) => findKey(database, partition, id),
});
