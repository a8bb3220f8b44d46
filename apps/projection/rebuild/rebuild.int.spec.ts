import { beforeAll, describe, expect, test } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { StoredEntry } from '#event-log';
import { type Database, getMessage, getRoom, inboxOf, listDeadLetters, projections, withNeeds } from '#read-models';
import { withParts } from '#testing';
import { allRows, eventually, fold, PARTITIONS, quiet, subjects, usePlatform } from '../test-platform.js';
import { rebuild } from './rebuild.js';

const platform = usePlatform();
const never = new AbortController().signal;

const rebuilt = (database: Database, models = projections) =>
  rebuild({ database, log: platform.log, retryAttempts: 2, logger: quiet, progress: () => undefined }, models, never);

const generations = async (views: Database): Promise<number[]> => {
  const rows: { generation: number }[] = await views.source.query('select distinct generation from checkpoints');
  return rows.map(({ generation }) => generation);
};

beforeAll(async () => {
  for (const roomId of ['one', 'two', 'three']) {
    await platform.room(roomId, 'ann');
    await platform.member(roomId, 'bob', 'MemberJoined', {});
    for (let i = 0; i < 30; i++) await platform.say(roomId, i % 3 === 0 ? 'bob' : 'ann', `text ${i}`, `${roomId} ${i}`);
  }
});

describe('a rebuild', () => {
  test.each([['all', projections] as const, ['members', withNeeds(['members'])] as const])(
    'of %s gives what the live ones hold, row by row, while messages come in',
    async (_name, models) => {
      const views = await platform.freshViews();
      await platform.projection();
      await platform.caughtUp(views);
      let talking = true;
      const talk = async (): Promise<void> => {
        for (let i = 0; talking; i++) {
          const sent = await platform.say('one', 'ann', `meanwhile ${i}`);
          // Read-your-writes holds through the swap.
          await eventually(async () => (await getMessage(views, 'one', sent.id)) !== undefined);
        }
      };
      const talked = talk();
      const done = await rebuilt(views, models);
      expect(done.models).toEqual(models.map(({ name }) => name));
      talking = false;
      await talked;
      await platform.caughtUp(views);
      expect(await generations(views)).toEqual([1]);
      expect(await allRows(views)).toEqual(await fold(platform, await platform.freshViews()));
      expect((await views.source.driver.createSchemaBuilder().log()).upQueries).toEqual([]);
      const schemas: unknown[] = await views.source.query(`select 1 from pg_namespace where nspname like 'parley%'`);
      expect(schemas).toEqual([]);
    },
  );

  test('mends views that were wrong, and leaders go on from what is right', async () => {
    const views = await platform.freshViews();
    await platform.projection();
    await platform.caughtUp(views);
    await views.source.query(
      `update room_tails set last_ordinal = 9000; delete from messages; update rooms set name = 'wrong'`,
    );
    await rebuilt(views);
    const sent = await platform.say('two', 'ann', 'counted on');
    await eventually(async () => (await getMessage(views, 'two', sent.id)) !== undefined);
    expect((await getRoom(views, 'two'))?.name).toBe('two');
    await platform.caughtUp(views);
    expect(await allRows(views)).toEqual(await fold(platform, await platform.freshViews()));
  });

  test('keeps storage options and marks, and works with no projection running', async () => {
    const views = await platform.freshViews();
    const projection = await platform.projection();
    await platform.caughtUp(views);
    await projection.stop();
    await views.source.query(`insert into marks values ('ann', 'one', 0, 1, 1, 1, 1)`);
    await platform.say('one', 'ann', 'nobody projects this');
    const { events } = await rebuilt(views);
    const lasts = await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => platform.log.lastSequence(p)));
    expect(events).toBe(lasts.reduce((sum, last) => sum + last, 0));
    expect((await inboxOf(views, 'ann', { limit: 10 })).items[0]?.lastMessage?.content).toBe('nobody projects this');
    const [tails]: { reloptions: string[] }[] = await views.source.query(
      `select reloptions from pg_class where relname = 'room_tails'`,
    );
    expect(tails?.reloptions).toEqual(['fillfactor=70']);
    expect(await views.source.query('select user_id from marks')).toEqual([{ user_id: 'ann' }]);
  });

  test('waits for a query that holds a table, and does not make others wait behind it', async () => {
    const views = await platform.freshViews();
    await platform.projection();
    await platform.caughtUp(views);
    const reader = await views.writer('slow reader');
    let swapped = false;
    await reader.execute('begin');
    await reader.execute('select count(*) from messages');
    const swapping = rebuilt(views).then(() => (swapped = true));
    await eventually(async () => {
      const waiting: unknown[] = await views.source.query(
        `select 1 from pg_locks where not granted and mode = 'AccessExclusiveLock'`,
      );
      return waiting.length > 0;
    });
    expect(await getRoom(views, 'one')).toBeDefined();
    expect(swapped).toBe(false);
    await reader.execute('commit');
    await reader.release();
    await swapping;
    expect(await generations(views)).toEqual([1]);
  });

  test('is one at a time', async () => {
    const views = await platform.freshViews();
    await platform.projection();
    await platform.caughtUp(views);
    const ends = await Promise.allSettled([rebuilt(views), rebuilt(views)]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { message: 'another rebuild is running: wait for its end' },
    });
  });

  test('a read model that is new is built beside the others and joins them', async () => {
    const views = await platform.freshViews();
    const first = await platform.projection();
    await platform.caughtUp(views);
    await first.stop();
    await views.source.query(`delete from checkpoints where model = 'keys'; truncate message_keys`);
    await platform.say('three', 'ann', 'a new version starts', 'late key');
    await platform.projection();
    await eventually(async () => {
      const known: { n: number }[] = await views.source.query(
        `select count(*)::int as n from checkpoints where model = 'keys'`,
      );
      return known[0]?.n === PARTITIONS;
    });
    await platform.say('three', 'ann', 'and goes on', 'later key');
    await platform.caughtUp(views);
    expect(await allRows(views)).toEqual(await fold(platform, await platform.freshViews()));
  });
});

