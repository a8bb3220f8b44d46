/**
 * Where the messages of a load come from. Each subject gets them by the same means.
 *
 * - `live`: copies of stored events as the broker republishes them, published by the load itself. So what is measured is the way
 *   from the broker to the sockets, and nothing else on the machine works.
 * - `log`: appended to the log by the platform's own publisher; the broker stores and republishes them, and whatever follows
 *   the log works too.
 */
import { connect, MsgHdrsImpl, type NatsConnection } from '@nats-io/transport-node';
import { type ChatEvent, encodeEvent, HEADERS, liveSubject, streamName, Subjects } from '#contract';
import { natsOptions } from '#embedded';
import { type EventLog, openEventLog } from '#event-log';
import { markedContent } from './marked-frames.js';

export type Means = 'live' | 'log';

export interface SourceOptions {
  /** With credentials. */
  readonly natsUrls: readonly string[];
  readonly partitions: number;
  readonly means: Means;
  readonly contentBytes: number;
  /** Who sends. */
  readonly actor: string;
}

export interface Source {
  publish(room: string, index: number): void;
  close(): Promise<void>;
}

export async function openSource(options: SourceOptions, onFault: (error: unknown) => void): Promise<Source> {
  const nats = await connect({ ...natsOptions(options.natsUrls), name: 'load' });
  const log = await openEventLog(nats, { partitions: options.partitions });
  const close = (): Promise<void> => nats.close();
  return options.means === 'log'
    ? { publish: intoLog(log, options, onFault), close }
    : { publish: await beside(nats, log, options), close };
}

const message = (index: number, { actor, contentBytes }: SourceOptions): ChatEvent => ({
  v: 1,
  type: 'MessageSent',
  actor,
  data: { content: markedContent(index, contentBytes), type: 'text' },
});

function intoLog(log: EventLog, options: SourceOptions, onFault: (error: unknown) => void): Source['publish'] {
  const subjects = new Subjects(log.partitions);
  return (room, index) => {
    log.append({ subject: subjects.timeline(room), event: message(index, options) }).catch(onFault);
  };
}

/** Sequences go on where the log ends, so that to a gateway these are events like any other. */
async function beside(nats: NatsConnection, log: EventLog, options: SourceOptions): Promise<Source['publish']> {
  const subjects = new Subjects(log.partitions);
  const ends = await Promise.all(Array.from({ length: log.partitions }, (_, partition) => log.lastSequence(partition)));
  const before = new Map<string, number>();
  const timestamp = new Date().toISOString();
  return (room, index) => {
    const partition = subjects.partitionOfRoom(room);
    const subject = subjects.timeline(room);
    const seq = (ends[partition] = (ends[partition] ?? 0) + 1);
    const headers = MsgHdrsImpl.fromRecord({
      [HEADERS.stream]: [streamName(partition)],
      [HEADERS.subject]: [subject],
      [HEADERS.sequence]: [String(seq)],
      [HEADERS.timestamp]: [timestamp],
      [HEADERS.lastSequence]: [String(before.get(room) ?? 0)],
    });
    before.set(room, seq);
    nats.publish(liveSubject(subject), encodeEvent(message(index, options)), { headers });
  };
}
