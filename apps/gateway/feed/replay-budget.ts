/** What a replay may carry, in events and in bytes. It is counted while it is read, so that nobody reads what nobody will be sent. */
import { LIMITS } from '#contract';

/** What may still be read; `take` throws when it is too much. */
export interface Budget {
  /** @param textBytes of the texts in them, at least */
  take(events: number, textBytes: number): void;
}

export interface ReplayBudget extends Budget {
  /** Of the replay as it is sent. */
  takeBytes(bytes: number): void;
}

/** More happened since the cursor than a replay carries. */
export class TooMuchError extends Error {
  override readonly name = 'TooMuchError';
}

export function replayBudget(): ReplayBudget {
  let events = 0;
  let textBytes = 0;
  let bytes = 0;
  return {
    take(count, texts) {
      events += count;
      textBytes += texts;
      if (events > LIMITS.replayEvents || textBytes > LIMITS.replayBytes) throw new TooMuchError();
    },
    takeBytes(count) {
      if ((bytes += count) > LIMITS.replayBytes) throw new TooMuchError();
    },
  };
}
