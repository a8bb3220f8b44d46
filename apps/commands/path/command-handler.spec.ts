/** The one command path over the memory twin: what an edge is answered, and what then stands in the log. */
import { describe, expect, test } from '@jest/globals';
import { channelRoomId, messageId, Subjects } from '#contract';
import { MemoryLog, type MemoryFaults } from '#event-log/memory';
import { accepted, ask, handling, readingBy, refusal, wholeLog } from './handler-fixture.js';

const one = (options: ConstructorParameters<typeof MemoryLog>[0] = {}, roomsOnJoin = false) => {
  const log = new MemoryLog({ partitions: 1, ...options });
  return { log, ...handling(log, { roomsOnJoin }) };
};
const types = async (log: MemoryLog): Promise<string[]> =>
  (await wholeLog(log, 0)).map(({ decoded }) => (decoded.kind === 'event' ? decoded.event.type : decoded.kind));

describe('a command', () => {
  test('is answered with its place in the log', async () => {
    const { log, handler } = one();
    const created = await accepted(ask(handler, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    expect(created).toEqual({
      id: 'den',
      roomId: 'den',
      position: '0-3',
      seq: 3,
      duplicate: false,
      changed: true,
    });
    const sent = await accepted(ask(handler, 'SendMessage', 'olga', { roomId: 'den', content: 'hello' }));
    expect(sent).toMatchObject({ id: messageId({ partition: 0, seq: 4 }), seq: 4, position: '0-4', roomId: 'den' });
    expect(await types(log)).toEqual(['RoomCreated', 'RosterChanged', 'MemberJoined', 'MessageSent']);
  });

  test('is validated once, whoever sends it: a body that does not fit is refused with the field', async () => {
    const { handler } = one();
    expect(await refusal(ask(handler, 'SendMessage', 'olga', { roomId: 'den' }))).toMatchObject({
      code: 'invalid_body',
      detail: expect.stringContaining('content'),
    });
    expect(await refusal(handler.answer('SendMessage', undefined))).toMatchObject({ code: 'invalid_body' });
    expect(await refusal(handler.answer('SendMessage', { actor: { userId: '' }, body: {} }))).toMatchObject({
      code: 'invalid_body',
    });
    expect(
      await refusal(ask(handler, 'SendMessage', 'olga', { roomId: 'den', content: 'x' }, 'bad\nkey')),
    ).toMatchObject({ code: 'invalid_body' });
  });

  test('that is refused by the rules is answered, not thrown, and nothing is stored', async () => {
    const { log, handler, faults } = one();
    expect(await refusal(ask(handler, 'SendMessage', 'bob', { roomId: 'den', content: 'x' }))).toEqual({
      code: 'room_not_found',
      detail: 'room not found',
    });
    expect(await types(log)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('with nothing to do says so, at the position that says why', async () => {
    const { handler } = one();
    await accepted(ask(handler, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    const joined = await accepted(ask(handler, 'JoinRoom', 'olga', { roomId: 'den' }));
    expect(joined).toMatchObject({ id: 'den', changed: false, duplicate: false, position: '0-3' });
    const left = await accepted(ask(handler, 'LeaveRoom', 'bob', { roomId: 'den' }));
    expect(left).toMatchObject({ changed: false });
  });

  test("of a user stands in the user's own partition", async () => {
    const log = new MemoryLog({ partitions: 8 });
    const { handler } = handling(log);
    const result = await accepted(ask(handler, 'SetStatus', 'ann', { online: true, status: { mood: 'calm' } }));
    const subjects = new Subjects(8);
    expect(result).toMatchObject({ id: 'ann', position: `${subjects.partitionOfUser('ann')}-1` });
    expect(result).not.toHaveProperty('roomId');
    await accepted(ask(handler, 'SetStatus', 'ann', { status: { mood: 'glad' } }));
    const last = await log.last(subjects.status('ann'));
    expect(last?.decoded).toMatchObject({ event: { data: { status: { mood: 'glad' } } } });
  });

  test('whose user comes from elsewhere stands under a token, with the id in its event', async () => {
    const { log, handler } = one();
    const userId = 'auth0|ann@example.org';
    await accepted(ask(handler, 'CreateRoom', userId, { roomId: 'den', name: 'Den' }));
    const last = await log.last(new Subjects(1).member('den', userId));
    expect(last?.decoded).toMatchObject({ event: { actor: userId, data: { member: { userId } } } });
  });

  test('that fails for no known reason is reported once and answered `internal`', async () => {
    const log = new MemoryLog({ partitions: 1 });
    const { handler, faults } = handling(readingBy(log, () => Promise.reject(new TypeError('broken'))));
    expect(await refusal(ask(handler, 'JoinRoom', 'bob', { roomId: 'den' }))).toEqual({
      code: 'internal',
      detail: 'internal error',
    });
    expect(faults).toHaveLength(1);
  });
});

describe('a missing room', () => {
  test('is made by who joins it, where the deployment wants that', async () => {
    const { handler } = one({}, true);
    expect(await accepted(ask(handler, 'JoinRoom', 'bob', { roomId: 'new' }))).toMatchObject({ changed: true });
    await accepted(ask(handler, 'ChangeRoom', 'bob', { roomId: 'new', name: 'mine' }));
    const strict = one();
    expect(await refusal(ask(strict.handler, 'JoinRoom', 'bob', { roomId: 'new' }))).toMatchObject({
      code: 'room_not_found',
    });
  });

  test('without an id gets a new one', async () => {
    const { handler } = one();
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) ids.add((await accepted(ask(handler, 'CreateRoom', 'bob', { name: 'x' }))).id);
    expect(ids.size).toBe(3);
  });
});

describe('a participant channel', () => {
  test('is created by its first message, once, whoever sends first', async () => {
    const { log, handler } = one();
    const participants = ['ann', 'bob'];
    const sends = ['ann', 'bob', 'ann', 'bob'].map((by, i) =>
      accepted(ask(handler, 'SendMessage', by, { participants, content: `${i}` })),
    );
    const results = await Promise.all(sends);
    expect(new Set(results.map(({ roomId }) => roomId))).toEqual(new Set([channelRoomId(participants)]));
    const stored = await types(log);
    expect(stored.filter((type) => type === 'RoomCreated')).toHaveLength(1);
    expect(stored.filter((type) => type === 'MemberJoined')).toHaveLength(2);
    expect(stored.filter((type) => type === 'MessageSent')).toHaveLength(4);
    for (const { seq } of results) expect(stored[seq - 1]).toBe('MessageSent');
  });

  test('can be written to by its room id, by who is in it; for others it does not exist', async () => {
    const { handler } = one();
    const { roomId } = await accepted(
      ask(handler, 'SendMessage', 'ann', { participants: ['bob', 'ann'], content: 'hi' }),
    );
    await accepted(ask(handler, 'SendMessage', 'bob', { roomId: roomId!, content: 'hello' }));
    const stranger = ask(handler, 'SendMessage', 'zoe', { roomId: roomId!, content: 'x' });
    expect(await refusal(stranger)).toMatchObject({ code: 'room_not_found' });
  });
});

describe('remembered state', () => {
  const twoHandlers = (faults: MemoryFaults = {}) => {
    const log = new MemoryLog({ partitions: 1, faults });
    return { log, here: handling(log).handler, there: handling(log).handler };
  };

  test('a membership that has ended elsewhere is noticed by the fence', async () => {
    const { log, here, there } = twoHandlers();
    await accepted(ask(here, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    await accepted(ask(here, 'JoinRoom', 'bob', { roomId: 'den' }));
    await accepted(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: 'still here' }));
    await accepted(ask(there, 'RemoveMember', 'olga', { roomId: 'den', userId: 'bob' }));
    expect(await refusal(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: 'gone' }))).toMatchObject({
      code: 'not_member',
    });
    expect((await types(log)).filter((type) => type === 'MessageSent')).toHaveLength(1);
  });

  test('a membership that has begun elsewhere is no reason to refuse', async () => {
    const { here, there } = twoHandlers();
    await accepted(ask(here, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    await refusal(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: 'early' }));
    await accepted(ask(there, 'JoinRoom', 'bob', { roomId: 'den' }));
    await accepted(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: 'in time' }));
  });

  test('a changed membership costs another decision, not a refusal', async () => {
    const { here, there } = twoHandlers();
    await accepted(ask(here, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    await accepted(ask(here, 'JoinRoom', 'bob', { roomId: 'den' }));
    await accepted(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: '1' }));
    await accepted(ask(there, 'ChangeMember', 'olga', { roomId: 'den', userId: 'bob', role: 'moderator' }));
    await accepted(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: '2' }));
    await accepted(ask(there, 'ChangeMember', 'olga', { roomId: 'den', userId: 'bob', muted: true }));
    expect(await refusal(ask(here, 'SendMessage', 'bob', { roomId: 'den', content: '3' }))).toMatchObject({
      code: 'muted',
    });
  });

  test('a room that was archived elsewhere is known from its live config', async () => {
    const { here, there } = twoHandlers();
    const following = await here.follow();
    await accepted(ask(here, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    await accepted(ask(here, 'SendMessage', 'olga', { roomId: 'den', content: '1' }));
    await accepted(ask(there, 'ArchiveRoom', 'olga', { roomId: 'den' }));
    expect(await refusal(ask(here, 'SendMessage', 'olga', { roomId: 'den', content: '2' }))).toMatchObject({
      code: 'room_archived',
    });
    await following.stop();
  });

  test('two handlers fill a room exactly', async () => {
    const { log, here, there } = twoHandlers();
    await accepted(ask(here, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den', maxMembers: 11 }));
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(i % 2 ? here : there, 'JoinRoom', `user${i}`, { roomId: 'den' })),
    );
    expect(replies.filter((reply) => 'ok' in reply)).toHaveLength(10);
    for (const reply of replies) if ('refused' in reply) expect(reply.refused.code).toBe('room_full');
    expect((await types(log)).filter((type) => type === 'MemberJoined')).toHaveLength(11);
    const roster = await log.last(new Subjects(1).roster('den'));
    expect(roster?.decoded).toMatchObject({ event: { data: { roster: { members: 11, limit: 11 } } } });
  });
});

describe('a room', () => {
  test('is read roster first: a membership that is older than its roster frees no seat twice', async () => {
    const log = new MemoryLog({ partitions: 1 });
    const subjects = new Subjects(1);
    const there = handling(log).handler;
    let removal: Promise<unknown> | undefined;
    // The slowest network for whoever reads all at once: bob's membership is read, bob is removed, then the roster is read.
    const last = async (subject: string) => {
      if (subject === subjects.roster('den')) await new Promise(setImmediate).then(() => removal);
      const read = await log.last(subject);
      if (subject === subjects.member('den', 'bob')) await (removal ??= remove(there));
      return read;
    };
    const remove = (handler: typeof there) =>
      accepted(ask(handler, 'RemoveMember', 'olga', { roomId: 'den', userId: 'bob' }));
    await accepted(ask(there, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' }));
    await accepted(ask(there, 'JoinRoom', 'bob', { roomId: 'den' }));
    const slow = handling(readingBy(log, last));
    expect(await remove(slow.handler)).toMatchObject({ changed: false });
    const roster = await log.last(subjects.roster('den'));
    expect(roster?.decoded).toMatchObject({ event: { data: { roster: { members: 1 } } } });
  });

  test('that many join at once as it is made is made once, and shared batches count every seat', async () => {
    const { log, handler } = one({}, true);
    const joins = Array.from({ length: 150 }, (_, i) =>
      accepted(ask(handler, 'JoinRoom', `user${i}`, { roomId: 'den' })),
    );
    const results = await Promise.all(joins);
    expect(new Set(results.map(({ seq }) => seq)).size).toBe(150);
    const stored = await types(log);
    expect(stored.filter((type) => type === 'RoomCreated')).toHaveLength(1);
    expect(stored.filter((type) => type === 'RosterChanged').length).toBeLessThan(10);
    const roster = await log.last(new Subjects(1).roster('den'));
    expect(roster?.decoded).toMatchObject({ event: { data: { roster: { members: 150, owner: 'user0' } } } });
  });
});

describe('a log that does not answer', () => {
  test('is `unavailable`, and the same command goes through later', async () => {
    let away = true;
    const { handler } = one({ faults: { unavailable: () => away } });
    const create = () => ask(handler, 'CreateRoom', 'olga', { roomId: 'den', name: 'Den' });
    expect(await refusal(create())).toMatchObject({ code: 'unavailable', retryMs: 1_000 });
    away = false;
    await accepted(create());
  });
});
