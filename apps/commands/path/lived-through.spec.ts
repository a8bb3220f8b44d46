/** One command under way twice: what refuses one of its attempts refuses the other, however late that comes to the log. */
import { describe, expect, test } from '@jest/globals';
import type { EventLog } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import { accepted, ask, freshKey, handling, refusal, wholeLog } from './handler-fixture.js';

const den = { roomId: 'den' };

describe.each(['fence-first', 'id-first'] as const)('a broker that checks %s', (order) => {
  /** A process whose next send waits before it goes to the log, until others have done something. */
  async function platform(meanwhile: (others: ReturnType<typeof handling>) => Promise<void>) {
    const log = new MemoryLog({ partitions: 1, order });
    const others = handling(log);
    let waits = false;
    const slow = new Proxy<EventLog>(log, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (property !== 'append') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        return async (...args: Parameters<EventLog['append']>) => {
          if (waits) {
            waits = false;
            await meanwhile(others);
          }
          return target.append(...args);
        };
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