describe('an operator', () => {
  test('is told how a rebuild goes, and what is wrong with a request', async () => {
    const views = await platform.freshViews();
    const { rebuilds } = await platform.projection();
    await platform.caughtUp(views);
    const end = (request: unknown) => lastValueFrom(rebuilds.requested(request));
    expect(await end({ models: ['users'] })).toMatchObject({
      kind: 'done',
      text: expect.stringMatching(/^users rebuilt from/),
    });
    expect(await end({ models: ['nonsense'] })).toEqual({
      kind: 'failed',
      text: 'no read model nonsense: there are rooms, timeline, members, users, keys',
    });
    expect(await end({ replay: 'x' })).toEqual({ kind: 'failed', text: 'x is no position: they look like 0-15' });
    expect(await end({ replay: '0-99999' })).toEqual({ kind: 'failed', text: 'there is no event at 0-99999' });
  });

  test('replays a dead letter once it can be read, with everything that was counted after it', async () => {
    const partition = subjects.partitionOfRoom('replayed');
    await platform.room('replayed', 'ann');
    const dead = await platform.say('replayed', 'ann', 'first');
    const after = await platform.say('replayed', 'ann', 'second');
    const views = await platform.freshViews();
    // A version that cannot read this event yet.
    const unreadable = (entry: StoredEntry): StoredEntry =>
      entry.partition === partition && entry.seq === dead.seq
        ? { ...entry, decoded: { kind: 'unreadable', reason: 'not yet' } }
        : entry;
    const { log } = platform;
    const blind = withParts(log, {
      follow: (options, onBatch) => log.follow(options, (entries, last) => onBatch(entries.map(unreadable), last)),
      entry: async () => undefined,
    });
    const old = await platform.projection({ log: blind });
    await platform.caughtUp(views);
    expect((await listDeadLetters(views, 10)).map(({ seq }) => seq)).toEqual([dead.seq]);
    expect(await getMessage(views, 'replayed', after.id)).toMatchObject({ ordinal: 1 });
    await old.stop();

    const { rebuilds, health } = await platform.projection();
    const report = await lastValueFrom(rebuilds.requested({ replay: `${partition}-${dead.seq}` }));
    expect(report.kind).toBe('done');
    expect(await listDeadLetters(views, 10)).toEqual([]);
    expect(await getMessage(views, 'replayed', dead.id)).toMatchObject({ ordinal: 1, content: 'first' });
    expect(await getMessage(views, 'replayed', after.id)).toMatchObject({ ordinal: 2 });
    expect((await health.report()).parts['dead letters']).toMatchObject({ ok: true });
  });
});
