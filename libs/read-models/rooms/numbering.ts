/**
 * Counts messages: an event's ordinal is the number of messages in its room up to it. The counters stand in `room_tails`;
 * whoever writes a partition is alone, so what it has read or counted stays true until a batch of its own fails.
 */
import type { Db } from '../database.js';
import type { Placed, Uncounted } from '../read-model.js';

/** Counters kept in memory; above it they are forgotten and read again. */
const ROOMS_MAX = 100_000;

export class Numbering {
  private readonly counts = new Map<string, number>();

  /** Counts on, from what `load` has read. Call `forget` when what came of it was not committed. */
  number(events: readonly Uncounted[]): Placed[] {
    return events.map((placed) => ({ ...placed, ordinal: this.ordinalOf(placed) }) as Placed);
  }

  forget(): void {
    this.counts.clear();
  }

  private ordinalOf(placed: Uncounted): number {
    const roomId = countedRoom(placed);
    if (roomId === undefined) return 0;
    const before = this.counts.get(roomId) ?? 0;
    if (placed.kind !== 'timeline') return before;
    this.counts.set(roomId, before + 1);
    return before + 1;
  }

  /** Reads the counters that these events need and that are not known. */
  async load(db: Db, events: readonly Uncounted[]): Promise<void> {
    if (this.counts.size > ROOMS_MAX) this.counts.clear();
    const wanted = new Set<string>();
    for (const placed of events) {
      const roomId = countedRoom(placed);
      if (roomId !== undefined && !this.counts.has(roomId)) wanted.add(roomId);
    }
    if (wanted.size === 0) return;
    const rows = await db.query<{ room_id: string; last_ordinal: number }>(
      'room-counts',
      'select room_id, last_ordinal from room_tails where room_id = any($1::text[])',
      [[...wanted]],
    );
    for (const roomId of wanted) this.counts.set(roomId, 0);
    for (const row of rows) this.counts.set(row.room_id, row.last_ordinal);
  }
}

function countedRoom({ kind, subject }: Uncounted): string | undefined {
  return (kind === 'timeline' || kind === 'member') && 'roomId' in subject ? subject.roomId : undefined;
}
