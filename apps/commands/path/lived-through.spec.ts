/** One command under way twice: what refuses one of its attempts refuses the other, however late that comes to the log. */
import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { MemoryLog } from '#event-log/memory';
import type { RequestTimes } from '#service';
import { withParts } from '#testing';
import type { CommandHandler } from './command-handler.js';
import { accepted, ask, askedAgo, freshKey, handling, readingBy, refusal, wholeLog } from './handler-fixture.js';

const den = { roomId: 'den' };

describe.each(['fence-first', 'id-first'] as const)('a broker that checks %s', (order) => {
  /** A process whose next send waits before it goes to the log, until others have done something. */
  async function platform(meanwhile: (others: ReturnType<typeof handling>) => Promise<void>) {
    const log = new MemoryLog({ partitions: 1, order });
    const others = handling(log);
    let waits = false;
    const slow = withParts(log, {
      append: async (...args) => {
        if (waits) {
          waits = false;
          await meanwhile(others);
        }
        return log.append(...args);
      },
    });
    const late = handling(slow);
    await accepted(ask(others.handler, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    await accepted(ask(others.handler, 'JoinRoom', 'bob', den));
    await accepted(ask(late.handler, 'SendMessage', 'bob', { ...den, content: 'before' }, freshKey()));
    waits = true;
    return { log, late };
  }
  const contents = async (log: MemoryLog): Promise<unknown[]> =>
    (await wholeLog(log, 0)).flatMap(({ decoded }) =>
      decoded.kind === 'event' && decoded.event.type === 'MessageSent' ? [decoded.event.data.content] : [],
    );
  const key = freshKey();
  const send = (handler: ReturnType<typeof handling>['handler']) =>
    ask(handler, 'SendMessage', 'bob', { ...den, content: 'under way' }, key);
  const mute = (handler: ReturnType<typeof handling>['handler'], muted: boolean) =>
    accepted(ask(handler, 'ChangeMember', 'olga', { ...den, userId: 'bob', muted }));

  test('a mute that has ended again refuses both', async () => {
    const { log, late } = await platform(async ({ handler }) => {
      await mute(handler, true);
      expect(await refusal(send(handler))).toMatchObject({ code: 'muted' });
      await mute(handler, false);
    });
    expect(await refusal(send(late.handler))).toMatchObject({ code: 'muted' });
    expect(await contents(log)).toEqual(['before']);
  });

  test('so does a leaving, for who has come again', async () => {
    const { log, late } = await platform(async ({ handler }) => {
      await accepted(ask(handler, 'LeaveRoom', 'bob', den));
      expect(await refusal(send(handler))).toMatchObject({ code: 'not_member' });
      await accepted(ask(handler, 'JoinRoom', 'bob', den));
    });
    expect(await refusal(send(late.handler))).toMatchObject({ code: 'not_member' });
    expect(await contents(log)).toEqual(['before']);
  });

  test('where one was stored in between, the other gets its result', async () => {
    const { log, late } = await platform(async ({ handler }) => {
      await accepted(send(handler));
      await mute(handler, true);
      await mute(handler, false);
    });
    expect((await accepted(send(late.handler))).duplicate).toBe(true);
    expect(await contents(log)).toEqual(['before', 'under way']);
  });

  test('a change that would have refused nothing is passed over', async () => {
    const { log, late } = await platform(async ({ handler }) => {
      await accepted(ask(handler, 'ChangeMember', 'olga', { ...den, userId: 'bob', role: 'moderator' }));
    });
    expect((await accepted(send(late.handler))).duplicate).toBe(false);
    expect(await contents(log)).toEqual(['before', 'under way']);
  });
});

describe('a request that was long on its way', () => {
  const key = freshKey();
  const send = (handler: CommandHandler, asked?: RequestTimes) =>
    ask(handler, 'SendMessage', 'bob', { ...den, content: 'late' }, key, asked);
  const sent = async (log: MemoryLog) =>
    (await wholeLog(log, 0)).filter(({ decoded }) => decoded.kind === 'event' && decoded.event.type === 'MessageSent');

  /** Bob's send was refused, and what refused it has ended. */
  async function refusedBefore() {
    const log = new MemoryLog({ partitions: 1 });
    const { handler } = handling(log);
    await accepted(ask(handler, 'CreateRoom', 'olga', { ...den, name: 'Den' }));
    expect(await refusal(send(handler))).toMatchObject({ code: 'not_member' });
    await accepted(ask(handler, 'JoinRoom', 'bob', den));
    return { log, handler: handling(log).handler, knowing: handler };
  }

  test('is not decided, and its edge is told to ask again', async () => {
    const { log, handler, knowing } = await refusedBefore();
    for (const each of [handler, knowing])
      expect(await send(each, askedAgo(3_000))).toMatchObject({ refused: { code: 'unavailable' }, again: true });
    expect(await sent(log)).toEqual([]);
  });

  test('neither is any other command: a seat may have been taken and freed since', async () => {
    const { log, handler } = await refusedBefore();
    const before = await log.lastSequence(0);
    const join = ask(handler, 'JoinRoom', 'cleo', den, freshKey(), askedAgo(3_000));
    expect(await join).toMatchObject({ refused: { code: 'unavailable' }, again: true });
    expect(await log.lastSequence(0)).toBe(before);
  });

  test('is refused for now, where what it stands on has changed since', async () => {
    const { log, handler, knowing } = await refusedBefore();
    for (const each of [handler, knowing])
      for (const asked of [askedAgo(1_100), askedAgo(100, 6_000)]) {
        const reply = await send(each, asked);
        expect(reply).toMatchObject({ refused: { code: 'unavailable' } });
        // Its edge would only ask for longer: its client has to.
        expect(reply).not.toHaveProperty('again');
      }
    expect(await sent(log)).toEqual([]);
    expect((await accepted(send(handler))).duplicate).toBe(false);
  });

  test('is stored, where nothing has changed', async () => {
    const { log, handler } = await refusedBefore();
    const olga = { ...den, content: 'late' };
    await waitUntil('what was done is long past', 10_000, async () => {
      const reply = await ask(handler, 'SendMessage', 'olga', olga, freshKey(), askedAgo(1_100));
      return 'ok' in reply;
    });
    expect(await sent(log)).toHaveLength(1);
  });

  test('gets the first result, where it was stored before', async () => {
    const { log, handler, knowing } = await refusedBefore();
    const first = await accepted(send(knowing));
    expect(await accepted(send(handler, askedAgo(1_100)))).toMatchObject({ id: first.id, duplicate: true });
    expect(await sent(log)).toHaveLength(1);
  });

  test('is late when it is decided, not when it comes', async () => {
    const { log } = await refusedBefore();
    const asked = askedAgo(2_900, 2_900);
    const late = () => performance.now() - asked.askedAtMs >= 3_000;
    const slow = readingBy(log, async (subject) => {
      await waitUntil('it is late', 10_000, late);
      return log.last(subject);
    });
    const { handler } = handling(slow);
    const join = ask(handler, 'JoinRoom', 'cleo', den, freshKey(), asked);
    for (const reply of await Promise.all([join, send(handler, asked)])) expect(reply).toMatchObject({ again: true });
    expect(await sent(log)).toEqual([]);
  });
});
