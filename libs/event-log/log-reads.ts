/**
 * Reads of the log: direct gets for the mass, the leader's word where a replica's could be old.
 *
 * A replica answers with what it has. What it has is never wrong, but may end too early. So in a cluster every claim
 * that nothing stands somewhere (the end of a range, a hole, no entry before this one) is put to the leader, by one
 * question: which is the next entry after this one? Where there is none, see `#endsBefore`. On a single server the answering
 * server is the leader.
 */
import type { StoredMark } from './appending.js';
import type { ConnectionWatch } from './connection.js';
import type { Step } from './follow.js';
import type { DirectAnswer, DirectGet, DirectGets } from './direct-gets.js';
import type { LeaderReads } from './leader-reads.js';
import { LOG_LIMITS } from './limits.js';
import { matches, movingWith } from './log-subject.js';
import { LogUnavailableError, type StoredEntry, type SubjectRange, type SubjectRead } from './log.js';
import { Patience } from './patience.js';
import { headerField, toEntry, type StoredMessage } from './stored-message.js';

const EVERYTHING = '>';
/** A leader that others have replaced hears so within a heartbeat (1 s), once it can hear them. */
const DEPOSED_MS = 3_000;

interface RangeRead {
  readonly entries: StoredMessage[];
  readonly complete: boolean;
}

export class LogReads {
  /** By partition: from where on there seems to be nothing, and since when. */
  readonly #erasedEnds = new Map<number, { readonly from: number; readonly sinceMs: number }>();

  constructor(
    private readonly connection: ConnectionWatch,
    private readonly direct: DirectGets,
    private readonly leader: LeaderReads,
  ) {}

  get clustered(): boolean {
    return this.connection.clustered;
  }

  async readSubject(partition: number, subject: string, range: SubjectRange): Promise<SubjectRead> {
    const { entries, complete } = await this.range(partition, subject, range);
    return { entries: entries.map((entry) => toEntry(entry, undefined)), complete };
  }

  /** The last entry on the subject with this mark; all of the subject after `after`, up to now, is looked through. */
  async findMarked(
    partition: number,
    subject: string,
    after: number,
    mark: StoredMark,
  ): Promise<StoredEntry | undefined> {
    const upTo = await this.leader.lastSequence(partition);
    let found: StoredMessage | undefined;
    for (let place = after; ;) {
      const range = { after: place, upTo, max: LOG_LIMITS.readBatchMax };
      const { entries, complete } = await this.range(partition, subject, range);
      found = entries.findLast((entry) => mark.fits(headerField(entry.headerText, mark.header) ?? '')) ?? found;
      const last = entries[entries.length - 1];
      if (complete || !last) return found && toEntry(found, undefined);
      place = last.seq;
    }
  }

  async entry(partition: number, seq: number): Promise<StoredEntry | undefined> {
    // Where the entry was erased the broker gives the one after it.
    const entry = (await this.whole(partition, { seq, batch: 1 })).entries.find((found) => found.seq === seq);
    if (entry) return toEntry(entry, undefined);
    return this.clustered ? this.leader.at(partition, seq) : undefined;
  }

