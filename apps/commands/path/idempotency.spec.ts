/** A key makes a command happen once: over the memory twin, in both orders in which brokers check fence and id. */
import { describe, expect, test } from '@jest/globals';
import { channelRoomId } from '#contract';
import { MemoryLog } from '#event-log/memory';
import { accepted, ask, freshKey, handling, refusal, wholeLog } from './handler-fixture.js';

const MINUTE_MS = 60_000;
const den = { roomId: 'den' };

describe.each(['fence-first', 'id-first'] as const)('a broker that checks %s', (order) => {
  const platform = async (now: () => number = Date.now) => {
    const log = new MemoryLog({ partitions: 1, order, now });
    const here = handling(log);
    const there = handling(log);
    await accepted(ask(here.handler, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    await accepted(ask(here.handler, 'JoinRoom', 'bob', den));
    return { log, here, there };
  };
  const messages = async (log: MemoryLog): Promise<number> =>
    (await wholeLog(log, 0)).filter(({ subject }) => subject.endsWith('.timeline')).length;

  test.each([
    ['young', freshKey()],
    ['old', freshKey(5 * MINUTE_MS)],
    ['from the future', freshKey(-10 * MINUTE_MS)],
    ["of the client's own", 'order 17/3'],
  ])('a repeat with a key %s gets the first result', async (_, key) => {
    const { log, here, there } = await platform();
    const send = (at: typeof here) => accepted(ask(at.handler, 'SendMessage', 'bob', { ...den, content: 'once' }, key));
    const first = await send(here);
    expect(first.duplicate).toBe(false);
    expect(await send(here)).toEqual({ ...first, duplicate: true });
    expect(await send(there)).toEqual({ ...first, duplicate: true });
    expect(await messages(log)).toBe(1);
  });

  test.each([
    ['young', freshKey()],
    ['old', freshKey(5 * MINUTE_MS)],
  ])('the same key (%s) with another body is refused', async (_, key) => {
    const { log, here, there } = await platform();
    await accepted(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'one' }, key));
    for (const { handler } of [here, there])
      expect(await refusal(ask(handler, 'SendMessage', 'bob', { ...den, content: 'two' }, key))).toMatchObject({
        code: 'key_reused',
      });
    expect(await messages(log)).toBe(1);
  });

  test('the order of fields does not make another body', async () => {
    const { here } = await platform();
    const key = freshKey();
    const send = (metadata: Record<string, string>) =>
      accepted(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x', metadata }, key));
    await send({ a: '1', b: '2' });
    expect((await send({ b: '2', a: '1' })).duplicate).toBe(true);
  });

  test("a key is its sender's, its room's and its command's own", async () => {
    const { log, here } = await platform();
    const key = freshKey();
    await accepted(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, key));
    await accepted(ask(here.handler, 'SendMessage', 'olga', { ...den, content: 'x' }, key));
    await accepted(ask(here.handler, 'LeaveRoom', 'bob', den, key));
    expect(await messages(log)).toBe(2);
  });

  test('acknowledgement lost, then left, then repeated: the first result', async () => {
    const { log, here, there } = await platform();
    const key = freshKey();
    const send = ({ handler }: typeof here) =>
      ask(handler, 'SendMessage', 'bob', { ...den, content: 'last words' }, key);
    const first = await accepted(send(here));
    await accepted(ask(there.handler, 'LeaveRoom', 'bob', den));
    for (const handled of [here, there, handling(log)])
      expect(await accepted(send(handled))).toEqual({ ...first, duplicate: true });
    expect(await refusal(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'other' }, key))).toMatchObject({
      code: 'key_reused',
    });
    expect(await refusal(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, freshKey()))).toMatchObject({
      code: 'not_member',
    });
    expect(await messages(log)).toBe(1);
  });

  test('left, joined again, then repeated: still once', async () => {
    const { log, here, there } = await platform();
    const key = freshKey();
    const send = ({ handler }: typeof here) =>
      accepted(ask(handler, 'SendMessage', 'bob', { ...den, content: 'x' }, key));
    const first = await send(here);
    await accepted(ask(there.handler, 'LeaveRoom', 'bob', den));
    await accepted(ask(there.handler, 'JoinRoom', 'bob', den));
    expect(await send(here)).toEqual({ ...first, duplicate: true });
    expect(await messages(log)).toBe(1);
  });

  test('the broker loses the acknowledgement itself: stored once, answered', async () => {
    let lost = 0;
    const log = new MemoryLog({
      partitions: 1,
      order,
      faults: { loseAck: ({ subject }) => subject.endsWith('.timeline') && lost++ === 0 },
    });
    const { handler } = handling(log);
    await accepted(ask(handler, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    const { seq } = await accepted(ask(handler, 'SendMessage', 'olga', { ...den, content: 'x' }, freshKey()));
    expect(seq).toBe(4);
    expect(await messages(log)).toBe(1);
  });

  test('a busy room: the first result is found behind thousands of messages, with the view and without', async () => {
    const { here, there } = await platform();
    const key = freshKey();
    const send = ({ handler }: typeof here) =>
      accepted(ask(handler, 'SendMessage', 'bob', { ...den, content: 'x' }, key));
    const first = await send(here);
    for (let i = 0; i < 1_300; i++)
      await accepted(ask(here.handler, 'SendMessage', 'olga', { ...den, content: `${i}` }));
    await accepted(ask(here.handler, 'LeaveRoom', 'bob', den));
    there.view.reachedMax = 0;
    expect(await send(there)).toEqual({ ...first, duplicate: true });
    there.view.away = true;
    expect(await send(there)).toEqual({ ...first, duplicate: true });
    expect(await send(here)).toEqual({ ...first, duplicate: true });
  });

  test('an old key waits for its view, and is `behind` when that does not come', async () => {
    const { here } = await platform();
    here.view.reachedMax = 2;
    const key = freshKey(5 * MINUTE_MS);
    expect(await refusal(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, key))).toMatchObject({
      code: 'behind',
      retryMs: 1_000,
    });
  });

  test('an old key is `unavailable` while the database is away; a young one, and a refusal of one, need none', async () => {
    const { here } = await platform();
    here.view.away = true;
    const send = (by: string, key: string) => ask(here.handler, 'SendMessage', by, { ...den, content: 'x' }, key);
    expect(await refusal(send('bob', 'old'))).toMatchObject({ code: 'unavailable' });
    for (let i = 0; i < 100; i++) await accepted(send('bob', freshKey()));
    expect(await refusal(send('zoe', freshKey()))).toMatchObject({ code: 'not_member' });
  });

  test('a young key asks the view nothing', async () => {
    const { here } = await platform();
    here.view.reachedMax = 0;
    await accepted(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, freshKey()));
    expect(here.view.finds).toBe(0);
  });

  test("what is young is judged by the broker's clock", async () => {
    const { here } = await platform(() => Date.now() + 5 * MINUTE_MS);
    here.view.reachedMax = 0;
    expect(
      await refusal(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, freshKey(MINUTE_MS))),
    ).toMatchObject({ code: 'behind' });
    await accepted(ask(here.handler, 'SendMessage', 'bob', { ...den, content: 'x' }, freshKey(-5 * MINUTE_MS)));
  });
});

