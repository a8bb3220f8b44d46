/**
 * Where the log ends now: a question to a partition's leader, which those who come in one tick ask together.
 *
 * A leader that was cut off from its followers answers as before until it notices, some ten seconds later; meanwhile the log goes on
 * without it. So an end before what is known to be in the log is no answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LogUnavailableError, type EventLog } from '#event-log';

/** How long a leader that is behind is asked again: whoever waits for it may do better elsewhere. */
const BEHIND_MS = 2_000;
const ASK_AGAIN_MS = 100;

export class LogEnds {
  private readonly asked = new Map<number, Promise<number>>();

  constructor(
    private readonly log: Pick<EventLog, 'lastSequence'>,
    /** Up to where a partition is known anyway. */
    private readonly mark: (partition: number) => number = () => 0,
  ) {}

  /**
   * A partition's last sequence as of now or later.
   * @param known what else is in the log for certain
   * @throws LogUnavailableError
   */
  async of(partition: number, known = 0): Promise<number> {
    const atLeast = Math.max(known, this.mark(partition));
    const giveUpAtMs = performance.now() + BEHIND_MS;
    for (;;) {
      const end = await this.ask(partition);
      if (end >= atLeast) return end;
      if (performance.now() >= giveUpAtMs)
        throw new LogUnavailableError(`partition ${partition}: its leader is behind: ${end}, but there is ${atLeast}`);
      await delay(ASK_AGAIN_MS);
    }
  }

  private ask(partition: number): Promise<number> {
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
