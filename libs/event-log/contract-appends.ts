import { describe, expect, test } from '@jest/globals';
import { LIVE } from '#contract';
import { ContractRoom, contents, listening, message, takeSeat, timelineOf, until } from './contract-room.js';
import type { LogUnderTest } from './log-contract.js';
import { FenceMovedError, type StoredEntry } from './log.js';

export function appendsContract(current: () => LogUnderTest): void {
  const room = (): ContractRoom => new ContractRoom(current().log.partitions);

  describe('appending', () => {
    test('an entry stands where its acknowledgement says, as it was appended', async () => {
      const { log } = current();
      const at = room();
      const before = Date.now();
      const event = message('ann', 'Grüße 👋 "quoted"', 'key-1');
      const appended = await log.append({ subject: at.timeline, event });
      expect(appended).toEqual({ partition: at.partition, seq: expect.any(Number), duplicate: false });
      const entry = await log.entry(at.partition, appended.seq);
      expect(entry).toMatchObject({ ...position(appended), subject: at.timeline, decoded: { kind: 'event', event } });
      expect(Math.abs((entry?.at ?? 0) - before)).toBeLessThan(60_000);
      expect(await log.lastSequence(at.partition)).toBeGreaterThanOrEqual(appended.seq);
    });

    test('sequences and times rise within a partition', async () => {
      const { log } = current();
      const at = room();
      for (let i = 0; i < 5; i++) await log.append(at.says('ann', `${i}`));
      const entries = await timelineOf(log, at);
      expect(contents(entries)).toEqual(['0', '1', '2', '3', '4']);
      for (const [i, entry] of entries.slice(1).entries()) {
        expect(entry.seq).toBeGreaterThan(entries[i]!.seq);
        expect(entry.at).toBeGreaterThanOrEqual(entries[i]!.at);
      }
    });

    test('a fence of 0 is taken once', async () => {
      const { log, second } = current();
      const at = room();
      const fence = { subject: at.timeline, seq: 0 };
      await log.append(at.says('ann', 'first', fence));
      await expect(second.append(at.says('bob', 'second', fence))).rejects.toThrow(FenceMovedError);
      expect(contents(await timelineOf(log, at))).toEqual(['first']);
    });

    test('no send stands after a membership that has changed', async () => {
      const { log, second } = current();
      const at = room();
      const fence = await at.join(log, 'ann');
      await second.append(at.says('ann', 'as a member', fence));
      await at.leave(log, 'ann');
      await expect(second.append(at.says('ann', 'too late', fence))).rejects.toThrow(FenceMovedError);
      expect(contents(await timelineOf(log, at))).toEqual(['as a member']);
    });

    test('sends of many members at once all stand, each once', async () => {
      const { log, second } = current();
      const at = room();
      const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
      const fences = await Promise.all(users.map((user) => at.join(log, user)));
      await Promise.all(
        users.map(async (user, i) => {
          for (let n = 0; n < 5; n++) await (n % 2 ? log : second).append(at.says(user, `${user} ${n}`, fences[i]));
        }),
      );
      const said = contents(await timelineOf(log, at));
      expect([...said].sort()).toEqual(users.flatMap((user) => [0, 1, 2, 3, 4].map((n) => `${user} ${n}`)).sort());
      for (const user of users)
        expect(said.filter((line) => line.startsWith(`${user} `))).toEqual([0, 1, 2, 3, 4].map((n) => `${user} ${n}`));
    });
  });

  describe('repeating', () => {
    test('a repeated message id gets the first entry, marked duplicate, and stores nothing', async () => {
      const { log, second } = current();
      const at = room();
      const fence = await at.join(log, 'ann');
      const send = at.says('ann', 'once', fence, `${at.roomId}-k`);
      const first = await log.append(send, { messageId: `${at.roomId}-k` });
      const repeat = await second.append(send, { messageId: `${at.roomId}-k` });
      expect(repeat).toEqual({ ...first, duplicate: true });
      expect(contents(await timelineOf(log, at))).toEqual(['once']);
    });

    test('a message id that cannot stand in a header is a mistake of the caller', async () => {
      const { log } = current();
      const at = room();
      for (const messageId of ['', 'a b', 'a\r\nNats-Rollup: all', 'ü', 'x'.repeat(257)])
        await expect(log.append(at.says('ann', 'hello'), { messageId })).rejects.toThrow(RangeError);
      expect(await log.last(at.timeline)).toBeUndefined();
    });

    test('the same id at the same time from two places is stored once', async () => {
      const { log, second } = current();
      const at = room();
      const fence = await at.join(log, 'ann');
      const key = `${at.roomId}-k`;
      const send = at.says('ann', 'once', fence, key);
      const results = await Promise.all([log, second, log, second].map((by) => by.append(send, { messageId: key })));
      expect(new Set(results.map(({ seq }) => seq)).size).toBe(1);
      expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(contents(await timelineOf(log, at))).toEqual(['once']);
    });

    test('acknowledgement lost, then left, then repeated: the first entry is found, in whatever order the broker checks', async () => {
      const { log, second, order } = current();
      const at = room();
      const fence = await at.join(log, 'ann');
      const key = `${at.roomId}-k`;
      const send = at.says('ann', 'once', fence, key);
      const first = await log.append(send, { messageId: key });
      await at.leave(log, 'ann');
      const repeat = second.append(send, { messageId: key });
      if (order === 'id-first') expect(await repeat).toEqual({ ...first, duplicate: true });
      else await expect(repeat).rejects.toThrow(FenceMovedError);
      const keyed = (await timelineOf(second, at)).filter((entry) => keyOf(entry) === key);
      expect(keyed).toEqual([expect.objectContaining(position(first))]);
    });
  });

  describe('batches', () => {
    test('all entries of a batch stand next to each other', async () => {
      const { log } = current();
      const at = room();
      const batch = [...at.joining('ann', 0, 1), at.says('ann', 'hello'), at.says('ann', 'again')];
      const { seqs, seq, partition } = await log.appendBatch(batch);
      expect(seqs).toEqual([seq - 3, seq - 2, seq - 1, seq]);
      const upTo = await log.lastSequence(partition);
      const { entries } = await log.readSubject(partition, at.everything, { after: 0, upTo, max: 10 });
      expect(entries.map((entry) => entry.subject)).toEqual(batch.map(({ subject }) => subject));
      expect(entries.map((entry) => entry.seq)).toEqual(seqs);
    });

    test('one moved fence anywhere in a batch refuses all of it', async () => {
      const { log } = current();
      const at = room();
      const owner = await at.join(log, 'owner');
      await log.appendBatch(at.joining('ann', 0, 1));
      await at.leave(log, 'owner');
      const { seq: rosterSeq } = (await log.last(at.roster))!;
      const before = await log.lastSequence(at.partition);
      const [newRoster, joined] = at.joining('bob', rosterSeq, 2);
      await expect(log.appendBatch([newRoster!, { ...joined!, fence: owner }])).rejects.toThrow(FenceMovedError);
      await expect(log.appendBatch(at.joining('bob', rosterSeq - 1, 2))).rejects.toThrow(FenceMovedError);
      expect(await log.last(at.member('bob'))).toBeUndefined();
      const upTo = await log.lastSequence(at.partition);
      const { entries } = await log.readSubject(at.partition, at.everything, { after: before, upTo, max: 9 });
      expect(entries).toEqual([]);
    });

    test('a batch of one and a batch of 64 are batches like any other', async () => {
      const { log } = current();
      const at = room();
      const one = await log.appendBatch([at.says('ann', 'alone', { subject: at.timeline, seq: 0 })]);
      expect(one.seqs).toEqual([one.seq]);
      const many = await log.appendBatch(Array.from({ length: 64 }, (_, i) => at.says('ann', `${i}`)));
      expect(many.seqs).toHaveLength(64);
      expect(contents(await timelineOf(log, at))).toEqual(['alone', ...Array.from({ length: 64 }, (_, i) => `${i}`)]);
    });

    test('a batch over two partitions, or of nothing, is a mistake of the caller', async () => {
      const { log } = current();
      const at = room();
      let elsewhere = room();
      while (elsewhere.partition === at.partition) elsewhere = room();
      await expect(log.appendBatch([at.says('ann', 'a'), elsewhere.says('ann', 'b')])).rejects.toThrow(RangeError);
      await expect(log.appendBatch([])).rejects.toThrow(RangeError);
      expect(await log.last(at.timeline)).toBeUndefined();
    });

    test('a stampede for seats gives away exactly the seats', async () => {
      const { log, second } = current();
      const at = room();
      const joiners = Array.from({ length: 30 }, (_, i) => takeSeat(i % 2 ? log : second, at, `user-${i}`, 10));
      expect((await Promise.all(joiners)).filter(Boolean)).toHaveLength(10);
      const upTo = await log.lastSequence(at.partition);
      const { entries } = await log.readSubject(at.partition, at.members, { after: 0, upTo, max: 100 });
      expect(entries).toHaveLength(10);
    });
  });

  describe('what is refused', () => {
    test('is delivered to nobody', async () => {
      const { log, second } = current();
      const at = room();
      const fence = await at.join(log, 'ann');
      const begin = () => log.append(at.says('ann', 'begin'));
      const { seen, subscription } = await listening(second, LIVE.room(at.roomId), begin);
      await log.append(at.says('ann', 'one', fence, 'k'), { messageId: `${at.roomId}-1` });
      await log.append(at.says('ann', 'one', fence, 'k'), { messageId: `${at.roomId}-1` });
      await expect(log.append(at.says('ann', 'no', { ...fence, seq: fence.seq + 1_000 }))).rejects.toThrow(
        FenceMovedError,
      );
      const last = await log.append(at.says('ann', 'two', fence));
      await until('the last entry is delivered', () => seen[seen.length - 1]?.seq === last.seq);
      expect(contents(seen)).toEqual(['one', 'two']);
      await subscription.stop();
    });
  });
}

const keyOf = ({ decoded }: StoredEntry): string | undefined =>
  decoded.kind === 'event' ? decoded.event.key?.id : undefined;

const position = ({ partition, seq }: { readonly partition: number; readonly seq: number }) => ({ partition, seq });
