/** Queues of a gateway, filled to their ends. */
import { expect, test } from '@jest/globals';
import { CLOSE, DomainError, LIMITS, Subjects } from '#contract';
import { waitUntil } from '#embedded';
import type { TailsNotice } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { CommandQueue, COMMANDS_OF_USER_MAX } from './commands/command-queue.js';
import { NOTICES_MAX, Partition, type PartitionHost } from './feed/partition.js';
import { HELD_BYTES_MAX, QUEUE_BYTES_MAX, Reader } from './feed/reader.js';
import { HELD_ENTRIES_MAX, Room, type RoomHost } from './feed/room.js';
import { TestSink, Writing } from './feed/test-feed.js';

const refusalOf = (error: unknown): unknown => (error instanceof DomainError ? error.toRefusal() : error);

const WITHIN_MS = 10_000;

test('commands of one user: so many wait, the next one is told when to come again, another user is not concerned', async () => {
  const queue = new CommandQueue();
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  const waiting = Array.from({ length: COMMANDS_OF_USER_MAX }, () => queue.run('ann', () => held));
  expect(await queue.run('ann', () => held).catch(refusalOf)).toMatchObject({ code: 'rate_limited', retryMs: 500 });
  expect(await queue.run('bob', async () => 'done')).toBe('done');
  go();
  await Promise.all(waiting);
  expect(await queue.run('ann', async () => 'done')).toBe('done');
});

test('a reader: what waits behind a replay, and for the network, ends it when it is too much', () => {
  const joining = new TestSink();
  const reader = new Reader('s', joining, 'origin');
  const piece = Buffer.from('"x"\n'.padEnd(64 * 1024));
  for (let bytes = 0; bytes <= HELD_BYTES_MAX; bytes += piece.length) reader.write(piece);
  expect(joining.closed).toMatchObject({ code: CLOSE.slowReader });
  const stuck = new TestSink();
  const live = new Reader('t', stuck, 'origin');
  live.goLive();
  stuck.queuedBytes = QUEUE_BYTES_MAX;
  live.send({ op: 'typing', room: 'a', user: 'bob', typing: true });
  expect(stuck.closed).toBeUndefined();
  stuck.queuedBytes += 1;
  live.send({ op: 'typing', room: 'a', user: 'bob', typing: true });
  expect(stuck.closed).toMatchObject({ code: CLOSE.slowReader });
});

test('tails notices: beyond those that wait, the partition is read instead', async () => {
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  const reads: number[] = [];
  const log = {
    epoch: 'e',
    readSubject: async (_partition: number, _subject: string, { upTo }: { upTo: number }) => {
      reads.push(upTo);
      return { entries: [], complete: true };
    },
  };
  const takeMissing = (): Promise<void> => held;
  const host = { log, takeMissing, verified: () => undefined, fault: () => undefined } as unknown as PartitionHost;
  const partition = new Partition(0, host);
  const notice = (from: number): TailsNotice => ({ epoch: 'e', from, to: from + 1, last: [] });
  for (let from = 0; from <= 2 * NOTICES_MAX; from += 1) partition.receive(notice(from));
  go();
  await waitUntil('all is verified', WITHIN_MS, () => partition.mark === 2 * NOTICES_MAX + 1);
  expect(partition.mark).toBe(2 * NOTICES_MAX + 1);
  expect(reads.length).toBeGreaterThan(0);
});

test('entries behind a hole: so many wait, what comes on top is read when the chain or a notice shows it', async () => {
  const log = new MemoryLog({ partitions: 1 });
  const writing = new Writing(log);
  await writing.room('a', 'ann');
  let located: () => void = () => undefined;
  const place = new Promise<void>((resolve) => (located = resolve));
  const nobody = { heldBack: () => undefined, dirty: () => undefined, onMember: () => undefined, mark: () => 0 };
  const fault = (_room: Room, error: unknown) => Promise.reject(error);
  const host = { log, subjects: new Subjects(1), ...nobody, fault } as unknown as RoomHost;
  const room = new Room('a', host);
  const ready = room.open('live.room.a.>', async () => {
    await place;
    return { end: 3, timelineSeq: 0, ordinal: 0, members: 1, participants: undefined };
  });
  const count = HELD_ENTRIES_MAX + 500;
  for (let i = 0; i < count; i += 1) await writing.send('a', 'ann', 'x');
  located();
  await ready;
  const end = await log.lastSequence(0);
  expect(end - room.timelineSeq).toBe(500);
  await room.fillTo(end);
  expect(room.timelineSeq).toBe(end);
  expect(room.tail.after(0).length).toBeLessThanOrEqual(LIMITS.replayEvents);
  await room.close();
});
