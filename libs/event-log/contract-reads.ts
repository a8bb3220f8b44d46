import { describe, expect, test } from '@jest/globals';
import { ContractRoom, contents } from './contract-room.js';
import type { LogUnderTest } from './log-contract.js';

export function readsContract(current: () => LogUnderTest): void {
  const room = (): ContractRoom => new ContractRoom(current().log.partitions);

  /** A timeline of `count` messages with other subjects' entries between them, and their sequences. */
  async function busyRoom(count: number): Promise<{ at: ContractRoom; seqs: number[] }> {
    const { log } = current();
    const at = room();
    const seqs: number[] = [];
    for (let i = 0; i < count; i++) {
      await at.join(log, `user-${i}`);
      seqs.push((await log.append(at.says('ann', `message ${i}`))).seq);
    }
    return { at, seqs };
  }

  describe('last values', () => {
    test('of a subject on which nothing stands there is none', async () => {
      expect(await current().log.last(room().config)).toBeUndefined();
    });

    test('the last entry of a subject is there as soon as it was acknowledged, over any connection', async () => {
      const { log, second } = current();
      const at = room();
      for (let i = 0; i < 20; i++) {
        const { seq } = await (i % 2 ? log : second).append(at.says('ann', `${i}`));
        const last = await (i % 2 ? second : log).last(at.timeline);
        expect(last).toMatchObject({ seq, subject: at.timeline, partition: at.partition });
      }
    });

    test('of several subjects, oldest first; those without an entry are left out', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(3);
      const subjects = [at.timeline, at.config, at.member('user-1'), at.member('nobody')];
      const found = await log.lastOf(at.partition, subjects);
      expect(found.map(({ subject }) => subject)).toEqual([at.member('user-1'), at.timeline]);
      expect(found[1]).toMatchObject({ seq: seqs[2] });
      expect(await log.lastOf(at.partition, [at.config])).toEqual([]);
    });

    test('by wildcards, and more subjects than the broker answers at once', async () => {
      const { log } = current();
      const at = room();
      const users = Array.from({ length: 1_100 }, (_, i) => `user-${i}`);
      for (let i = 0; i < users.length; i += 100)
        await Promise.all(users.slice(i, i + 100).map((user) => at.join(log, user)));
      await at.leave(log, 'user-7');
      const byWildcard = await log.lastOf(at.partition, [at.members]);
      expect(byWildcard).toHaveLength(users.length);
      expect(byWildcard[byWildcard.length - 1]?.subject).toBe(at.member('user-7'));
      const byName = await log.lastOf(
        at.partition,
        users.map((user) => at.member(user)),
      );
      expect(byName.map(({ seq }) => seq)).toEqual(byWildcard.map(({ seq }) => seq));
    });

    test('as of a sequence', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(4);
      const then = await log.lastOf(at.partition, [at.timeline, at.members], seqs[1]);
      expect(then.map(({ subject }) => subject)).toEqual([at.member('user-0'), at.member('user-1'), at.timeline]);
      expect(then[2]).toMatchObject({ seq: seqs[1] });
      expect(await log.lastOf(at.partition, [at.timeline], seqs[0]! - 1)).toEqual([]);
    });
  });

  describe('one entry', () => {
    test('beyond the end there is none', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(1);
      expect(await log.entry(at.partition, seqs[0]!)).toMatchObject({ subject: at.timeline });
      expect(await log.entry(at.partition, (await log.lastSequence(at.partition)) + 1_000)).toBeUndefined();
    });
  });

  describe('reading a subject', () => {
    test('gives what stands after `after` up to `upTo`, in its order', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(6);
      const all = await log.readSubject(at.partition, at.timeline, { after: 0, upTo: seqs[5]!, max: 100 });
      expect(all.complete).toBe(true);
      expect(all.entries.map(({ seq }) => seq)).toEqual(seqs);
      const middle = await log.readSubject(at.partition, at.timeline, { after: seqs[1]!, upTo: seqs[3]!, max: 100 });
      expect(middle.complete).toBe(true);
      expect(middle.entries.map(({ seq }) => seq)).toEqual([seqs[2], seqs[3]]);
    });

    test('stops at `max`, and says whether that was the end of the range', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(4);
      const read = (max: number, upTo: number) => log.readSubject(at.partition, at.timeline, { after: 0, upTo, max });
      expect(await read(3, seqs[3]!)).toMatchObject({ complete: false, entries: { length: 3 } });
      expect(await read(3, seqs[2]!)).toMatchObject({ complete: true, entries: { length: 3 } });
      expect(await read(4, seqs[3]!)).toMatchObject({ complete: true, entries: { length: 4 } });
    });

    test('stops at `maxBytes`, but never before the first entry', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(4);
      const read = (maxBytes: number) =>
        log.readSubject(at.partition, at.timeline, { after: 0, upTo: seqs[3]!, max: 100, maxBytes });
      expect(await read(1)).toMatchObject({ complete: false, entries: { length: 1 } });
      const size = JSON.stringify(at.says('ann', 'message 0').event).length;
      expect(await read(2 * size)).toMatchObject({ complete: false, entries: { length: 2 } });
      expect(await read(4 * size)).toMatchObject({ complete: true, entries: { length: 4 } });
    });

    test('goes by what stands there now, where something was erased', async () => {
      const { log, erase } = current();
      const { at, seqs } = await busyRoom(5);
      for (const i of [0, 2, 4]) await erase(at.partition, seqs[i]!);
      const read = await log.readSubject(at.partition, at.timeline, { after: 0, upTo: seqs[4]!, max: 100 });
      expect(read).toMatchObject({ complete: true });
      expect(read.entries.map(({ seq }) => seq)).toEqual([seqs[1], seqs[3]]);
      expect(await log.entry(at.partition, seqs[2]!)).toBeUndefined();
      const next = await log.readSubject(at.partition, at.timeline, { after: seqs[1]!, upTo: seqs[4]!, max: 100 });
      expect(next.entries.map(({ seq }) => seq)).toEqual([seqs[3]]);
    });

    test('an empty range is complete', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(1);
      const nothing = { complete: true, entries: [] };
      const range = { after: seqs[0]!, upTo: seqs[0]!, max: 10 };
      expect(await log.readSubject(at.partition, at.timeline, range)).toEqual(nothing);
      expect(await log.readSubject(at.partition, at.config, { after: 0, upTo: seqs[0]!, max: 10 })).toEqual(nothing);
      const upTo = await log.lastSequence(at.partition);
      expect(await log.readSubject(at.partition, at.timeline, { after: seqs[0]!, upTo, max: 10 })).toEqual(nothing);
    });

    test('wildcards give every matching subject in order', async () => {
      const { log } = current();
      const { at, seqs } = await busyRoom(2);
      const { entries } = await log.readSubject(at.partition, at.everything, { after: 0, upTo: seqs[1]!, max: 100 });
      expect(contents(entries)).toEqual(['event', 'message 0', 'event', 'message 1']);
    });

    test('more than the broker gives in one piece arrives whole', async () => {
      const { log } = current();
      const at = room();
      const text = 'x'.repeat(4_000);
      for (let i = 0; i < 1_500; i += 100)
        await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(at.says('ann', `${i + n} ${text}`))));
      const upTo = await log.lastSequence(at.partition);
      const { entries, complete } = await log.readSubject(at.partition, at.timeline, { after: 0, upTo, max: 2_000 });
      expect(complete).toBe(true);
      expect(new Set(contents(entries)).size).toBe(1_500);
    });

    test('reaches what was acknowledged just before, over any connection', async () => {
      const { log, second } = current();
      const at = room();
      for (let i = 0; i < 30; i++) {
        const { seq } = await log.append(at.says('ann', `${i}`));
        const read = await second.readSubject(at.partition, at.timeline, { after: seq - 1, upTo: seq, max: 10 });
        expect(read.entries.map((entry) => entry.seq)).toEqual([seq]);
      }
    });
  });
}
