/** Violations, and histories cut down to what shows them, as somebody reads them. */
import type { Violation } from './history-records.js';

const VIOLATIONS_SHOWN = 20;

/** For the message of a failed test: one violation a paragraph, its evidence below. */
export function describeViolations(violations: readonly Violation[]): string {
  const shown = violations.slice(0, VIOLATIONS_SHOWN).map(({ kind, what, evidence }) => {
    return [`${kind}: ${what}`, ...evidence.map((item) => `    ${JSON.stringify(item)}`)].join('\n');
  });
  const left = violations.length - shown.length;
  return [...shown, ...(left > 0 ? [`... and ${left} more`] : [])].join('\n');
}
