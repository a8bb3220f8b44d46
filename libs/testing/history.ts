/**
 * The history checker: given what every client did and saw, the log, and the read models, it says whether the platform kept
 * its promises. Pure functions over plain records: whoever breaks the platform records, and afterwards asks once.
 *
 * - An acknowledged send is in the log exactly once and where its acknowledgement says; one without an answer at most once; a
 *   refused one never. Nothing is in the log that nobody sent.
 * - Every message stands after a valid membership of its sender, and no room holds more members than its limit.
 * - A client has every timeline entry of its periods of membership from its start to the log's end, in the log's order, and
 *   nothing else; a cursor never runs ahead of what it was sent.
 * - The read models are a fold of the log.
 */
import { checkFeed } from './history-feeds.js';
import { checkLog, foldLog } from './history-log.js';
import type { History, Violation } from './history-records.js';
import { checkSends } from './history-sends.js';
import { checkInbox, checkRoomView } from './history-views.js';

export * from './history-records.js';

/** Every promise that was broken; empty when all were kept. */
export function checkHistory(history: History): Violation[] {
  const truth = foldLog(history.log);
  return [
    ...checkLog(history.log),
    ...checkSends(truth, history.clients),
    ...history.clients.flatMap((client) => checkFeed(truth, client, history.copiesWereLost)),
    ...history.rooms.flatMap((view) => checkRoomView(truth, view)),
    ...history.inboxes.flatMap((inbox) => checkInbox(truth, inbox)),
  ];
}

const VIOLATIONS_SHOWN = 20;

/** For the message of a failed test: one violation a paragraph, its evidence below. */
export function describeViolations(violations: readonly Violation[]): string {
  const shown = violations.slice(0, VIOLATIONS_SHOWN).map(({ kind, what, evidence }) => {
    return [`${kind}: ${what}`, ...evidence.map((item) => `    ${JSON.stringify(item)}`)].join('\n');
  });
  const left = violations.length - shown.length;
  return [...shown, ...(left > 0 ? [`... and ${left} more`] : [])].join('\n');
}
