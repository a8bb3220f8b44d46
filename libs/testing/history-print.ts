/** Violations, and histories cut down to what shows them, as somebody reads them. */
import type { ServerFrame } from '#contract';
import type { StoredEntry } from '#event-log';
import type { ClientHistory, ClientStep, History, SendRecord, Violation } from './history-records.js';

const VIOLATIONS_SHOWN = 20;
/** Of a part of a history: lines from its beginning, and as many from its end. */
const LINES_SHOWN = 40;

/** For the message of a failed test: one violation a paragraph, its evidence below. */
export function describeViolations(violations: readonly Violation[]): string {
  const shown = violations.slice(0, VIOLATIONS_SHOWN).map(({ kind, what, evidence }) => {
    return [`${kind}: ${what}`, ...evidence.map((item) => `    ${JSON.stringify(item)}`)].join('\n');
  });
  const left = violations.length - shown.length;
  return [...shown, ...(left > 0 ? [`... and ${left} more`] : [])].join('\n');
}

/** The whole of a short history: the log, each client's doings in their order, what the read models answered. */
export function describeHistory({ log, clients, rooms, inboxes, users = [], keys = [] }: History): string {
  const start = Math.min(...clients.flatMap(timesOf));
  return [
    'the log:',
    ...indented(log.map(entryLine)),
    ...clients.flatMap((client) => [
      `${client.client} (${client.user}, ${client.via ?? 'socket'}${client.complete ? '' : ', gone before the end'}):`,
      ...indented(linesOf(client, start)),
    ]),
    ...answers('rooms', rooms),
    ...answers('inboxes', inboxes),
    ...answers('users', users),
    ...answers('keys', keys),
  ].join('\n');
}

function indented(lines: readonly string[]): string[] {
  const left = lines.length - 2 * LINES_SHOWN;
  const shown = left > 0 ? [...lines.slice(0, LINES_SHOWN), `... ${left} more`, ...lines.slice(-LINES_SHOWN)] : lines;
  return shown.map((line) => `  ${line}`);
}

const answers = (what: string, items: readonly unknown[]): string[] =>
  items.length === 0 ? [] : [`${what} as answered:`, ...indented(items.map((item) => JSON.stringify(item)))];

function entryLine({ partition, seq, subject, decoded }: StoredEntry): string {
  const place = `${partition}-${seq}  ${subject.split('.').slice(3).join(' ')}`;
  if (decoded.kind !== 'event') return `${place}  ${decoded.kind}`;
  const { type, actor, data } = decoded.event;
  return `${place}  ${type} by ${actor} ${JSON.stringify('member' in data ? data.member : data)}`;
}

const timesOf = ({ steps, sends }: ClientHistory): number[] => [
  ...steps.map(({ at }) => at),
  ...sends.map(({ sentAt }) => sentAt),
];

/** What was sent and what was received, by time. */
function linesOf({ steps, sends, moves = [] }: ClientHistory, start: number): string[] {
  const lines = [
    ...steps.map((step) => ({ at: step.at, text: stepText(step) })),
    ...sends.map((send) => ({ at: send.sentAt, text: sendText(send, start) })),
    ...moves.map(({ what, room, position, sentAt }) => ({ at: sentAt, text: `${what} ${room} -> ${position}` })),
  ];
  return lines.sort((a, b) => a.at - b.at).map(({ at, text }) => `${seconds(at, start)}  ${text}`);
}

const seconds = (at: number, start: number): string => `+${((at - start) / 1_000).toFixed(3)} s`;

function sendText({ room, key, content, outcome, answeredAt }: SendRecord, start: number): string {
  const { kind, ...rest } = outcome;
  const when = answeredAt === undefined ? '' : ` at ${seconds(answeredAt, start)}`;
  const details = Object.values(rest).join(' ');
  return `send ${JSON.stringify(content)} to ${room} with key ${key} -> ${kind}${details === '' ? '' : ` ${details}`}${when}`;
}

function stepText(step: ClientStep): string {
  if (step.kind === 'frame') return frameText(step.frame);
  const said = Object.entries(step).filter(([name]) => name !== 'kind' && name !== 'at');
  return `${step.kind} ${JSON.stringify(Object.fromEntries(said))}`;
}

function frameText(frame: ServerFrame): string {
  if (frame.op === 'skip') return `skip ${frame.room} ${frame.seq} after ${frame.prev}`;
  if (frame.op === 'welcome') {
    const rooms = frame.rooms.map(({ room, seq }) => `${room} from ${seq}`).join(', ');
    return `welcome ${frame.recovered ? 'recovered' : 'not recovered'}, cursor ${frame.cursor}, ${rooms || 'no rooms'}`;
  }
  if (frame.op !== 'event') return JSON.stringify(frame);
  const after = frame.prev === undefined ? '' : ` after ${frame.prev}`;
  return `${frame.type} ${frame.room} ${frame.seq}${after} by ${frame.actor} ${JSON.stringify(frame.data)}`;
}
