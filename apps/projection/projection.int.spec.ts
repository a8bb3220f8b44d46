import { describe, expect, test } from '@jest/globals';
import { LIMITS, TRANSIENT } from '#contract';
import { type Database, checkpointOf, getMessage, inboxOf, listDeadLetters, PositionWaiter } from '#read-models';
import { allRows, eventually, fold, subjects, usePlatform } from './test-platform.js';

const platform = usePlatform();

/** Ends the sessions of whoever leads; @returns how many there were. */
async function cutLeaders(views: Database): Promise<number> {
  const cut: unknown[] = await views.source.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'parley projection %'`,
  );
  return cut.length;
}

describe('projection', () => {
  test('what was sent is in the views when its position is', async () => {
    const views = await platform.freshViews();
    await platform.projection();
    const positions = new PositionWaiter(views, platform.connection);
    await platform.room('seen', 'ann');
    for (let i = 0; i < 20; i++) {
      const sent = await platform.say('seen', 'ann', `text ${i}`);
      await positions.waitFor(sent, 30_000);
      expect(await getMessage(views, 'seen', sent.id)).toMatchObject({ content: `text ${i}`, ordinal: i + 1 });
    }
    positions.close();
  });

  test('a query is told that the views are behind, and waits no longer than it says', async () => {
    const views = await platform.freshViews();
    const positions = new PositionWaiter(views, platform.connection);
    await expect(positions.waitFor({ partition: 0, seq: 1_000_000 }, 20)).rejects.toMatchObject({
      code: 'behind',
      retryMs: expect.any(Number),
    });
    await platform.projection();
    await platform.caughtUp(views);
    await expect(positions.waitFor({ epoch: 'another', seqs: [1, 1] })).rejects.toMatchObject({
      code: 'invalid_cursor',
    });
    const seqs = await Promise.all([0, 1].map((partition) => platform.log.lastSequence(partition)));
    await positions.waitFor({ epoch: platform.log.epoch, seqs }, LIMITS.positionWaitMs);
    positions.close();
  });

  test('leaders that are cut off again and again lose nothing and write nothing twice', async () => {
    const views = await platform.freshViews();
    await Promise.all([platform.projection(), platform.projection()]);
    await platform.room('cut', 'ann');
    await platform.member('cut', 'bob', 'MemberJoined', {});
    let cuts = 0;
    for (let round = 0; round < 6; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => platform.say('cut', 'bob', `text ${round} ${i}`)));
      cuts += await cutLeaders(views);
      await platform.member('cut', 'bob', round % 2 === 0 ? 'MemberLeft' : 'MemberJoined', {
        standing: round % 2 === 0 ? 'left' : 'member',
      });
    }
    await platform.caughtUp(views);
    expect(cuts).toBeGreaterThan(0);
    const lived = await allRows(views);
    expect(lived).toEqual(await fold(platform, await platform.freshViews()));
  });

  test('a partition has one leader; a standby takes over when it stops', async () => {
    const views = await platform.freshViews();
    const first = await platform.projection();
    await platform.caughtUp(views);
    await eventually(async () => (await first.health.report()).parts['projection']?.detail === 'leads 0, 1');
    const second = await platform.projection();
    await platform.room('handed-over', 'ann');
    await platform.caughtUp(views);
    expect((await second.health.report()).parts['projection']).toMatchObject({
      ok: true,
      detail: 'leads nothing: stands by',
    });

    await first.stop();
    const sent = await platform.say('handed-over', 'ann', 'to the second');
    await eventually(async () => (await getMessage(views, 'handed-over', sent.id)) !== undefined);
    expect((await second.health.report()).parts['projection']?.detail).toBe('leads 0, 1');
  });

  test('a database that is away is waited for; tails notices go on meanwhile', async () => {
    const views = await platform.freshViews();
    const projection = await platform.projection();
    await platform.room('away', 'ann');
    await platform.caughtUp(views);
    await platform.postgres.kill();
    const partition = subjects.partitionOfRoom('away');
    const told = new Promise<number>((resolve) => {
      void platform.log.tails(partition, ({ to }) => resolve(to)).then(() => platform.say('away', 'ann', 'meanwhile'));
    });
    await told;
    await eventually(async () => !(await projection.health.report()).ready);
    await platform.postgres.restart();
    await platform.caughtUp(views);
    const { items } = await inboxOf(views, 'ann', { limit: 100 });
    expect(items.find(({ room }) => room.id === 'away')?.lastMessage?.content).toBe('meanwhile');
    await eventually(async () => (await projection.health.report()).ready);
  });

  test('nothing but poison is given up, health names it, and the rest goes on', async () => {
    const views = await platform.freshViews();
    await platform.room('poisoned', 'ann');
    const partition = subjects.partitionOfRoom('poisoned');
    const notices: string[] = [];
    const subscription = platform.connection.subscribe(TRANSIENT.deadLetter(partition), {
      callback: (_error, message) => void notices.push(message.json<{ position: string }>().position),
    });
    await platform.connection.flush();
    await platform.say('poisoned', 'ann', 'before');
    const unreadable = await platform.garbage('poisoned', '{"v":1,"type":"MessageSent"');
    await platform.say('poisoned', 'ann', 'between');
    // A key that PostgreSQL does not take as text: an error of the data, SQLSTATE 22021.
    const refused = await platform.say('poisoned', 'ann', 'refused', 'nul \0');
    const after = await platform.say('poisoned', 'ann', 'after');
    const unknown = await platform.garbage('poisoned', '{"v":9,"type":"SomethingNew","actor":"ann","data":{}}');

    const projection = await platform.projection();
    await platform.caughtUp(views);
    const letters = await listDeadLetters(views, 10);
    expect(letters.map(({ seq }) => seq)).toEqual([unreadable.seq, refused.seq]);
    expect(letters[1]?.reason).toMatch(/invalid byte sequence/);
    expect(await getMessage(views, 'poisoned', after.id)).toMatchObject({ content: 'after', ordinal: 3 });
    expect((await checkpointOf(views, partition))?.seq).toBe(unknown.seq);
    const health = await projection.health.report();
    expect(health.ready).toBe(true);
    expect(health.parts['dead letters']).toMatchObject({ ok: false, required: false });
    expect(health.parts['dead letters']?.detail).toContain(
      `${partition}-${unreadable.seq}, ${partition}-${refused.seq}`,
    );
    await eventually(() => notices.length === 2);
    expect(notices).toEqual([`${partition}-${unreadable.seq}`, `${partition}-${refused.seq}`]);
    subscription.unsubscribe();
  });
});
