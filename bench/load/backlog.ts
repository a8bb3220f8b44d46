/** A log with much in it: what the projection has to catch up with. Written by the thin publisher, as the command services write. */
import { connect } from '@nats-io/transport-node';
import { type ChatEvent, Subjects } from '#contract';
import { natsOptions } from '#embedded';
import { type EventLog, openEventLog } from '#event-log';

const IN_FLIGHT = 512;
const CONTENT = 'x'.repeat(100);

export interface BacklogShape {
  readonly rooms: readonly string[];
  /** Of each room, in the order of `rooms`. */
  readonly members: readonly (readonly string[])[];
}

/** Messages in turn from all members in all rooms: ids of keys among them, because that is a read model too. */
export async function appendMessages(log: EventLog, { rooms, members }: BacklogShape, count: number): Promise<void> {
  const subjects = new Subjects(log.partitions);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const at = index % rooms.length;
      const senders = members[at] ?? [];
      const actor = senders[Math.floor(index / rooms.length) % senders.length] ?? '';
      await log.append({ subject: subjects.timeline(rooms[at] ?? ''), event: messageOf(actor) });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

export const messageOf = (actor: string): ChatEvent => ({
  v: 1,
  type: 'MessageSent',
  actor,
  key: { id: crypto.randomUUID(), body: 'a hash of the body would stand here, which is 43 signs' },
  data: { content: CONTENT, type: 'text' },
});

export async function withEventLog<T>(
  natsUrls: readonly string[],
  partitions: number,
  work: (log: EventLog) => Promise<T>,
): Promise<T> {
  const nats = await connect({ ...natsOptions(natsUrls), name: 'load' });
  try {
    return await work(await openEventLog(nats, { partitions }));
  } finally {
    await nats.close();
  }
}

export const logEnds = (log: EventLog): Promise<number[]> =>
  Promise.all(Array.from({ length: log.partitions }, (_, partition) => log.lastSequence(partition)));
