const POLL_MS = 10;

/**
 * Repeats `condition` until it gives something truthy, and gives that back. Fails with `what` once `deadlineMs` have passed, and
 * without a word more when `over` is aborted: then somebody else has said why.
 */
export async function waitUntil<T>(
  what: string,
  deadlineMs: number,
  condition: () => T | Promise<T>,
  over?: AbortSignal,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    over?.throwIfAborted();
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
