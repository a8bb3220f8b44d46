/** Up to where a partition is verified: by notices, by reading what they would have said, and never beyond what was taken. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { type EventLog, LogUnavailableError, type TailsNotice } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { withParts } from '#testing';
import { Partition, type PartitionHost } from './partition.js';
import { Writing } from './test-feed.js';

const WITHIN_MS = 10_000;
const SILENCE_MS = 5_000;

const started: { partition: Partition }[] = [];
afterEach(async () => {
  for (const { partition } of started.splice(0)) await partition.stop();
});

interface Taken {
  readonly moved: TailsNotice['last'];
  readonly after: number;
}

/** A partition over a log of the spec's own, with a host that writes down what it is asked. */
class World {
  readonly log = new MemoryLog({ partitions: 1 });
  readonly writing = new Writing(this.log);
  readonly taken: Taken[] = [];
  readonly reads: number[] = [];
  readonly faults: unknown[] = [];
  readonly epochs: string[] = [];
  verified = 0;
  notify: (notice: TailsNotice) => void = () => undefined;
  stopped = 0;
  /** What happens when something is to be taken. */
  taking: () => Promise<void> = () => Promise.resolve();
  /** Happens when the mark has moved. */
  moved: () => unknown = () => undefined;
  readonly partition: Partition;

  constructor(parts: (log: EventLog) => Partial<EventLog> = () => ({})) {
    const log = withParts<EventLog>(this.log, {
      readSubject: (partition, subject, range) => {
        this.reads.push(range.after);
        return this.log.readSubject(partition, subject, range);
      },
      tails: (_, onNotice) => {
        this.notify = onNotice;
        const stop = async () => void (this.stopped += 1);
        return Promise.resolve({ stop });
      },
      ...parts(this.log),
    });
    const host: PartitionHost = {
      log,
      takeMissing: async (_, moved, after) => {
        await this.taking();
        this.taken.push({ moved, after });
      },
      verified: () => {
        this.verified += 1;
        this.moved();
      },
      epochChanged: (epoch) => this.epochs.push(epoch),
      fault: (error) => this.faults.push(error),
    };
    this.partition = new Partition(0, host);
    started.push(this);
  }

  notice(from: number, to: number, last: TailsNotice['last'] = []): void {
    this.notify({ epoch: this.log.epoch, from, to, last });
  }

  get end(): Promise<number> {
    return this.log.lastSequence(0);
  }
}

