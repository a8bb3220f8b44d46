/** An edge whose command service does not answer: what waits is bounded, and the others are told at once. */
import { expect, test } from '@jest/globals';
import type { Msg, Payload, PublishOptions, Subscription, SubscriptionOptions } from '@nats-io/transport-node';
import { DomainError } from '#contract';
import { CommandBus, REQUEST_BYTES_MAX, REQUESTS_MAX } from './command-bus.js';
import { RequestAges } from './request-age.js';
import type { RequestConnection } from './requester.js';

/** A broker that keeps every request until it is told to have them answered. */
class Holding implements RequestConnection {
  private readonly kept: string[] = [];
  private callback: SubscriptionOptions['callback'];
  asked = 0;

  publish(_subject: string, _payload?: Payload, options?: PublishOptions): void {
    this.asked += 1;
    this.kept.push(options?.reply ?? '');
  }

  subscribe(_subject: string, options?: SubscriptionOptions): Subscription {
    this.callback = options?.callback;
    return {} as Subscription;
  }

  closed(): Promise<void> {
    return new Promise(() => undefined);
  }

  /** Resolves when so many requests have come. */
  async has(requests: number): Promise<void> {
    while (this.asked < requests) await turnOfTheLoop();
  }

  /** @returns the subjects to which they went */
  answerAll(response: unknown = 'done'): string[] {
    const data = new TextEncoder().encode(JSON.stringify({ response }));
    const answered = this.kept.splice(0);
    for (const subject of answered)
      void this.callback?.(null, { subject, data, json: () => ({ response }) } as unknown as Msg);
    return answered;
  }
}

const refusalOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => 'answered',
    (error: unknown) => (error instanceof DomainError ? error.toRefusal() : error),
  );

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const REFUSED = { code: 'unavailable', detail: 'too many requests wait for their answers', retryMs: 1_000 };

test('as many requests as may wait do, the next one is refused with a hint, and later ones go on', async () => {
  const nats = new Holding();
  const bus = new CommandBus(nats);
  const waiting = Array.from({ length: REQUESTS_MAX }, (_, i) => refusalOf(bus.request('command.send.SendMessage', i)));
  expect(await refusalOf(bus.request('command.send.SendMessage', 'one more'))).toEqual(REFUSED);
  await nats.has(REQUESTS_MAX);
  expect(nats.asked).toBe(REQUESTS_MAX);
  nats.answerAll();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['answered']));
  const next = refusalOf(bus.request('command.send.SendMessage', 'now'));
  await nats.has(REQUESTS_MAX + 1);
  nats.answerAll();
  expect(await next).toBe('answered');
});

test('what waits is bounded in bytes, too', async () => {
  const nats = new Holding();
  const bus = new CommandBus(nats);
  const body = 'x'.repeat(1024 * 1024);
  const fit = Math.floor(REQUEST_BYTES_MAX / (body.length + 200));
  const waiting = Array.from({ length: fit }, () => refusalOf(bus.request('command.send.SendMessage', body)));
  expect(await refusalOf(bus.request('command.send.SendMessage', body))).toEqual(REFUSED);
  const small = refusalOf(bus.request('command.send.SendMessage', 'small'));
  await nats.has(fit + 1);
  expect(nats.asked).toBe(fit + 1);
  nats.answerAll();
  expect(new Set(await Promise.all([...waiting, small]))).toEqual(new Set(['answered']));
});

test('what came too late to be decided is asked again, and says when it was asked first; a refusal is not', async () => {
  const nats = new Holding();
  const done = refusalOf(new CommandBus(nats).run('JoinRoom', { userId: 'ann' }, { roomId: 'den' }));
  await nats.has(1);
  const late = { code: 'unavailable', detail: 'late', retryMs: 1_000 };
  const [first = ''] = nats.answerAll({ refused: late, again: true });
  await nats.has(2);
  const [second = ''] = nats.answerAll({ refused: late });
  expect(await done).toEqual(late);
  expect(nats.asked).toBe(2);
  const ages = new RequestAges();
  const [once, twice] = [ages.timesOf(first, 0), ages.timesOf(second, 0)];
  expect(once.firstAskedAtMs).toBe(once.askedAtMs);
  expect(twice.firstAskedAtMs).toBeLessThan(twice.askedAtMs);
});

/** As deep as a frame of 64 KiB can be. */
const DEPTH = 30_000;

test('a body that is nested too deeply to be handed on is refused, and nothing is sent', async () => {
  const nats = new Holding();
  const body: unknown = { roomId: 'den', x: JSON.parse('['.repeat(DEPTH) + ']'.repeat(DEPTH)) };
  const refused = { code: 'invalid_body', message: 'nested too deeply' };
  await expect(new CommandBus(nats).run('JoinRoom', { userId: 'ann' }, body)).rejects.toMatchObject(refused);
  expect(nats.asked).toBe(0);
});

test('what has waited since it was read says so: the service hears since when', async () => {
  const nats = new Holding();
  const bus = new CommandBus(nats);
  const ages = new RequestAges();
  const [fresh, old] = [performance.now(), performance.now() - 4_000];
  const asked = [fresh, old].map((readAtMs) => bus.run('LeaveRoom', { userId: 'ann' }, {}, 'a key', readAtMs));
  await nats.has(2);
  const times = nats.answerAll({ ok: {} }).map((reply) => ages.timesOf(reply));
  await Promise.all(asked);
  expect(times.map(({ askedAtMs, firstAskedAtMs }) => askedAtMs - firstAskedAtMs >= 4_000)).toEqual([false, true]);
});