  /** The last entry of a literal subject that is not after `upTo`. */
  async lastUpTo(partition: number, subject: string, upTo: number): Promise<StoredMessage | undefined> {
    if (upTo < 1) return undefined;
    const patience = new Patience(partition);
    for (;;) {
      const [entry] = (await this.whole(partition, { multi_last: [subject], up_to_seq: upTo })).entries;
      if (await this.#nothingBetween(partition, subject, entry?.seq ?? 0, upTo)) return entry;
      await patience.wait();
    }
  }

  /** A step of a follower: what comes after `after`, without hole; nothing, too, when it could not be read now. */
  async step(partition: number, after: number, max: number): Promise<Step<StoredEntry>> {
    const { entries, pending } = await this.rawStep(partition, after, max);
    return { entries: entries.map((entry) => toEntry(entry, undefined)), pending };
  }

  /** The same, with payloads as they are. */
  async rawStep(partition: number, after: number, max: number): Promise<Step<StoredMessage>> {
    const request = { seq: after + 1, next_by_subj: EVERYTHING, batch: max, max_bytes: LOG_LIMITS.readBatchBytesMax };
    const { entries, pending } = await this.direct.ask(partition, request);
    const sure = this.clustered ? await this.#beforeDoubtfulHole(partition, after, entries) : entries;
    return { entries: [...sure], pending: pending + entries.length - sure.length };
  }

  async range(
    partition: number,
    subject: string,
    { after, upTo, max, maxBytes = Infinity }: SubjectRange,
  ): Promise<RangeRead> {
    const read: StoredMessage[] = [];
    let place = after;
    let bytes = 0;
    const patience = new Patience(partition);
    while (place < upTo) {
      const { entries, whole, pending } = await this.direct.ask(partition, {
        seq: place + 1,
        next_by_subj: subject,
        // One more than is wanted, so as to know whether the range ends here.
        batch: Math.min(LOG_LIMITS.readBatchMax, max - read.length + 1),
        max_bytes: Math.min(LOG_LIMITS.readBatchBytesMax, Math.max(maxBytes, LOG_LIMITS.entryBytesMax)),
      });
      for (const entry of entries) {
        if (entry.seq > upTo) return { entries: read, complete: true };
        bytes += entry.payload.length;
        if (read.length === max || (bytes > maxBytes && read.length > 0)) return { entries: read, complete: false };
        read.push(entry);
        place = entry.seq;
      }
      if (whole && pending === 0 && (await this.#nothingBetween(partition, subject, place, upTo))) break;
      if (entries.length > 0) patience.renew();
      else await patience.wait();
    }
    return { entries: read, complete: true };
  }

  /** Asks until an answer is whole. @throws LogUnavailableError */
  async whole(partition: number, request: DirectGet): Promise<DirectAnswer> {
    const patience = new Patience(partition);
    for (;;) {
      const answer = await this.direct.ask(partition, request);
      if (answer.whole) return answer;
      await patience.wait();
    }
  }

  /** Whether no entry of a subject stands after `after`, up to `upTo`, which the log has reached. */
  async #nothingBetween(partition: number, subject: string, after: number, upTo: number): Promise<boolean> {
    if (!this.clustered) return true;
    const next = await this.leader.next(partition, subject, after);
    return next ? next.seq > upTo : this.#endsBefore(partition, subject, after, upTo);
  }

  /**
   * A leader that knows of nothing more may have been cut off, and not have heard of the next one yet. So that the subject ends here
   * is believed of one answer only that shows as well that its server has come to `upTo`: whoever has an entry has all before it.
   */
  async #endsBefore(partition: number, subject: string, after: number, upTo: number): Promise<boolean> {
    const witness = await this.leader.next(partition, EVERYTHING, upTo - 1);
    if (!witness) return this.#isErased(partition, upTo);
    this.#erasedEnds.delete(partition);
    if (matches(subject, witness.subject)) return false;
    const asked = [...movingWith(subject), witness.subject];
    const answer = await this.direct.ask(partition, { multi_last: asked, up_to_seq: witness.seq });
    // A user of a thousand rooms: nobody says that in one answer.
    if (answer.tooMany || answer.pending > 0) return !(await this.leader.next(partition, subject, after));
    const hasReached = answer.whole && answer.entries.some(({ seq }) => seq === witness.seq);
    return hasReached && answer.entries.every(({ seq }) => seq <= after || seq === witness.seq);
  }

  /**
   * Whether the log has reached `upTo`, and has nothing from there on: its end was erased. No one answer says both, so it has to be
   * said for longer than somebody who was cut off can say so once the others are there to say the other half.
   */
  async #isErased(partition: number, upTo: number): Promise<boolean> {
    const nowMs = performance.now();
    if ((await this.leader.lastSequence(partition)) < upTo) {
      this.#erasedEnds.delete(partition);
      return false;
    }
    const known = this.#erasedEnds.get(partition);
    if (known && known.from <= upTo) return nowMs - known.sinceMs > DEPOSED_MS;
    this.#erasedEnds.set(partition, { from: upTo, sinceMs: nowMs });
    return false;
  }

  async #beforeDoubtfulHole(
    partition: number,
    after: number,
    entries: readonly StoredMessage[],
  ): Promise<readonly StoredMessage[]> {
    const before = (i: number): number => entries[i - 1]?.seq ?? after;
    const holes = [...entries.keys()].filter((i) => entries[i]?.seq !== before(i) + 1);
    const real = await Promise.all(holes.map((i) => this.#isHole(partition, before(i), entries[i]?.seq ?? 0)));
    const doubtful = holes[real.indexOf(false)];
    return doubtful === undefined ? entries : entries.slice(0, doubtful);
  }

  async #isHole(partition: number, before: number, seq: number): Promise<boolean> {
    try {
      return await this.#nothingBetween(partition, EVERYTHING, before, seq - 1);
    } catch (error) {
      if (error instanceof LogUnavailableError) return false;
      throw error;
    }
  }
}
