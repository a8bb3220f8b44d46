/** Walks the log from its beginning and checks what must hold in it (verify-rules.ts). Works on any log, the memory twin included. */
import { formatPosition, streamSubjects } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { PartitionCheck, type Violation } from './verify-rules.js';

/** What a walk takes of the log. */
export type WalkedLog = Pick<EventLog, 'partitions' | 'lastSequence' | 'readSubject' | 'lastOf'>;

export interface VerifyOptions {
  readonly partitions: readonly number[];
  readonly found: (violation: Violation) => void;
  readonly progress: (text: string) => void;
  readonly stop: AbortSignal;
}

export interface Verified {
  readonly entries: number;
  readonly unknown: number;
}

const READ_MAX = 1_000;
/** Subjects whose last entries are asked for at once. */
const SUBJECTS_AT_ONCE = 1_000;

export async function verifyLog(log: WalkedLog, options: VerifyOptions): Promise<Verified> {
  let [entries, unknown] = [0, 0];
  for (const partition of options.partitions) {
    const check = new PartitionCheck(partition, log.partitions, options.found);
    const upTo = await log.lastSequence(partition);
    for await (const batch of entriesOf(log, partition, { after: 0, upTo })) {
      if (options.stop.aborted) throw new Error('stopped before the end');
      for (const entry of batch) check.take(entry);
      options.progress(`partition ${partition}: ${batch.at(-1)?.seq ?? upTo} of ${upTo}`);
    }
    check.end();
    await compareChains(log, check, upTo, options);
    entries += check.entries;
    unknown += check.unknown;
  }
  return { entries, unknown };
}

/** Entries of a partition in order, in batches; of all its subjects, or of those that match. */
export async function* entriesOf(
  log: WalkedLog,
  partition: number,
  { after, upTo }: { readonly after: number; readonly upTo: number },
  subject = streamSubjects(partition),
): AsyncGenerator<readonly StoredEntry[]> {
  for (let place = after; place < upTo;) {
    const range = { after: place, upTo, max: READ_MAX };
    const read = await log.readSubject(partition, subject, range);
    if (read.entries.length > 0) yield read.entries;
    place = read.complete ? upTo : (read.entries.at(-1)?.seq ?? upTo);
  }
}

/**
 * A fence holds by the broker's index of last entries, and so does every decision that reads a last value: the index has to agree
 * with what stands in the stream.
 */
async function compareChains(
  log: WalkedLog,
  { partition, lastOf }: PartitionCheck,
  upTo: number,
  { found, progress, stop }: VerifyOptions,
): Promise<void> {
  const subjects = [...lastOf.keys()];
  for (let i = 0; i < subjects.length; i += SUBJECTS_AT_ONCE) {
    if (stop.aborted) throw new Error('stopped before the end');
    const asked = subjects.slice(i, i + SUBJECTS_AT_ONCE);
    const said = new Map((await log.lastOf(partition, asked, upTo)).map(({ subject, seq }) => [subject, seq]));
    for (const subject of asked) {
      const seq = lastOf.get(subject) ?? 0;
      if (said.get(subject) === seq) continue;
      const what = `${subject}: the broker gives ${said.get(subject) ?? 'nothing'} as its last entry, the stream has ${seq}`;
      found({ kind: 'chain-broken', position: formatPosition({ partition, seq }), what });
    }
    progress(`partition ${partition}: ${i + asked.length} of ${subjects.length} subjects`);
  }
}
