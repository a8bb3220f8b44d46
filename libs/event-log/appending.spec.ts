import { describe, expect, test } from '@jest/globals';
import { ContractRoom, contents, timelineOf } from './contract-room.js';
import { AppendUnknownError, FenceMovedError, LogUnavailableError } from './log.js';
import { MemoryLog, type CheckOrder, type MemoryFaults } from './memory.js';

const ORDERS: CheckOrder[] = ['fence-first', 'id-first'];

/** True for the first `count` calls. */
const first = (count: number) => {
  let calls = 0;
  return () => ++calls <= count;
};

/** Something that happens once, at the moment when something is lost. */
class Meanwhile {
  what: (() => Promise<unknown>) | undefined;

  happens(): boolean {
    const { what } = this;
    this.what = undefined;
    void what?.();
    return what !== undefined;
  }
}

/** A log in which ann is a member of a room before the faults begin. */
async function prepared(order: CheckOrder, faults: MemoryFaults) {
  let armed = false;
  const when =
    <A extends unknown[]>(fault: ((...args: A) => boolean) | undefined) =>
    (...args: A): boolean =>
      armed && (fault?.(...args) ?? false);
  const log = new MemoryLog({
    order,
    faults: {
      loseAck: when(faults.loseAck),
      loseAppend: when(faults.loseAppend),
      inFlight: when(faults.inFlight),
      unavailable: when(faults.unavailable),
    },
  });
  const room = new ContractRoom(log.partitions);
  const fence = await room.join(log, 'ann');
  armed = true;
  return { log, room, fence };
}

describe.each(ORDERS)('an append comes to a definite end (%s)', (order) => {
  test('refused as in flight: the same append again, and no reload', async () => {
    const { log, room, fence } = await prepared(order, { inFlight: first(5) });
    const appended = await log.append(room.says('ann', 'hello', fence));
    expect(appended.duplicate).toBe(false);
    expect(contents(await timelineOf(log, room))).toEqual(['hello']);
  });

  test('in flight for ever: given up, and nothing is stored', async () => {
    const { log, room, fence } = await prepared(order, { inFlight: () => true });
    await expect(log.append(room.says('ann', 'hello', fence))).rejects.toThrow(LogUnavailableError);
    expect(await timelineOf(log, room)).toEqual([]);
  });

  test('nobody there for a while: appended when somebody is', async () => {
    const { log, room, fence } = await prepared(order, { unavailable: first(10) });
    await log.append(room.says('ann', 'hello', fence));
    expect(contents(await timelineOf(log, room))).toEqual(['hello']);
  });

  test('acknowledgements lost: stored once, and not called a duplicate of anything', async () => {
    const { log, room, fence } = await prepared(order, { loseAck: first(1) });
    const appended = await log.append(room.says('ann', 'hello', fence));
    const timeline = await timelineOf(log, room);
    expect(contents(timeline)).toEqual(['hello']);
    expect(appended).toEqual({ partition: room.partition, seq: timeline[0]?.seq, duplicate: false });
  });

  test('the append lost on the way: stored by the next try', async () => {
    const { log, room, fence } = await prepared(order, { loseAppend: first(3) });
    await log.append(room.says('ann', 'hello', fence), { messageId: 'k' });
    expect(contents(await timelineOf(log, room))).toEqual(['hello']);
  });

  test('every append lost: nobody knows, and it says so', async () => {
    const { log, room, fence } = await prepared(order, { loseAppend: () => true });
    await expect(log.append(room.says('ann', 'hello', fence))).rejects.toThrow(AppendUnknownError);
  });

  test.each([undefined, 'a-key'])(
    'acknowledgement lost and the sender gone by the next try: the first try is found (key %s)',
    async (key) => {
      const meanwhile = new Meanwhile();
      const { log, room, fence } = await prepared(order, {
        loseAck: () => meanwhile.happens(),
      });
      meanwhile.what = () => room.leave(log, 'ann');
      const appended = await log.append(
        room.says('ann', 'hello', fence, key),
        key === undefined ? {} : { messageId: key },
      );
      const timeline = await timelineOf(log, room);
      expect(contents(timeline)).toEqual(['hello']);
      expect(appended.seq).toBe(timeline[0]?.seq);
      await expect(log.append(room.says('ann', 'again', fence))).rejects.toThrow(FenceMovedError);
    },
  );

  test('the append lost and the sender gone by the next try: refused, and nothing is stored', async () => {
    const meanwhile = new Meanwhile();
    const { log, room, fence } = await prepared(order, {
      loseAppend: () => meanwhile.happens(),
    });
    meanwhile.what = () => room.leave(log, 'ann');
    await expect(log.append(room.says('ann', 'hello', fence))).rejects.toThrow(FenceMovedError);
    expect(await timelineOf(log, room)).toEqual([]);
  });

  test('a batch whose acknowledgement was lost is found by its own fence and mark', async () => {
    const { log, room } = await prepared(order, { loseAck: first(2) });
    const appended = await log.appendBatch(room.joining('bob', 0, 1));
    const upTo = await log.lastSequence(room.partition);
    const { entries } = await log.readSubject(room.partition, room.everything, { after: 0, upTo, max: 10 });
    expect(entries.map(({ seq }) => seq).slice(1)).toEqual(appended.seqs);
  });

  test('a batch that fences nothing of its own is never repeated blindly', async () => {
    const found = await prepared(order, { loseAck: first(1) });
    const stored = await found.log.appendBatch([found.room.says('ann', 'a'), found.room.says('ann', 'b')]);
    expect(contents(await timelineOf(found.log, found.room))).toEqual(['a', 'b']);
    expect((await timelineOf(found.log, found.room)).map(({ seq }) => seq)).toEqual(stored.seqs);
    const lost = await prepared(order, { loseAppend: first(1) });
    const batch = [lost.room.says('ann', 'a', lost.fence), lost.room.says('ann', 'b')];
    await expect(lost.log.appendBatch(batch)).rejects.toThrow(AppendUnknownError);
    expect(await timelineOf(lost.log, lost.room)).toEqual([]);
  });
});