describe.each([
  ['young', () => freshKey()],
  ['old', () => freshKey(5 * MINUTE_MS)],
])('batches, with a key that is %s', (_, makeKey) => {
  const platform = () => {
    const log = new MemoryLog({ partitions: 1 });
    return { log, here: handling(log).handler, there: handling(log).handler };
  };

  test('a room is created once, also without an id of its own', async () => {
    const { log, here, there } = platform();
    for (const roomId of [undefined, 'den']) {
      const key = makeKey();
      const create = (at: typeof here) =>
        accepted(ask(at, 'CreateRoom', 'olga', { name: 'Den', ...(roomId === undefined ? {} : { roomId }) }, key));
      const first = await create(here);
      expect(await create(there)).toEqual({ ...first, duplicate: true });
    }
    expect((await wholeLog(log, 0)).filter(({ subject }) => subject.endsWith('.config'))).toHaveLength(2);
  });

  test("another one's room is still `already_exists`, and another body `key_reused`", async () => {
    const { here } = platform();
    const key = makeKey();
    await accepted(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Den' }, key));
    expect(await refusal(ask(here, 'CreateRoom', 'mo', { ...den, name: 'Den' }, key))).toMatchObject({
      code: 'already_exists',
    });
    expect(await refusal(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Lair' }, key))).toMatchObject({
      code: 'key_reused',
    });
  });

  test('a join that is repeated after leaving does not bring its user back', async () => {
    const { log, here, there } = platform();
    await accepted(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    const key = makeKey();
    const first = await accepted(ask(here, 'JoinRoom', 'bob', den, key));
    await accepted(ask(here, 'LeaveRoom', 'bob', den, makeKey()));
    expect(await accepted(ask(there, 'JoinRoom', 'bob', den, key))).toEqual({ ...first, duplicate: true });
    expect((await wholeLog(log, 0)).at(-1)?.decoded).toMatchObject({ event: { type: 'MemberLeft' } });
  });

  test('a leave that is repeated says `changed` as it did first', async () => {
    const { here, there } = platform();
    await accepted(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    await accepted(ask(here, 'JoinRoom', 'bob', den));
    const key = makeKey();
    const first = await accepted(ask(here, 'LeaveRoom', 'bob', den, key));
    expect(first.changed).toBe(true);
    expect(await accepted(ask(there, 'LeaveRoom', 'bob', den, key))).toEqual({ ...first, duplicate: true });
  });

  test('the message that opens a channel is stored once', async () => {
    const { log, here, there } = platform();
    const key = makeKey();
    const open = (at: typeof here, participants: string[]) =>
      accepted(ask(at, 'SendMessage', 'bob', { participants, content: 'hi' }, key));
    const first = await open(here, ['bob', 'ann']);
    expect(first.roomId).toBe(channelRoomId(['ann', 'bob']));
    expect(await open(here, ['ann', 'bob'])).toEqual({ ...first, duplicate: true });
    await accepted(ask(here, 'SendMessage', 'ann', { participants: ['ann', 'bob'], content: 'hello' }, makeKey()));
    expect(await open(there, ['ann', 'bob', 'ann'])).toEqual({ ...first, duplicate: true });
    expect((await wholeLog(log, 0)).filter(({ subject }) => subject.endsWith('.timeline'))).toHaveLength(2);
  });

  test('many at once with one key: one result', async () => {
    const { log, here, there } = platform();
    await accepted(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    const key = makeKey();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => accepted(ask(i % 2 ? here : there, 'JoinRoom', 'bob', den, key))),
    );
    expect(new Set(replies.map(({ seq }) => seq)).size).toBe(1);
    expect(replies.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(
      (await wholeLog(log, 0)).filter(({ decoded }) => JSON.stringify(decoded).includes('MemberJoined')),
    ).toHaveLength(2);
  });

  test('a join, its leave and the join again, all waiting for one turn: the key is used once', async () => {
    const { log, here } = platform();
    await accepted(ask(here, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    const [join, leave] = [makeKey(), makeKey()];
    const before = ask(here, 'JoinRoom', 'ann', den, makeKey());
    const results = await Promise.all([
      accepted(ask(here, 'JoinRoom', 'bob', den, join)),
      accepted(ask(here, 'LeaveRoom', 'bob', den, leave)),
      accepted(ask(here, 'JoinRoom', 'bob', den, join)),
    ]);
    await accepted(before);
    expect(results[2]).toEqual({ ...results[0], duplicate: true });
    expect((await wholeLog(log, 0)).at(-1)?.decoded).toMatchObject({ event: { type: 'MemberLeft' } });
  });

  test('a profile that is set twice by one key is set once', async () => {
    const { here, there } = platform();
    const key = makeKey();
    const first = await accepted(ask(here, 'ChangeProfile', 'ann', { displayName: 'Ann' }, key));
    expect(await accepted(ask(there, 'ChangeProfile', 'ann', { displayName: 'Ann' }, key))).toEqual({
      ...first,
      duplicate: true,
    });
  });
});
