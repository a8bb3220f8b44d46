/** What `parley log verify` reads of a log that is damaged, or somebody else's: it ends, and names what is wrong with its place. */
import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeEvent, parsePosition, restoredSubject, Subjects } from '#contract';
import type { StoredEntry } from '#event-log';
import { fixtureEntries } from '#testing';
import { reportTo } from './command.js';
import { verifyLog, type WalkedLog } from './verify.js';
import type { Violation } from './verify-rules.js';
import { event } from '../../../test/fuzz/attacks.js';
import { anything, bytesNear, textNear, written } from '../../../test/fuzz/values.js';

const PARTITIONS = 2;
const ENTRIES_MAX = 12;
/** One line that does nothing to a terminal. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+\n$/u;

const rightful = [...fixtureEntries().values()].flat().map(({ data }) => Buffer.from(data));
const payload = bytesNear(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...rightful) },
    { weight: 3, arbitrary: event.map((value) => Buffer.from(written(value))) },
    { weight: 1, arbitrary: anything.map((value) => Buffer.from(written(value))) },
  ),
);
const subjects = new Subjects(PARTITIONS);
const rooms = ['tea', 'den', 'hall', 'attic'].flatMap((room) => [
  subjects.config(room),
  subjects.roster(room),
  subjects.member(room, 'ann'),
  subjects.timeline(room),
]);
const rightSubjects = [...rooms, subjects.status('ann')].filter((each) => each.startsWith('chat.0.'));
const subject = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...rightSubjects) },
  { weight: 1, arbitrary: textNear(fc.constantFrom(...rightSubjects)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
);
const step = (right: number, wrong: readonly number[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: fc.constantFrom(...wrong) });
interface Stored {
  readonly subject: string;
  readonly payload: Buffer;
  readonly seqStep: number;
  readonly atStep: number;
  readonly isInIndex: boolean;
}
const stored: fc.Arbitrary<Stored> = fc.record({
  subject,
  payload,
  seqStep: step(1, [0, -1, 5]),
  atStep: step(1, [0, -1, Number.NaN]),
  isInIndex: step(1, [0]).map(Boolean),
});

/** A log as a broker with a broken store would give it: of one partition, in any order, with an index that lacks something. */
function damaged(all: readonly Stored[]): { readonly log: WalkedLog; readonly entries: readonly StoredEntry[] } {
  const entries: StoredEntry[] = [];
  let [seq, at] = [0, 1_790_000_000_000];
  for (const { seqStep, atStep, subject: on, payload: bytes } of all) {
    seq = Math.max(1, seq + seqStep);
    at += atStep || 0;
    const decoded = decodeEvent(bytes.toString('utf8'));
    entries.push({ partition: 0, seq, subject: on, prev: 0, at: Number.isNaN(atStep) ? atStep : at, decoded });
  }
  const log: WalkedLog = {
    partitions: PARTITIONS,
    lastSequence: (partition) => Promise.resolve(partition === 0 ? seq : 0),
    readSubject: () => Promise.resolve({ entries, complete: true }),
    lastOf: (_, asked) =>
      Promise.resolve(entries.filter((entry, i) => asked.includes(entry.subject) && all[i]?.isInIndex === true)),
  };
  return { log, entries };
}

/** As an operator's terminal gets it. */
function shown(text: string): string {
  const stdout = new PassThrough();
  const streams = { env: {}, stdin: new PassThrough(), stdout, stderr: new PassThrough() };
  reportTo(streams, false).line(text);
  return String(stdout.read());
}

/** Kinds that an entry by itself shows, whatever stands before it. */
function plainlyWrong({ subject: on, decoded }: StoredEntry): Violation['kind'] | undefined {
  if (on === restoredSubject(0)) return undefined;
  if (!rightSubjects.includes(on)) return 'misplaced';
  return decoded.kind === 'unreadable' ? 'unreadable' : undefined;
}

test('whatever it holds, the walk ends, counts every entry, and each violation is a line with a place', async () => {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(stored, { minLength: 1, maxLength: ENTRIES_MAX }), async (all) => {
      const { log, entries } = damaged(all);
      const violations: Violation[] = [];
      const verified = await verifyLog(log, {
        partitions: [0],
        found: (violation) => violations.push(violation),
        progress: () => undefined,
        stop: new AbortController().signal,
      });
      expect(verified.entries).toBe(entries.length);
      const places = new Set(entries.map((entry) => entry.seq));
      for (const { position, what } of violations) {
        expect(places).toContain(parsePosition(position)?.seq);
        expect(shown(`${position} ${what}`)).toMatch(PRINTABLE);
      }
      const found = new Set(violations.map(({ kind, position }) => `${kind} ${position}`));
      entries.forEach((entry, i) => {
        const kind = plainlyWrong(entry);
        if (kind) expect(found).toContain(`${kind} 0-${entry.seq}`);
        const before = entries[i - 1];
        const falls = entry.seq <= (before?.seq ?? 0) || entry.at < (before?.at ?? 0);
        if (falls || Number.isNaN(entry.at)) expect(found).toContain(`out-of-order 0-${entry.seq}`);
      });
      seen += violations.length;
    }),
    { numRuns: 600 },
  );
  expect(seen).toBeGreaterThan(600);
});
