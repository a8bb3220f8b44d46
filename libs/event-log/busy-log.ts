/**
 * For tests of outages: writers that keep several rooms busy, followers and a tails listener beside them, and at the
 * end the account. Every acknowledged append stands exactly once, and whoever follows has the log, whole and in order.
 */
import { expect } from '@jest/globals';
import { ContractRoom, contents, until } from './contract-room.js';
import { AppendUnknownError, LogUnavailableError, type EventLog, type StoredEntry, type TailsNotice } from './log.js';

export class BusyLog {
  /** What was acknowledged, by sequence, of each partition. */
  readonly #acknowledged: Map<number, string>[];
  /** Said, and nobody knows whether it stands. */
  readonly #unknown = new Set<string>();
  readonly #followed: StoredEntry[][];
  readonly #notices: TailsNotice[][];
  readonly #abort = new AbortController();
  readonly #followers: Promise<void>[] = [];
  readonly #writers: Promise<void>[] = [];
  #writing = true;
  #count = 0;

  constructor(
    private readonly writer: EventLog,
    private readonly reader: EventLog,
  ) {
    const each = <T>(make: () => T): T[] => Array.from({ length: writer.partitions }, make);
    this.#acknowledged = each(() => new Map<number, string>());
    this.#followed = each(() => []);
    this.#notices = each(() => []);
  }

  get count(): number {
    return this.#count;
  }

  async start(rooms = 4): Promise<void> {
    for (let partition = 0; partition < this.writer.partitions; partition++) {
      const after = await this.reader.lastSequence(partition);
      const { signal } = this.#abort;
      this.#followers.push(
        this.reader.follow({ partition, after, signal }, async (batch) => {
          this.#followed[partition]!.push(...batch);
        }),
      );
      await this.reader.tails(partition, (notice) => this.#notices[partition]!.push(notice));
      this.#followers.push(this.reader.publishTails(partition, signal));
    }
    for (let i = 0; i < rooms; i++) this.#writers.push(this.#write(roomIn(this.writer.partitions, i)));
  }

  /** Waits until so many more appends were acknowledged. */
  more(appends: number): Promise<void> {
    const goal = this.#count + appends;
    return until(`${appends} more appends`, () => this.#count >= goal, 60_000);
  }

  /** Stops writing, lets the followers finish, and checks the account. */
  async settle(): Promise<void> {
    this.#writing = false;
    await Promise.all(this.#writers);
    for (let partition = 0; partition < this.writer.partitions; partition++) {
      const end = await this.writer.lastSequence(partition);
      const followed = this.#followed[partition]!;
      await until(`partition ${partition} is followed to ${end}`, () => followed.at(-1)?.seq === end, 30_000);
      const told = this.#notices[partition]!;
      await until(`the tails of partition ${partition} are told to ${end}`, () => told.at(-1)?.to === end, 30_000);
    }
    this.#abort.abort();
    await Promise.all(this.#followers);
    for (let partition = 0; partition < this.writer.partitions; partition++) this.#check(partition);
  }

  async #write(room: ContractRoom): Promise<void> {
    for (let i = 0; this.#writing; i++) {
      const said = `${room.roomId} ${i}`;
      try {
        const { seq } = await this.writer.append(room.says('ann', said));
        this.#acknowledged[room.partition]!.set(seq, said);
        this.#count++;
      } catch (error) {
        if (error instanceof AppendUnknownError) this.#unknown.add(said);
        else if (!(error instanceof LogUnavailableError)) throw error;
      }
    }
  }

  #check(partition: number): void {
    const followed = this.#followed[partition]!;
    const first = followed[0]?.seq ?? 0;
    expect(followed.map(({ seq }) => seq)).toEqual(followed.map((_, i) => first + i));
    const said = contents(followed);
    expect(new Set(said).size).toBe(said.length);
    const bySeq = new Map(followed.map(({ seq }, i) => [seq, said[i]]));
    for (const [seq, text] of this.#acknowledged[partition]!) expect([seq, bySeq.get(seq)]).toEqual([seq, text]);
    const acknowledged = new Set(this.#acknowledged[partition]!.values());
    for (const text of said) expect(acknowledged.has(text) || this.#unknown.has(text)).toBe(true);
    this.#checkTails(followed, this.#notices[partition]!);
  }

  /**
   * What a gateway would know at each notice: nothing moved that it does not name. A notice lost on the way shows as a
   * gap.
   */
  #checkTails(followed: readonly StoredEntry[], notices: readonly TailsNotice[]): void {
    for (const { from, to, last } of notices) {
      const moved = new Map(
        followed.filter(({ seq }) => seq > from && seq <= to).map(({ subject, seq }) => [subject, seq]),
      );
      expect(new Map(last)).toEqual(moved);
    }
  }
}

/** Rooms take turns among the partitions, so that each has some. */
function roomIn(partitions: number, turn: number): ContractRoom {
  for (;;) {
    const room = new ContractRoom(partitions);
    if (room.partition === turn % partitions) return room;
  }
}
