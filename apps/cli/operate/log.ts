/** `parley log`: the log as it stands, live or as a file, and whether it keeps its promises. */
import { formatPosition, LIMITS, Subjects } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import {
  EXIT,
  type Invocation,
  type OperatorCommand,
  parsedArgs,
  positionals,
  UsageError,
  wholeNumber,
} from './command.js';
import { withLog } from './servers.js';
import { entriesOf, verifyLog } from './verify.js';
import type { Violation } from './verify-rules.js';

const LAST_SHOWN = 10;
const LAST_MAX = 100_000;

export const log: OperatorCommand = {
  usage: `parley log tail [--room <room>] [--last <n>] [--once]    entries as they are stored, from the last ${LAST_SHOWN}
parley log export [--partition <n>] [--after <seq>]     all entries as JSON lines, oldest first
parley log verify [--partition <n>]                     check every entry: order, memberships, seats, chains

  --room <room>      only this room's (its id)
  --last <n>         so many old entries first
  --once             end when what stands there now has been shown
  --partition <n>    only this partition
  --after <seq>      export what comes after this sequence
  --json             one JSON object a line (export always does)

verify reads the whole log and prints each violation with its position. A repeat of a keyed message is found within the last
million messages of a partition. Exit codes: 0 nothing is wrong; 1 a violation, or it failed; 2 wrong usage.`,
  run(invocation) {
    const [action, ...args] = invocation.args;
    const rest = { ...invocation, args };
    if (action === 'tail') return tail(rest);
    if (action === 'export') return exportLog(rest);
    if (action === 'verify') return verify(rest);
    throw new UsageError('takes tail, export or verify');
  },
};

// --- tail

function tail({ args, report, config, stop }: Invocation): Promise<number> {
  const { values, positionals: rest } = parsedArgs(args, {
    room: { type: 'string' },
    last: { type: 'string' },
    once: { type: 'boolean' },
  });
  positionals(rest, []);
  const last = wholeNumber('--last', values.last, { min: 0, max: LAST_MAX }) ?? LAST_SHOWN;
  const { room } = values;
  if (room !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(room))
    throw new UsageError(`--room ${room}: takes a room's id`);
  const show = async (entry: StoredEntry): Promise<void> => {
    report.line(lineOf(entry));
    await report.item(recordOf(entry));
  };
  return withLog(config(), async (found) => {
    const only = room === undefined ? undefined : new Subjects(found.partitions).room(room);
    const all = Array.from({ length: found.partitions }, (_, partition) => partition);
    const partitions = room === undefined ? all : [new Subjects(found.partitions).partitionOfRoom(room)];
    const ends = await Promise.all(
      partitions.map(async (partition) => ({ partition, upTo: await found.lastSequence(partition) })),
    );
    const old = await Promise.all(ends.map((end) => lastEntries(found, end, last, only)));
    const shown = old.flat().sort((a, b) => a.at - b.at || a.seq - b.seq);
    for (const entry of shown.slice(Math.max(0, shown.length - last))) await show(entry);
    if (values.once === true) return EXIT.ok;
    const prefix = only?.slice(0, -1) ?? '';
    await Promise.all(
      ends.map(({ partition, upTo }) =>
        found.follow({ partition, after: upTo, signal: stop }, async (entries) => {
          for (const entry of entries) if (entry.subject.startsWith(prefix)) await show(entry);
        }),
      ),
    );
    return EXIT.ok;
  });
}

/** The last entries that match, found by looking back in steps that double: what is rare stands far back. */
async function lastEntries(
  found: EventLog,
  { partition, upTo }: { readonly partition: number; readonly upTo: number },
  count: number,
  subject: string | undefined,
): Promise<StoredEntry[]> {
  if (count === 0) return [];
  for (let back = Math.max(count, 100); ; back *= 4) {
    const entries: StoredEntry[] = [];
    const after = Math.max(0, upTo - back);
    for await (const batch of entriesOf(found, partition, { after, upTo }, subject)) {
      entries.push(...batch);
      if (entries.length > count) entries.splice(0, entries.length - count);
    }
    if (entries.length >= count || after === 0) return entries;
  }
}

// --- export

function exportLog({ args, report, config, stop, streams }: Invocation): Promise<number> {
  const { values, positionals: rest } = parsedArgs(args, {
    partition: { type: 'string' },
    after: { type: 'string' },
  });
  positionals(rest, []);
  const after = wholeNumber('--after', values.after, { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  return withLog(config(), async (found) => {
    for (const partition of partitionsOf(found, values.partition)) {
      const upTo = await found.lastSequence(partition);
      for await (const batch of entriesOf(found, partition, { after, upTo })) {
        if (stop.aborted) return EXIT.failed;
        const text = batch.map((entry) => `${JSON.stringify(recordOf(entry))}\n`).join('');
        if (!streams.stdout.write(text)) await new Promise<void>((resolve) => streams.stdout.once('drain', resolve));
        if (streams.stderr.isTTY === true) report.progress(`partition ${partition}: ${batch.at(-1)?.seq} of ${upTo}`);
      }
    }
    return EXIT.ok;
  });
}

// --- verify

function verify({ args, report, config, stop }: Invocation): Promise<number> {
  const { values, positionals: rest } = parsedArgs(args, { partition: { type: 'string' } });
  positionals(rest, []);
  return withLog(config(), async (log) => {
    const partitions = partitionsOf(log, values.partition);
    let violations = 0;
    const items: Promise<void>[] = [];
    const found = ({ position, kind, what }: Violation): void => {
      violations++;
      report.line(`${position} ${kind}: ${what}`);
      items.push(report.item({ position, kind, what }));
    };
    const { entries, unknown } = await verifyLog(log, { partitions, found, stop, progress: report.progress });
    await Promise.all(items);
    const newer = unknown > 0 ? `, ${unknown} of a newer version` : '';
    report.line(`${partitions.length} partitions, ${entries} entries${newer}, ${violations} violations`);
    await report.item({ partitions: partitions.length, entries, unknown, violations });
    return violations === 0 ? EXIT.ok : EXIT.failed;
  });
}

function partitionsOf({ partitions }: EventLog, given: string | undefined): number[] {
  const one = wholeNumber('--partition', given, { min: 0, max: LIMITS.partitions - 1 });
  if (one === undefined) return Array.from({ length: partitions }, (_, partition) => partition);
  if (one >= partitions) throw new UsageError(`--partition ${one}: the log has ${partitions}, from 0`);
  return [one];
}

// --- entries

function recordOf(entry: StoredEntry): object {
  const { partition, seq, subject, at, decoded } = entry;
  const place = { partition, seq, subject, at: new Date(at).toISOString() };
  switch (decoded.kind) {
    case 'event':
      return { ...place, event: decoded.event };
    case 'unknown':
      return { ...place, unknown: decoded.type };
    case 'unreadable':
      return { ...place, unreadable: decoded.reason };
  }
}

function lineOf(entry: StoredEntry): string {
  const { at, subject, decoded } = entry;
  const place = `${formatPosition(entry)} ${new Date(at).toISOString()} ${subject.split('.').slice(2).join('.')}`;
  if (decoded.kind !== 'event') return `${place} ${decoded.kind}`;
  const { type, actor, data } = decoded.event;
  const what = type === 'MessageSent' ? JSON.stringify(decoded.event.data.content) : JSON.stringify(data);
  return `${place} ${type} by ${actor} ${what}`;
}
