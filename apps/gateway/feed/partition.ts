/**
 * One partition of the log, as far as this gateway's readers are concerned: the *mark* says up to where it is verified that
 * everything of theirs has been taken. Only the mark makes a cursor.
 *
 * The tails notices say which subjects moved; what we lack is read from the log, and then the mark moves. A gap between two
 * notices, or none for a while, makes us read the partition itself. Delivery never waits for any of this.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { streamSubjects } from '#contract';
import { LogUnavailableError, type EventLog, type Subscription, type TailsNotice } from '#event-log';
import { orCrash } from './or-crash.js';

/** Without a notice for so long, the log is asked whether it has moved. */
const SILENCE_MS = 5_000;
const READ_ENTRIES_MAX = 2_000;
const READ_BYTES_MAX = 4 * 1024 * 1024;
/** Notices that wait their turn; above it the partition is read instead. */
export const NOTICES_MAX = 256;
const RETRY_MS = 200;

type Moved = TailsNotice['last'];

export interface PartitionHost {
  readonly log: EventLog;
  /** Takes from the log what is lacking of these subjects; resolves when it has been taken. */
  takeMissing(partition: number, moved: Moved, after: number): Promise<void>;
  /** A mark has moved: everything up to it has been taken. */
  verified(): void;
  epochChanged(epoch: string): void;
  fault(error: unknown): void;
}

export class Partition {
  mark = 0;
  private waiting: TailsNotice[] = [];
  /** A mark that somebody waits for, beyond what notices have brought. */
  private wanted = 0;
  private working: Promise<void> | undefined;
  private heardAtMs = 0;
  private subscription: Subscription | undefined;
  private stopped = false;

  constructor(
    readonly number: number,
    private readonly host: PartitionHost,
  ) {}

  async start(nowMs: number): Promise<void> {
    this.subscription = await this.host.log.tails(
      this.number,
      orCrash((notice) => this.receive(notice)),
    );
    this.heardAtMs = nowMs;
    const end = await this.host.log.lastSequence(this.number);
    this.mark = Math.max(this.mark, end);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.subscription?.stop();
    await this.working;
  }

  receive(notice: TailsNotice): void {
    if (notice.epoch !== this.host.log.epoch) return this.host.epochChanged(notice.epoch);
    this.heardAtMs = performance.now();
    if (this.waiting.length < NOTICES_MAX) this.waiting.push(notice);
    else this.wanted = Math.max(this.wanted, notice.to);
    this.work();
  }

  /** Resolves when the partition is verified up to a sequence, or as far as the log goes. */
  async reach(seq: number): Promise<void> {
    if (this.mark >= seq) return;
    this.wanted = Math.max(this.wanted, seq);
    this.work();
    while (!this.stopped && this.mark < seq && this.working !== undefined) await this.working;
  }

  /** Called now and then: a stream that moves without notices is read. */
  async tick(nowMs: number): Promise<void> {
    if (this.stopped || nowMs - this.heardAtMs < SILENCE_MS) return;
    this.heardAtMs = nowMs;
    await this.reach(await this.host.log.lastSequence(this.number));
  }

  private work(): void {
    this.working ??= this.workOff()
      .catch((error: unknown) => this.giveUp(error))
      .finally(() => {
        this.working = undefined;
        if (!this.stopped && (this.waiting.length > 0 || this.wanted > this.mark)) this.work();
      });
  }

  /** Not the log's absence, which is waited for: what was wanted is let go, and the next notice begins again. */
  private giveUp(error: unknown): void {
    this.wanted = this.mark;
    this.host.fault(error);
  }

  private async workOff(): Promise<void> {
    while (!this.stopped) {
      const notice = this.waiting.shift();
      if (notice !== undefined) await this.patiently(() => this.apply(notice));
      else if (this.wanted > this.mark) await this.patiently(() => this.readUpTo(this.wanted));
      else return;
    }
  }

  private async apply({ from, to, last }: TailsNotice): Promise<void> {
    if (to <= this.mark) return;
    if (from > this.mark) await this.readUpTo(from);
    await this.host.takeMissing(this.number, last, this.mark);
    this.moveTo(to);
  }

  /** Reads the partition itself: what notices would have said. */
  private async readUpTo(upTo: number): Promise<void> {
    while (!this.stopped && this.mark < upTo) {
      const range = { after: this.mark, upTo, max: READ_ENTRIES_MAX, maxBytes: READ_BYTES_MAX };
      const { entries, complete } = await this.host.log.readSubject(this.number, streamSubjects(this.number), range);
      const last = new Map(entries.map(({ subject, seq }) => [subject, seq]));
      await this.host.takeMissing(this.number, [...last], this.mark);
      const read = entries[entries.length - 1]?.seq ?? this.mark;
      this.moveTo(complete ? upTo : read);
    }
  }

  private moveTo(mark: number): void {
    if (mark <= this.mark) return;
    this.mark = mark;
    this.host.verified();
  }

  /** A log that is away is waited for: until then no cursor moves, and nothing else depends on it. */
  private async patiently(work: () => Promise<void>): Promise<void> {
    while (!this.stopped) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        await delay(RETRY_MS);
      }
    }
  }
}
