import { setTimeout as delay } from 'node:timers/promises';

/** Waits, but not longer than until `signal` aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  // The only way for it to reject is the abort, which is what it is to end at.
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
