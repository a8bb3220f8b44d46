import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Database } from './database.js';
import { writeMarks } from './marks/marks.js';
import { PartitionWriter } from './partition-writer.js';
import { checkpointOf, CheckpointMovedError } from './positions/checkpoints.js';
import { projections } from './projections.js';
import { allRows, project, useDatabases } from './test-database.js';
import { TestLog } from './test-log.js';
import { inboxOf } from './inbox/queries.js';
import { getMessage } from './timeline/queries.js';

const databases = useDatabases();
const IDENTITY = { epoch: 'epoch', last: 1_000 };

async function openPartition(database: Database, partition = 0) {
  const writer = await database.writer('test');
  return { writer, target: new PartitionWriter(writer, partition, projections) };
}

describe('a partition', () => {
  let database: Database;
  let log: TestLog;
  beforeEach(async () => {
    database = await databases.fresh();
    log = new TestLog(1);
    log.room('r', 'ann');
    log.join('r', 'bob');
    log.say('r', 'bob', 'one', 'k1');
    log.leave('r', 'bob');
  });

  test('a batch that is delivered again changes nothing', async () => {
    const { writer, target } = await openPartition(database);
    await target.load(IDENTITY);
    await target.apply(log.of(0));
    const rows = await allRows(database);
    await target.apply(log.of(0));
    await target.apply(log.of(0).slice(1, 3));
    await target.load(IDENTITY);
    await target.apply(log.of(0));
    expect(await allRows(database)).toEqual(rows);
    await writer.release();
  });

  test('a connection that is lost in a batch leaves it undone, and the next one does it once', async () => {
    const { writer, target } = await openPartition(database);
    await target.load(IDENTITY);
    await target.apply(log.of(0).slice(0, 2));
    const [{ pid }] = (await writer.query<{ pid: number }>('pid', 'select pg_backend_pid() as pid')) as [
      { pid: number },
    ];
    const before = await allRows(database);
    const torn = writer.transaction(async () => {
      await target.applyWithin(log.of(0));
      await database.query('kill', 'select pg_terminate_backend($1)', [pid]);
      await writer.query('after', 'select 1');
    });
    await expect(torn).rejects.toThrow(/terminat|not queryable/i);
    expect(writer.lost.aborted).toBe(true);
    await writer.release();
    expect(await allRows(database)).toEqual(before);

    await project(database, log);
    const whole = await databases.fresh();
    await project(whole, log);
    expect(await allRows(database)).toEqual(await allRows(whole));
  });

  test('a writer that was overtaken is refused by the checkpoint before it writes anything', async () => {
    const [first, second] = [await openPartition(database), await openPartition(database)];
    await first.target.load(IDENTITY);
    await second.target.load(IDENTITY);
    await second.target.apply(log.of(0));
    const rows = await allRows(database);
    await expect(first.target.apply(log.of(0).slice(0, 2))).rejects.toThrow(CheckpointMovedError);
    expect(await allRows(database)).toEqual(rows);
    await Promise.all([first.writer.release(), second.writer.release()]);
  });

  test('unknown types, unknown subjects and events in the wrong place are stepped over', async () => {
    log.addRaw(log.subjects.timeline('r'), { kind: 'unknown', type: 'ReactionAdded' });
    log.add('chat.0.room.r.something', 'ann', { type: 'MessageSent', data: { content: 'lost', type: 'text' } });
    log.add(log.subjects.config('r'), 'ann', { type: 'MessageSent', data: { content: 'misplaced', type: 'text' } });
    const id = log.say('r', 'ann', 'two');
    await project(database, log);
    expect(await getMessage(database, 'r', id)).toMatchObject({ ordinal: 2 });
    expect(await checkpointOf(database, 0)).toMatchObject({ seq: log.of(0).length });
  });

  test('another epoch begins the views anew', async () => {
    await project(database, log, { epoch: 'old' });
    const restored = new TestLog(1);
    restored.room('other', 'cid');
    await project(database, restored, { epoch: 'new' });
    const fresh = await databases.fresh();
    await project(fresh, restored, { epoch: 'new' });
    expect(await allRows(database)).toEqual(await allRows(fresh));
    expect(await checkpointOf(database, 0)).toMatchObject({ epoch: 'new', seq: 2 });
  });

  test('a log that has lost its end begins them anew, and takes back the marks that stood on what is lost', async () => {
    log.join('r', 'cid');
    for (const text of ['two', 'three', 'four']) log.say('r', 'ann', text);
    await project(database, log);
    const seq = log.of(0).length;
    await writeMarks(database, [{ userId: 'cid', roomId: 'r', partition: 0, seq, kind: 'read' }]);
    log.of(0).splice(-2);
    await project(database, log);
    expect((await inboxOf(database, 'cid', { limit: 1 })).items[0]).toMatchObject({
      unread: 0,
      readUpTo: `msg_${(seq - 2) * 1024}`,
    });
    log.say('r', 'ann', 'five');
    await project(database, log);
    expect((await inboxOf(database, 'cid', { limit: 1 })).items[0]).toMatchObject({ unread: 1 });
  });

  test('a read model that stands elsewhere is left out, named, and holds nobody back', async () => {
    await project(database, log, { models: projections.filter(({ name }) => name !== 'users') });
    await database.source.query(
      `insert into checkpoints (model, partition, epoch, seq, at) values ('users', 0, 'epoch', 1, 1)`,
    );
    const { writer, target } = await openPartition(database);
    expect((await target.load(IDENTITY)).map(({ name }) => name)).toEqual(['users']);
    log.say('r', 'ann', 'two');
    await target.apply(log.of(0));
    expect(await checkpointOf(database, 0)).toMatchObject({ seq: log.of(0).length });
    await writer.release();
  });
});

