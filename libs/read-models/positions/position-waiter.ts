/**
 * Lets a query wait until the views include what its caller has seen. At rest that is known without asking: `projection`
 * tells after each commit how far a partition has come. Only while somebody waits is the checkpoint looked up as well, for
 * notices are core NATS and may be lost. What is known is forgotten when a connection is made or lost: a server that crashed may
 * have gone back a little.
 *
 * States: *known* (a notice or a look-up gave the partition's checkpoint), *waiting* (somebody wants more than that: look-ups
 * run), *idle* (nobody waits: no timer, no query).
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { type Cursor, DomainError, LIMITS, type Position, TRANSIENT } from '#contract';
import type { Database } from '../database.js';
import { checkpointOf } from './checkpoints.js';

const LOOK_UP_EVERY_MS = 100;
/** Queries that wait for the views; above it they are refused for now. */
export const POSITIONS_WAITING_MAX = 10_000;

interface Known {
  readonly epoch: string;
  readonly seq: number;
}

interface Waiting {
  readonly target: Position;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class PositionWaiter {
  private readonly known = new Map<number, Known>();
  private readonly waiting = new Set<Waiting>();
  private readonly notices: Subscription;
  private timer: NodeJS.Timeout | undefined;
  private sessions = 0;

  constructor(
    private readonly db: Pick<Database, 'query' | 'sessions'>,
    nats: NatsConnection,
  ) {
    this.notices = nats.subscribe(TRANSIENT.viewsAll, {
      callback: (error, message) => {
        if (error === null) this.onNotice(message.json<Known & { partition: number }>());
      },
    });
  }

  /**
   * Resolves when the views include the position, or everything up to the cursor.
   * @throws DomainError `behind` after `withinMs`, and at once when too many wait; `invalid_cursor` for a cursor of another epoch
   */
  async waitFor(target: Position | Cursor, withinMs: number = LIMITS.positionWaitMs): Promise<void> {
    const positions = 'seqs' in target ? await this.positionsOf(target) : [target];
    const missing = positions.filter((position) => !this.includes(position));
    if (missing.length === 0) return;
    if (this.waiting.size >= POSITIONS_WAITING_MAX) throw new DomainError('behind', 'too many wait for the views');
    const limit = AbortSignal.timeout(withinMs);
    await Promise.all(missing.map((position) => this.wait(position, limit)));
  }

  /** Whether the views are known to include it; asks nobody. */
  includes({ partition, seq }: Position): boolean {
    return seq === 0 || (this.knownOf(partition)?.seq ?? -1) >= seq;
  }

  /** How far the views of a partition are known to have come; undefined before the first notice. Never too far, perhaps not far enough. */
  reached(partition: number): number | undefined {
    return this.knownOf(partition)?.seq;
  }

  close(): void {
    this.notices.unsubscribe();
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const { reject } of this.waiting) reject(new DomainError('unavailable'));
    this.waiting.clear();
  }

  private knownOf(partition: number): Known | undefined {
    if (this.sessions !== this.db.sessions) this.known.clear();
    this.sessions = this.db.sessions;
    return this.known.get(partition);
  }

  private async positionsOf({ epoch, seqs }: Cursor): Promise<Position[]> {
    const positions = seqs.map((seq, partition) => ({ partition, seq })).filter(({ seq }) => seq > 0);
    for (const { partition } of positions) {
      if (this.knownOf(partition) === undefined) await this.lookUp(partition);
      const known = this.knownOf(partition);
      if (known !== undefined && known.epoch !== epoch)
        throw new DomainError('invalid_cursor', 'the cursor is of another epoch of the log');
    }
    return positions;
  }

  private async wait(target: Position, limit: AbortSignal): Promise<void> {
    const entry: { waiting?: Waiting } = {};
    const timedOut = (): void => entry.waiting?.reject(new DomainError('behind'));
    try {
      await new Promise<void>((resolve, reject) => {
        entry.waiting = { target, resolve, reject };
        this.waiting.add(entry.waiting);
        limit.addEventListener('abort', timedOut);
        // The first look-up at once: a process that has just started knows nothing yet.
        if (this.knownOf(target.partition) === undefined) this.lookUpForAll();
        else this.lookUpLater();
      });
    } finally {
      limit.removeEventListener('abort', timedOut);
      if (entry.waiting !== undefined) this.waiting.delete(entry.waiting);
    }
  }

  private lookUpLater(): void {
    if (this.waiting.size === 0 || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.lookUpForAll();
    }, LOOK_UP_EVERY_MS);
  }

  private lookUpForAll(): void {
    const partitions = new Set([...this.waiting].map(({ target }) => target.partition));
    Promise.all([...partitions].map((partition) => this.lookUp(partition))).then(
      () => this.lookUpLater(),
      (error: unknown) => {
        for (const { reject } of this.waiting) reject(error);
      },
    );
  }

  private async lookUp(partition: number): Promise<void> {
    const checkpoint = await checkpointOf(this.db, partition);
    if (checkpoint !== undefined) this.onNotice({ partition, ...checkpoint });
  }

  /** A look-up may be older than a notice that overtook it; only another epoch takes a checkpoint back. */
  private onNotice({ partition, epoch, seq }: Known & { readonly partition: number }): void {
    const before = this.knownOf(partition);
    if (before?.epoch === epoch && before.seq >= seq) return;
    this.known.set(partition, { epoch, seq });
    for (const { target, resolve } of this.waiting) if (target.partition === partition && target.seq <= seq) resolve();
  }
}
