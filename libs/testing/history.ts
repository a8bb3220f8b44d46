/**
 * The history checker: given what every client did and saw, the log, and the read models, it says whether the platform kept
 * its promises. Pure functions over plain records: whoever breaks the platform records, and afterwards asks once.
 *
 * - An acknowledged send is in the log exactly once and where its acknowledgement says; one without an answer at most once; a
 *   refused one never. Nothing is in the log that nobody sent, and nothing stands ahead of what was acknowledged before it was sent.
 * - Every message stands after a valid membership of its sender, and no room ever holds more members than its limit.
 * - A client has every timeline entry of its periods of membership from its start to the log's end, in the log's order, and
 *   nothing else; a cursor never runs ahead of what it was sent; what was not recovered was read again.
 * - The read models are a fold of the log.
 */
import { checkFeed } from './history-feeds.js';
import { checkLog } from './history-log.js';
import type { History, Violation } from './history-records.js';
import { checkSends, SentTimes } from './history-sends.js';
import { checkStream } from './history-streams.js';
import { foldLog } from './history-truth.js';
import { checkViews } from './history-views.js';

export { describeHistory, describeViolations } from './history-print.js';
export { type Span } from './history-copies.js';
export * from './history-records.js';

/** Every promise that was broken; empty when all were kept. */
export function checkHistory(history: History): Violation[] {
  const { log, clients, copiesLost } = history;
  const truth = foldLog(log);
  const sent = new SentTimes(truth, clients);
  return [
    ...checkLog(log),
    ...checkSends(truth, clients),
    ...clients.flatMap((client) =>
      client.via === 'grpc' || client.via === 'plain'
        ? checkStream(truth, client, { sent, copiesLost })
        : checkFeed(truth, client, { sent, copiesLost }),
    ),
    ...checkViews(truth, history),
  ];
}
