/**
 * Where a place in a room's log stands on its timeline: the entry before, and how many messages there were. The views know an
 * anchor; from there on the log is counted, so the answer is exact however far behind the views are.
 */
import type { Subjects } from '#contract';
import type { EventLog } from '#event-log';
import { isMessage } from './room-event.js';
import type { Anchor, FeedViews } from './views.js';

/** Of one read: many rooms are located side by side. */
const COUNT_ENTRIES_MAX = 1_000;
const COUNT_BYTES_MAX = 1024 * 1024;

export interface Place {
  /** The last entry of the timeline up to there, 0 for none. */
  readonly timelineSeq: number;
  readonly ordinal: number;
}

export class Places {
  constructor(
    private readonly log: EventLog,
    private readonly views: FeedViews,
    private readonly subjects: Subjects,
  ) {}

  /** @param known an anchor at or before `seq` that somebody has read already */
  async at(roomId: string, seq: number, known?: Anchor): Promise<Place> {
    if (seq === 0) return { timelineSeq: 0, ordinal: 0 };
    if (known?.seq === seq) return { timelineSeq: seq, ordinal: known.ordinal };
    const anchor = known !== undefined && known.seq < seq ? known : await this.views.anchor(roomId, seq);
    return this.countFrom(roomId, anchor ?? { seq: 0, ordinal: 0 }, seq);
  }

  private async countFrom(roomId: string, anchor: Anchor, upTo: number): Promise<Place> {
    const partition = this.subjects.partitionOfRoom(roomId);
    const subject = this.subjects.timeline(roomId);
    let { seq: timelineSeq, ordinal } = anchor;
    for (;;) {
      const range = { after: timelineSeq, upTo, max: COUNT_ENTRIES_MAX, maxBytes: COUNT_BYTES_MAX };
      const { entries, complete } = await this.log.readSubject(partition, subject, range);
      ordinal += entries.filter(isMessage).length;
      timelineSeq = entries[entries.length - 1]?.seq ?? timelineSeq;
      if (complete || entries.length === 0) return { timelineSeq, ordinal };
    }
  }
}