/** A log with so many messages. */
async function talk(world: World, messages: number): Promise<number> {
  await world.writing.room('a', 'ann');
  for (let i = 0; i < messages; i += 1) await world.writing.send('a', 'ann', `${i}`);
  return world.end;
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('begins at the end of the log: what was before is for those who connect', async () => {
  const world = new World();
  const end = await talk(world, 3);
  await world.partition.start(1);
  expect([world.partition.mark, world.reads, world.taken]).toEqual([end, [], []]);
});

test('never goes back, where a notice came before the end of the log was known', async () => {
  const world = new World((log) => ({
    lastSequence: async (partition) => {
      world.notice(0, 9);
      await waitUntil('it is taken', WITHIN_MS, () => world.partition.mark === 9);
      return log.lastSequence(partition);
    },
  }));
  await world.partition.start(1);
  expect(world.partition.mark).toBe(9);
});

describe('a notice', () => {
  test('that goes on from the mark moves it when what it names has been taken, and not before', async () => {
    const world = new World();
    await world.partition.start(1);
    let go: () => void = () => undefined;
    world.taking = () => new Promise((resolve) => (go = resolve));
    world.notice(0, 4, [['chat.0.room.a.roster', 3]]);
    await settled();
    expect([world.partition.mark, world.verified]).toEqual([0, 0]);
    go();
    await world.partition.reach(4);
    expect([world.partition.mark, world.verified]).toEqual([4, 1]);
    expect(world.taken).toEqual([{ moved: [['chat.0.room.a.roster', 3]], after: 0 }]);
    expect(world.reads).toEqual([]);
  });

  test('of what is known changes nothing, and nobody takes it for news', async () => {
    const world = new World();
    const end = await talk(world, 3);
    await world.partition.start(1);
    world.notice(0, end - 1, [['chat.0.room.a.roster', 2]]);
    world.notice(0, end, [['chat.0.room.a.roster', 2]]);
    await settled();
    expect([world.partition.mark, world.taken, world.verified]).toEqual([end, [], 0]);
  });

  test('that overlaps what is known is taken from the mark on', async () => {
    const world = new World();
    const end = await talk(world, 3);
    await world.partition.start(1);
    world.notice(end - 2, end + 2, [['chat.0.room.a.timeline', end + 2]]);
    await world.partition.reach(end + 2);
    expect([world.taken, world.reads]).toEqual([[{ moved: [['chat.0.room.a.timeline', end + 2]], after: end }], []]);
  });

  test('that comes after a gap has the gap read first', async () => {
    const world = new World();
    await world.partition.start(1);
    const end = await talk(world, 5);
    world.notice(end, end + 1, [['chat.0.room.a.timeline', end + 1]]);
    await world.partition.reach(end + 1);
    const [gap, notice] = world.taken;
    expect(gap?.after).toBe(0);
    expect(new Map(gap?.moved).get('chat.0.room.a.timeline')).toBe(end);
    expect(notice).toEqual({ moved: [['chat.0.room.a.timeline', end + 1]], after: end });
  });

  test('of another epoch is no notice', async () => {
    const world = new World();
    await world.partition.start(1);
    world.notify({ epoch: 'another', from: 0, to: 5, last: [] });
    await settled();
    expect([world.partition.mark, world.epochs]).toEqual([0, ['another']]);
  });

  test('that comes when nobody listens any more moves nothing', async () => {
    const world = new World();
    await world.partition.start(1);
    await world.partition.stop();
    world.notice(0, 5);
    await settled();
    expect([world.partition.mark, world.stopped]).toEqual([0, 1]);
  });
});

describe('reading what notices would have said', () => {
  test('goes on read by read, each moving the mark as far as it was taken', async () => {
    const world = new World();
    await world.partition.start(1);
    const end = await talk(world, 4_500);
    await world.partition.reach(end);
    expect(world.partition.mark).toBe(end);
    expect(world.reads).toEqual([0, 2_000, 4_000]);
    expect(world.taken.map(({ after }) => after)).toEqual([0, 2_000, 4_000]);
    expect(world.verified).toBe(3);
  });

  test('is bounded in bytes, too', async () => {
    const world = new World();
    await world.partition.start(1);
    await world.writing.room('a', 'ann');
    for (let i = 0; i < 5; i += 1) await world.writing.send('a', 'ann', 'x'.repeat(1024 * 1024));
    const end = await world.end;
    await world.partition.reach(end);
    expect([world.partition.mark, world.reads.length]).toEqual([end, 2]);
  });

  test('waits for no one beyond the mark, and does nothing where it is there already', async () => {
    const world = new World();
    const end = await talk(world, 2);
    await world.partition.start(1);
    await world.partition.reach(end);
    await world.partition.reach(end - 1);
    expect([world.reads, world.verified]).toEqual([[], 0]);
  });

  test('reaches what was asked for while it was under way', async () => {
    const world = new World();
    await world.partition.start(1);
    const end = await talk(world, 10);
    await Promise.all([world.partition.reach(3), world.partition.reach(end), world.partition.reach(5)]);
    expect(world.partition.mark).toBe(end);
  });
});

test.each([0, 1, 2, 3, 4, 5, 6])(
  'what is asked for %i moments after the last was taken is reached',
  async (moments) => {
    const world = new World();
    await world.partition.start(1);
    const end = await talk(world, 3);
    let reached: Promise<void> | undefined;
    world.moved = async () => {
      world.moved = () => undefined;
      for (let i = 0; i < moments; i += 1) await Promise.resolve();
      reached = world.partition.reach(end);
    };
    world.notice(0, 1);
    await waitUntil('it is asked for', WITHIN_MS, () => reached !== undefined);
    await reached;
    expect(world.partition.mark).toBe(end);
  },
);

describe('a log that is away', () => {
  test('is waited for: no mark moves, and nothing is lost', async () => {
    let away = 2;
    const world = new World((log) => ({
      readSubject: (partition, subject, range) =>
        away-- > 0 ? Promise.reject(new LogUnavailableError('away')) : log.readSubject(partition, subject, range),
    }));
    await world.partition.start(1);
    const end = await talk(world, 3);
    await world.partition.reach(end);
    expect([world.partition.mark, world.faults, away]).toEqual([end, [], -1]);
  });

  test('ends nothing that a stop would wait for', async () => {
    const world = new World(() => ({ readSubject: () => Promise.reject(new LogUnavailableError('away')) }));
    await world.partition.start(1);
    const reached = world.partition.reach(5);
    await settled();
    await world.partition.stop();
    await reached;
    expect([world.partition.mark, world.faults]).toEqual([0, []]);
  });
});

describe('any other failure', () => {
  test('is a fault, and ends the wait of whoever waited; the next notice begins again', async () => {
    const world = new World();
    await world.partition.start(1);
    const end = await talk(world, 3);
    const broken = new Error('broken');
    world.taking = () => Promise.reject(broken);
    await world.partition.reach(end);
    expect([world.partition.mark, world.faults]).toEqual([0, [broken]]);
    world.taking = () => Promise.resolve();
    world.notice(end, end + 1);
    await world.partition.reach(end + 1);
    expect([world.partition.mark, world.faults]).toEqual([end + 1, [broken]]);
    expect(world.taken[0]?.after).toBe(0);
  });

  test('leaves the notices that wait to be taken', async () => {
    const world = new World();
    await world.partition.start(1);
    let failures = 1;
    world.taking = () => (failures-- > 0 ? Promise.reject(new Error('broken')) : Promise.resolve());
    world.notice(0, 3);
    world.notice(3, 5, [['chat.0.room.a.roster', 4]]);
    await waitUntil('the second is taken', WITHIN_MS, () => world.partition.mark === 5);
    expect(world.faults).toHaveLength(1);
  });
});

describe('silence', () => {
  test('for a while has the log asked whether it has moved', async () => {
    const world = new World();
    await world.partition.start(1_000);
    const end = await talk(world, 3);
    await world.partition.tick(1_000 + SILENCE_MS - 1);
    expect([world.partition.mark, world.reads]).toEqual([0, []]);
    await world.partition.tick(1_000 + SILENCE_MS);
    expect(world.partition.mark).toBe(end);
    await world.writing.send('a', 'ann', 'more');
    await world.partition.tick(1_000 + SILENCE_MS + 1);
    expect(world.partition.mark).toBe(end);
  });

  test('is over with a notice', async () => {
    const world = new World();
    await world.partition.start(0);
    await talk(world, 3);
    const now = jest.spyOn(performance, 'now').mockReturnValue(50_000);
    world.notice(0, 0);
    now.mockRestore();
    await world.partition.tick(50_000 + SILENCE_MS - 1);
    expect(world.reads).toEqual([]);
  });

  test('is of no interest where nobody listens any more', async () => {
    const world = new World();
    await world.partition.start(0);
    await talk(world, 3);
    await world.partition.stop();
    await world.partition.tick(10 * SILENCE_MS);
    expect([world.partition.mark, world.reads]).toEqual([0, []]);
  });
});
