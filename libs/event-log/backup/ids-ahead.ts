/**
 * Where a restored partition goes on. What was acknowledged after the backup is lost, but people hold its message ids, positions and
 * read marks. If the next entry got the next sequence, all of these would name something else. So a restored partition goes on
 * beyond any sequence that can have been given out: docs/adr/0017.
 */

/** More than one stream can take: 36,000/s was the most that was measured. */
const ENTRIES_PER_SECOND_MAX = 100_000;
/** For clocks that differ, and for what was written while the backup ran. */
const GAP_MIN = 1_000_000;
/** A position has at most 13 digits, and a message id must stay a safe integer with the partition in it. */
export const SEQUENCE_MAX = 2 ** 43 - 1;

/**
 * @param lastSeq the partition's last sequence as the backup knows it
 * @param takenAt when the backup of it was begun, ms since 1970
 * @throws RangeError in one line when a clock is wrong, or the sequences are used up
 */
export function sequenceAfterRestore(lastSeq: number, takenAt: number, now: number): number {
  const ageSeconds = Math.ceil((now - takenAt) / 1_000);
  if (!(ageSeconds >= -CLOCKS_DIFFER_SECONDS))
    throw new RangeError(
      `the backup was taken at ${new Date(takenAt).toISOString()}, which by this machine's clock is still to come: set the clock`,
    );
  const next = lastSeq + GAP_MIN + Math.max(0, ageSeconds) * ENTRIES_PER_SECOND_MAX;
  if (next >= SEQUENCE_MAX)
    throw new RangeError(`no sequences are left beyond ${lastSeq}: restores of very old backups have used them up`);
  return next;
}

/** `GAP_MIN` is worth ten of them. */
const CLOCKS_DIFFER_SECONDS = 5;
