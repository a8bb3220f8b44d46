import { describe, expect, test } from '@jest/globals';
import { LIVE, streamSubjects } from '#contract';
import { ContractRoom, contents, listening, timelineOf, until } from './contract-room.js';
import type { LogUnderTest } from './log-contract.js';
import type { EventLog, FollowOptions, StoredEntry, TailsNotice } from './log.js';

export function deliveryContract(current: () => LogUnderTest): void {
  const room = (): ContractRoom => new ContractRoom(current().log.partitions);

  async function say(log: EventLog, at: ContractRoom, count: number): Promise<number[]> {
    const seqs: number[] = [];
    for (let i = 0; i < count; i++) seqs.push((await log.append(at.says('ann', `${i}`))).seq);
    return seqs;
  }

  /** Follows into an array until told to stop. */
  function following(log: EventLog, options: Omit<FollowOptions, 'signal'>) {
    const abort = new AbortController();
    const entries: StoredEntry[] = [];
    const batches: number[] = [];
    const done = log.follow({ ...options, signal: abort.signal }, async (batch, last) => {
      entries.push(...batch);
      batches.push(batch.length);
      expect(last).toBeGreaterThanOrEqual(batch[batch.length - 1]!.seq);
    });
    const stop = (): Promise<void> => (abort.abort(), done);
    return {
      entries,
      batches,
      done,
      stop,
      reached: (seq: number) => until(`followed to ${seq}`, () => entries.at(-1)?.seq === seq),
    };
  }

  describe('following', () => {
    test('gives every entry once, in order, from any place', async () => {
      const { log, second } = current();
      const at = room();
      const seqs = await say(log, at, 10);
      const all = following(second, { partition: at.partition, after: 0 });
      const some = following(log, { partition: at.partition, after: seqs[4]! });
      const more = await say(second, at, 10);
      await Promise.all([all.reached(more[9]!), some.reached(more[9]!)]);
      const range = { after: 0, upTo: more[9]!, max: 1_000_000 };
      const { entries } = await log.readSubject(at.partition, streamSubjects(at.partition), range);
      expect(all.entries.map(({ seq }) => seq)).toEqual(entries.map(({ seq }) => seq));
      expect(some.entries.map(({ seq }) => seq)).toEqual(
        all.entries.map(({ seq }) => seq).filter((seq) => seq > seqs[4]!),
      );
      await Promise.all([all.stop(), some.stop()]);
    });

    test('waits for its handler, and hands over at most what is asked for', async () => {
      const { log } = current();
      const at = room();
      const start = await log.lastSequence(at.partition);
      const seqs = await say(log, at, 10);
      const abort = new AbortController();
      const sizes: number[] = [];
      let inside = 0;
      await log.follow({ partition: at.partition, after: start, batchMax: 3, signal: abort.signal }, async (batch) => {
        expect(++inside).toBe(1);
        sizes.push(batch.length);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        if (batch[batch.length - 1]!.seq === seqs[9]) abort.abort();
      });
      expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(10);
    });

    test('passes over what was erased, and over nothing else', async () => {
      const { log, second, erase } = current();
      const at = room();
      const start = await log.lastSequence(at.partition);
      const seqs = await say(log, at, 12);
      const erased = [0, 3, 4, 5, 9, 11].map((i) => seqs[i]!);
      for (const seq of erased) await erase(at.partition, seq);
      const all = following(second, { partition: at.partition, after: start, batchMax: 4 });
      const [more] = await say(log, at, 1);
      await all.reached(more!);
      expect(all.entries.map(({ seq }) => seq)).toEqual([...seqs, more].filter((seq) => !erased.includes(seq!)));
      await all.stop();
    });

    test('ends with what its handler threw', async () => {
      const { log } = current();
      const at = room();
      const [seq] = await say(log, at, 1);
      const abort = new AbortController();
      const followed = log.follow({ partition: at.partition, after: seq! - 1, signal: abort.signal }, async () => {
        throw new Error('the view is away');
      });
      await expect(followed).rejects.toThrow('the view is away');
    });

    test('ends at once when told to, at rest and before it began', async () => {
      const { log } = current();
      const at = room();
      const resting = following(log, { partition: at.partition, after: await log.lastSequence(at.partition) });
      await resting.stop();
      const never = following(log, { partition: at.partition, after: 0 });
      await never.stop();
    });
  });

  describe('live', () => {
    test('gives stored entries with the sequence before each on its subject', async () => {
      const { log, second } = current();
      const at = room();
      const begin = () => log.append(at.says('ann', 'begin'));
      const { seen, subscription } = await listening(second, LIVE.room(at.roomId), begin);
      const before = (await log.last(at.timeline))?.seq;
      const [first, then] = await say(log, at, 2);
      await at.join(log, 'bob');
      await until('three entries are live', () => seen.length === 3);
      expect(seen.map(({ seq, prev, subject }) => [seq, prev, subject])).toEqual([
        [first, before, at.timeline],
        [then, first, at.timeline],
        [seen[2]?.seq, 0, at.member('bob')],
      ]);
      expect(seen[1]).toEqual({ ...(await log.entry(at.partition, then!)), prev: first });
      await subscription.stop();
    });

    test('gives a user their memberships of all rooms, and nothing after it was stopped', async () => {
      const { log, second } = current();
      const rooms = [room(), room()];
      const user = `user-${rooms[0]!.roomId}`;
      const begin = () => rooms[0]!.leave(log, user);
      const { seen, subscription } = await listening(second, LIVE.memberships(user), begin);
      for (const at of rooms) await at.join(log, user);
      await rooms[0]!.join(log, 'somebody else');
      await until('both memberships are live', () => seen.length === 2);
      await subscription.stop();
      await rooms[0]!.leave(log, user);
      // What another subscription of the same connection has seen, this one would have seen as well.
      const again = () => rooms[0]!.leave(log, user);
      const later = await listening(second, LIVE.memberships(user), again);
      expect(seen.map(({ subject }) => subject)).toEqual(rooms.map((at) => at.member(user)));
      await later.subscription.stop();
    });
  });

  describe('tails', () => {
    test('notices join end to end and name what moved, with its last sequence', async () => {
      const { log, second } = current();
      const at = room();
      const notices: TailsNotice[] = [];
      const subscription = await second.tails(at.partition, (notice) => notices.push(notice));
      const before = await log.lastSequence(at.partition);
      const abort = new AbortController();
      const role = log.publishTails(at.partition, abort.signal);
      const last: Record<string, number> = {};
      await until('the role has begun', () => {
        // The role starts at the log's end, which it has to read first: entries appended before that are not told.
        void log.append(at.says('ann', 'begin')).catch(() => undefined);
        return notices.length > 0;
      });
      for (let i = 0; i < 20; i++) last[at.timeline] = (await log.append(at.says('ann', `${i}`))).seq;
      last[at.member('bob')] = (await at.join(log, 'bob')).seq;
      await until('all is told', () => (notices.at(-1)?.to ?? 0) >= last[at.member('bob')]!);
      abort.abort();
      await role;
      expect(notices[0]!.from).toBeGreaterThanOrEqual(before);
      for (const [i, { from, to, epoch }] of notices.entries()) {
        expect(epoch).toBe(log.epoch);
        expect(to).toBeGreaterThan(from);
        if (i > 0) expect(from).toBe(notices[i - 1]!.to);
      }
      const told = Object.fromEntries(notices.flatMap((notice) => notice.last));
      expect(told[at.member('bob')]).toBe(last[at.member('bob')]);
      expect(told[at.timeline]).toBeGreaterThanOrEqual(last[at.timeline]!);
      await subscription.stop();
    });
  });

  describe('hand-over into a busy room', () => {
    test('live, then the last sequence, then the log up to it: no hole and no repeat', async () => {
      const { log, second } = current();
      const at = room();
      let busy = true;
      const writer = (async () => {
        for (let i = 0; busy; i++) {
          await log.append(at.says('ann', `${i}`));
          // The memory twin answers without letting timers run.
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      for (let round = 0; round < 5; round++) {
        const live: StoredEntry[] = [];
        const subscription = await second.live(LIVE.room(at.roomId), (entry) => live.push(entry));
        const upTo = await second.lastSequence(at.partition);
        const { entries } = await second.readSubject(at.partition, at.timeline, { after: 0, upTo, max: 100_000 });
        await until('something newer is live', () => (live.at(-1)?.seq ?? 0) > upTo + 5);
        await subscription.stop();
        const shown = await chained(second, at, entries, live);
        expect(contents(shown)).toEqual(shown.map((_, i) => `${i}`));
      }
      busy = false;
      await writer;
      expect(contents(await timelineOf(log, at))).toEqual((await timelineOf(log, at)).map((_, i) => `${i}`));
    });
  });
}

/**
 * What a reader shows: the log, then live by the chain of `prev`. On a cluster a live copy can be missing (interest
 * spreads slowly), which the chain shows; then the log is read.
 */
async function chained(
  log: EventLog,
  at: ContractRoom,
  read: StoredEntry[],
  live: StoredEntry[],
): Promise<StoredEntry[]> {
  const shown = [...read];
  for (const entry of live) {
    const last = shown.at(-1)?.seq ?? 0;
    if (entry.subject !== at.timeline || entry.seq <= last) continue;
    if (entry.prev === last) shown.push(entry);
    else
      shown.push(
        ...(await log.readSubject(at.partition, at.timeline, { after: last, upTo: entry.seq, max: 1_000 })).entries,
      );
  }
  return shown;
}
