/**
 * Writes one partition's events into read models. A batch is one transaction: checkpoints first (their old value is the guard),
 * then every model, then the dead letters. A crash anywhere leaves the batch undone, and doing it again changes nothing.
 *
 * Used by the leader of a partition for the live tables, and by a rebuild for tables beside them: which ones is for the
 * connection's search path to say.
 */
import { type DeadLetterRow, recordDeadLetters } from './dead-letters/dead-letters.js';
import { clampMarks } from './marks/marks.js';
import {
  type Checkpoint,
  checkpointsOf,
  forgetCheckpoints,
  type ModelCheckpoint,
  moveCheckpoints,
  setCheckpoints,
} from './positions/checkpoints.js';
import { type LogEntry, place, type ReadModel } from './read-model.js';
import { Numbering } from './rooms/numbering.js';
import type { Writer } from './writer.js';

/** The log that a partition is written from, as the writer must know it to begin. */
export interface LogIdentity {
  readonly epoch: string;
  /** The partition's last sequence in the log. */
  readonly last: number;
}

export class PartitionWriter {
  private readonly numbering = new Numbering();
  /** Of the models that this writer moves. */
  private known: ModelCheckpoint[] = [];
  private live: readonly ReadModel[] = [];

  constructor(
    private readonly writer: Writer,
    readonly partition: number,
    private readonly models: readonly ReadModel[],
  ) {}

  /** Everything up to here has been applied. */
  get checkpoint(): Checkpoint {
    const [first] = this.known;
    if (first === undefined) throw new Error(`partition ${this.partition}: nothing has been loaded`);
    return first;
  }

  /**
   * Loads the checkpoints. Views of another log, or of one that has lost its end, are emptied: they begin again at 0.
   * @returns models that do not stand where the others do (new ones): they are left out, and have to be rebuilt
   */
  async load(log: LogIdentity): Promise<readonly ReadModel[]> {
    this.numbering.forget();
    const stored = await checkpointsOf(this.writer, this.partition);
    const names = this.models.map(({ name }) => name);
    if (stored.length === 0) await this.begin(log.epoch, names);
    else if (stored.some(({ epoch, seq }) => epoch !== log.epoch || seq > log.last)) await this.empty(log, names);
    const now = await checkpointsOf(this.writer, this.partition);
    const furthest = Math.max(...now.map(({ seq }) => seq));
    this.known = now.filter(({ seq, model }) => seq === furthest && names.includes(model));
    // A model that was left behind must not hold back every query that waits for a position.
    const behind = now.filter(({ seq }) => seq < furthest).map(({ model }) => model);
    if (behind.length > 0) await forgetCheckpoints(this.writer, this.partition, behind);
    this.live = this.models.filter(({ name }) => this.known.some(({ model }) => model === name));
    return this.models.filter((model) => !this.live.includes(model));
  }

  /**
   * Applies entries in one transaction; those that it has already are dropped.
   * @param dead entries to step over, and why
   * @throws CheckpointMovedError, or what the database says; nothing has changed then
   */
  async apply(entries: readonly LogEntry[], dead: readonly DeadLetterRow[] = []): Promise<void> {
    await this.writer.transaction(() => this.applyWithin(entries, dead)).catch((error: unknown) => this.undo(error));
    this.advance(entries);
  }

  /** The same within a transaction that the caller has begun; `advance` tells that it was committed. */
  async applyWithin(entries: readonly LogEntry[], dead: readonly DeadLetterRow[] = []): Promise<void> {
    const fresh = entries.filter(({ seq }) => seq > this.checkpoint.seq);
    const last = fresh.at(-1);
    if (last === undefined) return;
    const stepOver = new Set(dead.map(({ seq }) => seq));
    const events = fresh.flatMap((entry) => (stepOver.has(entry.seq) ? [] : (place(entry) ?? [])));
    const moved = moveCheckpoints(this.writer, this.partition, this.known, last);
    // Its failure is seen below, with the others'; until then it must not count as one that nobody sees.
    moved.catch(() => undefined);
    // Counters that are not known yet have to be read before the rest can be said.
    await this.numbering.load(this.writer, events);
    const batch = { partition: this.partition, events: this.numbering.number(events) };
    const written = this.live.map(async (model) => model.apply(this.writer, batch));
    await Promise.all([moved, ...written, recordDeadLetters(this.writer, dead)]);
  }

  advance(entries: readonly LogEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined || last.seq <= this.checkpoint.seq) return;
    this.known = this.known.map((known) => ({ ...known, seq: last.seq, at: last.at }));
  }

  private undo(error: unknown): never {
    this.numbering.forget();
    throw error;
  }

  private async begin(epoch: string, names: readonly string[]): Promise<void> {
    await setCheckpoints(this.writer, this.partition, names, { epoch, seq: 0, at: 0 });
  }

  private async empty({ epoch, last }: LogIdentity, names: readonly string[]): Promise<void> {
    await this.writer.transaction(async () => {
      await this.begin(epoch, names);
      await clampMarks(this.writer, this.partition, last);
      for (const table of [...this.models.flatMap(({ tables }) => tables), 'dead_letters'])
        await this.writer.query(`empty-${table}`, `delete from ${table} where partition = $1`, [this.partition]);
    });
  }
}
