/**
 * The last entries of many subjects at once (`multi_last`), for start-up and rare loads: it holds the stream's lock.
 */
import type { DirectAnswer, DirectGets } from './direct-gets.js';
import type { LeaderReads } from './leader-reads.js';
import { LOG_LIMITS } from './limits.js';
import { isLiteral, matches } from './log-subject.js';
import type { LogReads } from './log-reads.js';
import type { StoredEntry } from './log.js';
import { Patience } from './patience.js';
import { toEntry, type StoredMessage } from './stored-message.js';

export class LastValues {
  constructor(
    private readonly direct: DirectGets,
    private readonly leader: LeaderReads,
    private readonly reads: LogReads,
  ) {}

  async lastOf(partition: number, subjects: readonly string[], upTo?: number): Promise<StoredEntry[]> {
    const bySubject = new Map<string, StoredMessage>();
    for (const chunk of chunks(subjects))
      for (const entry of await this.#lastOfChunk(partition, chunk, upTo)) bySubject.set(entry.subject, entry);
    return [...bySubject.values()].sort((a, b) => a.seq - b.seq).map((entry) => toEntry(entry, undefined));
  }

  async #lastOfChunk(
    partition: number,
    subjects: readonly string[],
    upTo: number | undefined,
  ): Promise<StoredMessage[]> {
    // In a cluster the entry that the leader has last is asked for as well: the answer then always says how far the
    // answering replica is, which "no results" would not.
    const newest = this.reads.clustered ? await this.leader.last(partition, '>') : undefined;
    if (this.reads.clustered && !newest) return [];
    const asked = newest && !subjects.includes(newest.subject) ? [...subjects, newest.subject] : subjects;
    const patience = new Patience(partition);
    for (;;) {
      const answer = await this.direct.ask(partition, { multi_last: asked });
      if (answer.tooMany || answer.pending > 0) return this.#scan(partition, subjects, upTo);
      if (answer.whole && (!newest || answer.upTo >= newest.seq)) {
        const wanted = answer.entries.filter(({ subject }) => subjects.some((filter) => matches(filter, subject)));
        return this.#asOf(partition, asked === subjects ? answer.entries : wanted, upTo);
      }
      await patience.wait();
    }
  }

  /** What stood last on these subjects at `upTo`. */
  async #asOf(partition: number, entries: DirectAnswer['entries'], upTo: number | undefined): Promise<StoredMessage[]> {
    const then: StoredMessage[] = [];
    for (const entry of entries) {
      const older =
        upTo === undefined || entry.seq <= upTo ? entry : await this.reads.lastUpTo(partition, entry.subject, upTo);
      if (older) then.push(older);
    }
    return then;
  }

  /** More subjects than the broker answers in one piece: everything on them is read, oldest first. */
  async #scan(partition: number, subjects: readonly string[], upTo: number | undefined): Promise<StoredMessage[]> {
    const end = upTo ?? (await this.leader.lastSequence(partition));
    const last = new Map<string, StoredMessage>();
    for (const subject of subjects)
      for (let after = 0, complete = false; !complete;) {
        const range = { after, upTo: end, max: LOG_LIMITS.readBatchMax };
        const read = await this.reads.range(partition, subject, range);
        for (const entry of read.entries) last.set(entry.subject, entry);
        after = read.entries[read.entries.length - 1]?.seq ?? end;
        complete = read.complete;
      }
    return [...last.values()];
  }
}

/** Literal subjects in groups that one question can hold, each wildcard alone. */
function chunks(subjects: readonly string[]): string[][] {
  const literal = subjects.filter(isLiteral);
  const groups = subjects.filter((subject) => !isLiteral(subject)).map((filter) => [filter]);
  for (let i = 0; i < literal.length; i += LOG_LIMITS.multiLastSubjectsMax)
    groups.push(literal.slice(i, i + LOG_LIMITS.multiLastSubjectsMax));
  return groups;
}
