/** Where the log ends now: a question to a partition's leader, which those who come in one tick ask together. */
import type { EventLog } from '#event-log';

export class LogEnds {
  private readonly asked = new Map<number, Promise<number>>();

  constructor(private readonly log: Pick<EventLog, 'lastSequence'>) {}

  /** A partition's last sequence as of now or later. */
  of(partition: number): Promise<number> {
    const asked = this.asked.get(partition);
    if (asked !== undefined) return asked;
    const end = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.asked.delete(partition);
      return this.log.lastSequence(partition);
    });
    this.asked.set(partition, end);
    return end;
  }
}
