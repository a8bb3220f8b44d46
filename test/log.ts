/** Reads the whole log of a running broker, for the history checker. */
import { connect } from '@nats-io/transport-node';
import { natsOptions } from '#embedded';
import { openEventLog, type EventLog, type StoredEntry } from '#event-log';

const READ_MAX = 1_000;

/** Opens the log that a platform has made, works with it, and lets go of it. */
export async function withLog<T>(
  natsUrls: readonly string[],
  partitions: number,
  work: (log: EventLog) => Promise<T>,
): Promise<T> {
  const nats = await connect({ ...natsOptions(natsUrls), name: 'history checker', maxReconnectAttempts: -1 });
  try {
    return await work(await openEventLog(nats, { partitions }));
  } finally {
    await nats.close();
  }
}

export async function wholeLog(log: EventLog): Promise<StoredEntry[]> {
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  return (await Promise.all(partitions.map((partition) => wholePartition(log, partition)))).flat();
}

async function wholePartition(log: EventLog, partition: number): Promise<StoredEntry[]> {
  const upTo = await log.lastSequence(partition);
  const entries: StoredEntry[] = [];
  for (let after = 0; after < upTo;) {
    const read = await log.readSubject(partition, `chat.${partition}.>`, { after, upTo, max: READ_MAX });
    entries.push(...read.entries);
    after = read.complete ? upTo : (read.entries.at(-1)?.seq ?? upTo);
  }
  return entries;
}

/** The end of each partition, as the leader gives it. */
export const logEnd = (log: EventLog): Promise<number[]> =>
  Promise.all(Array.from({ length: log.partitions }, (_, partition) => log.lastSequence(partition)));