type Step =
  | {
      readonly do: 'join' | 'leave' | 'remove' | 'mute' | 'status' | 'roster';
      readonly user: string;
      readonly room: string;
    }
  | { readonly do: 'say'; readonly user: string; readonly room: string; readonly key: number };

const user = fc.constantFrom('ann', 'bob', 'cid');
const room = fc.constantFrom('r1', 'r2');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('join', 'leave', 'remove', 'mute', 'status', 'roster'), user, room }),
  fc.record({ do: fc.constant('say' as const), user, room, key: fc.nat(5) }),
);

/** In a log, messages come from members only: the broker's fence sees to it. */
function take(log: TestLog, inside: Set<string>, given: Step, i: number): void {
  const { user: who, room: where } = given;
  const place = `${where} ${who}`;
  if (given.do === 'join' || given.do === 'mute') inside.add(place);
  if (given.do === 'leave' || given.do === 'remove') inside.delete(place);
  if (given.do === 'say' && !inside.has(place)) return;
  switch (given.do) {
    case 'join':
      return log.join(where, who);
    case 'leave':
      return void log.leave(where, who);
    case 'remove':
      return void log.member(where, who, 'MemberRemoved', { standing: 'removed', banned: true });
    case 'mute':
      return void log.member(where, who, 'MemberChanged', { standing: 'member', muted: true });
    case 'status':
      return void log.add(log.subjects.status(who), who, { type: 'StatusChanged', data: { status: { n: String(i) } } });
    case 'roster':
      return log.roster(where, i);
    case 'say':
      return void log.say(where, who, `text ${i}`, given.key === 0 ? undefined : `key ${given.key}`);
  }
}

test('whatever happens, and wherever batches are cut, the views are the same', async () => {
  const [alone, cut] = [await databases.fresh(), await databases.fresh()];
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 40 }),
    fc.integer({ min: 2, max: 50 }),
    async (steps, batch) => {
      const epoch = `epoch ${Math.trunc(performance.now() * 1000)}`;
      const log = new TestLog(2);
      log.room('r1', 'ann');
      log.room('r2', 'bob');
      const inside = new Set(['r1 ann', 'r2 bob']);
      steps.forEach((each, i) => take(log, inside, each, i));
      await project(alone, log, { batch: 1, epoch });
      await project(cut, log, { batch, epoch });
      expect(await allRows(cut)).toEqual(await allRows(alone));
    },
  );
  await fc.assert(property, { numRuns: 25 });
}, 120_000);
