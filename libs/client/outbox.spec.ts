import { describe, expect, test } from '@jest/globals';
import { ClosedError, LimitError } from './errors.js';
import { Outbox, REQUESTS_MAX } from './outbox.js';

test('an application that asks for more than may wait is told so; what waits goes on', async () => {
  const outbox = new Outbox();
  const asked = Array.from({ length: REQUESTS_MAX }, (_, i) => outbox.add(`room ${i}`, { op: 'send' }));
  await expect(outbox.add('room', { op: 'send' })).rejects.toThrow(LimitError);
  for (const { id } of outbox.due(0)) outbox.acknowledged({ op: 'ack', id });
  expect(await Promise.all(asked)).toHaveLength(REQUESTS_MAX);
  const next = outbox.add('room', { op: 'send' });
  outbox.due(0).forEach(({ id }) => outbox.acknowledged({ op: 'ack', id }));
  expect(await next).toMatchObject({ op: 'ack' });
});

/** An outbox with a request, whose outcome is kept. */
function withRequest(outbox: Outbox, lane = 'tea'): { readonly outcome: Promise<unknown>; readonly id: string } {
  const outcome = outbox.add(lane, { op: 'send', key: lane }).catch((error: unknown) => error);
  return { outcome, id: outbox.pending.at(-1)?.id ?? '' };
}

const send = (outbox: Outbox, nowMs = 0): string[] =>
  outbox.due(nowMs).map((request) => {
    request.sent = true;
    return request.id;
  });

const refusal = (id: string, temporary: boolean, retryMs?: number) =>
  ({ op: 'error', id, code: 'rate_limited', message: 'too fast', temporary, ...(retryMs && { retryMs }) }) as const;

describe('the requests of a lane', () => {
  test('go one after the other, and those of others beside them', () => {
    const outbox = new Outbox();
    const [first, second, other] = ['tea', 'tea', 'cake'].map((lane) => withRequest(outbox, lane).id);
    expect([send(outbox), send(outbox)]).toEqual([[first, other], []]);
    outbox.acknowledged({ op: 'ack', id: first! });
    expect(send(outbox)).toEqual([second]);
  });

  test('wait together when the first is told to, for as long as it is', () => {
    const outbox = new Outbox();
    const [first, second] = ['tea', 'tea'].map((lane) => withRequest(outbox, lane).id);
    send(outbox);
    expect(outbox.nextDueMs(0)).toBeUndefined();
    outbox.refused(refusal(first!, true, 50), 100);
    expect([outbox.nextDueMs(100), send(outbox, 149), send(outbox, 150)]).toEqual([150, [], [first]]);
    outbox.refused(refusal(first!, true), 150);
    expect(outbox.nextDueMs(150)).toBe(1_150);
    send(outbox, 1_150);
    outbox.acknowledged({ op: 'ack', id: first! });
    expect(send(outbox, 1_150)).toEqual([second]);
  });

  test('have no time to wait for when it has passed: they wait for a connection then', () => {
    const outbox = new Outbox();
    const { id } = withRequest(outbox);
    send(outbox);
    outbox.refused(refusal(id, true, 50), 100);
    expect([outbox.nextDueMs(149), outbox.nextDueMs(150), outbox.nextDueMs(999)]).toEqual([150, undefined, undefined]);
  });

  test('are made again, each with its key and in their order, after a connection was lost', () => {
    const outbox = new Outbox();
    const [first] = ['tea', 'tea'].map((lane) => withRequest(outbox, lane).id);
    send(outbox);
    outbox.connectionLost();
    expect(outbox.due(0).map(({ id, frame }) => [id, frame.key])).toEqual([[first, 'tea']]);
  });
});

describe('an answer', () => {
  test('for good is the application’s, and nothing is left of the request', async () => {
    const outbox = new Outbox();
    const [done, refused] = [withRequest(outbox, 'tea'), withRequest(outbox, 'cake')];
    expect(outbox.acknowledged({ op: 'ack', id: done.id })?.id).toBe(done.id);
    outbox.refused(refusal(refused.id, false), 0);
    expect(await Promise.all([done.outcome, refused.outcome])).toMatchObject([
      { op: 'ack', id: done.id },
      { name: 'RefusedError', code: 'rate_limited', message: 'too fast', temporary: false },
    ]);
    expect(outbox.pending).toEqual([]);
  });

  test('to nothing that was asked changes nothing', () => {
    const outbox = new Outbox();
    const { id } = withRequest(outbox);
    expect(outbox.acknowledged({ op: 'ack', id: 'watch' })).toBeUndefined();
    outbox.refused(refusal('watch', false), 0);
    outbox.refused({ op: 'error', code: 'bad_frame', message: '', temporary: false } as never, 0);
    expect(outbox.pending.map((request) => request.id)).toEqual([id]);
  });
});

describe('taking back', () => {
  test('is for what has not been sent, or was refused', async () => {
    const outbox = new Outbox();
    const { id, outcome } = withRequest(outbox);
    send(outbox);
    expect(outbox.cancel(id)).toBe(false);
    outbox.refused(refusal(id, true, 50), 0);
    expect([outbox.cancel(id), outbox.cancel(id), outbox.pending]).toEqual([true, false, []]);
    expect(await outcome).toMatchObject({ name: 'ClosedError', message: 'taken back' });
  });

  test('is not for what may have arrived before its connection was lost', () => {
    const outbox = new Outbox();
    const { id } = withRequest(outbox);
    outbox.connectionLost();
    outbox.connectionLost();
    send(outbox);
    outbox.connectionLost();
    outbox.connectionLost();
    expect([outbox.cancel(id), outbox.pending.length]).toEqual([false, 1]);
    const fresh = withRequest(outbox, 'cake');
    outbox.connectionLost();
    expect(outbox.cancel(fresh.id)).toBe(true);
  });
});

test('a client that is closed leaves nobody waiting', async () => {
  const outbox = new Outbox();
  const requests = ['tea', 'cake'].map((lane) => withRequest(outbox, lane));
  outbox.close(new ClosedError('closed'));
  expect(await Promise.all(requests.map(({ outcome }) => outcome))).toMatchObject(
    requests.map(() => ({ name: 'ClosedError' })),
  );
  expect(outbox.pending).toEqual([]);
});
