/** Whatever is lost, refused or away, in whatever order: what an append says of itself is so. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ContractRoom, contents, timelineOf } from './contract-room.js';
import { AppendUnknownError, FenceMovedError, LogUnavailableError, type Fence } from './log.js';
import { MemoryLog, type CheckOrder } from './memory.js';

const FAULTS = ['none', 'lose-ack', 'lose-append', 'in-flight', 'away'] as const;
type Fault = (typeof FAULTS)[number];

type Step =
  | {
      readonly kind: 'send' | 'send-keyed' | 'send-batch' | 'repeat';
      readonly faults: readonly Fault[];
      readonly gone: boolean;
    }
  | { readonly kind: 'rejoin' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('send' as const, 'send-keyed' as const, 'send-batch' as const, 'repeat' as const),
      faults: fc.array(fc.constantFrom(...FAULTS), { maxLength: 5 }),
      // The sender leaves after the first try, by another process.
      gone: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'rejoin' as const }) },
);

/** A broker on which the next tries meet these faults, and on which somebody leaves after the first of them. */
class Trouble {
  faults: Fault[] = [];
  meanwhile: (() => void) | undefined;
  #now: Fault = 'none';

  readonly planted = {
    // Asked first for every try, so here the next fault is drawn.
    unavailable: (): boolean => {
      this.#now = this.faults.shift() ?? 'none';
      return this.#now === 'away';
    },
    inFlight: (): boolean => this.#now === 'in-flight',
    loseAppend: (): boolean => this.#now === 'lose-append' && this.#happens(),
    loseAck: (): boolean => this.#now === 'lose-ack' && this.#happens(),
  };

  #happens(): true {
    const { meanwhile } = this;
    this.meanwhile = undefined;
    // After this try and before the next one.
    if (meanwhile) queueMicrotask(meanwhile);
    return true;
  }
}

type End = 'stored' | 'not stored' | 'unknown';

async function endOf(append: Promise<{ readonly seq: number }>): Promise<{ readonly end: End; readonly seq?: number }> {
  try {
    return { end: 'stored', seq: (await append).seq };
  } catch (error) {
    if (error instanceof AppendUnknownError) return { end: 'unknown' };
    if (error instanceof FenceMovedError || error instanceof LogUnavailableError) return { end: 'not stored' };
    throw error;
  }
}

async function run(order: CheckOrder, steps: readonly Step[]): Promise<void> {
  const trouble = new Trouble();
  const log = new MemoryLog({ order, faults: trouble.planted });
  const room = new ContractRoom(log.partitions);
  let fence: Fence = await room.join(log, 'ann');
  const claims = new Map<string, { end: End; seq?: number }>();
  const keyed: { readonly text: string; readonly fence: Fence }[] = [];
  for (const [i, now] of steps.entries()) {
    if (now.kind === 'rejoin') {
      fence = await room.join(log, 'ann');
      continue;
    }
    trouble.faults = [...now.faults];
    trouble.meanwhile = now.gone ? () => void room.leave(log, 'ann') : undefined;
    const repeated = now.kind === 'repeat' ? keyed[keyed.length - 1] : undefined;
    const text = repeated?.text ?? `${i}`;
    const send = room.says('ann', text, repeated?.fence ?? fence, text);
    if (now.kind === 'send-keyed') keyed.push({ text, fence });
    const messageId = now.kind === 'send-keyed' || repeated ? { messageId: `key-${text}` } : {};
    const own = { subject: room.roster, seq: (await log.last(room.roster))?.seq ?? 0 };
    const [rosterChanged] = room.joining('ann', own.seq, 1);
    const claim = await endOf(
      now.kind === 'send-batch' ? log.appendBatch([rosterChanged!, send]) : log.append(send, messageId),
    );
    trouble.faults = [];
    const before = claims.get(text);
    // A repeat cannot unsay what was said; and a first "not stored" or "unknown" may be followed by "stored".
    if (before?.end === 'stored' && claim.end === 'stored') expect(claim.seq).toBe(before.seq);
    if (before?.end !== 'stored') claims.set(text, claim);
  }
  const timeline = await timelineOf(log, room);
  const said = contents(timeline);
  for (const [text, { end, seq }] of claims) {
    const places = timeline.filter((_, i) => said[i] === text).map((entry) => entry.seq);
    if (end === 'stored') expect([text, places]).toEqual([text, [seq]]);
    if (end === 'not stored') expect([text, places]).toEqual([text, []]);
    expect(places.length).toBeLessThanOrEqual(1);
  }
}

describe.each<CheckOrder>(['fence-first', 'id-first'])('appends among faults (%s)', (order) => {
  test('stored means once and there, not stored means nowhere, unknown means at most once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) => run(order, steps)),
      { numRuns: 400 },
    );
  });
});
