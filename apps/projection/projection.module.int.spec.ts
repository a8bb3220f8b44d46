import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MarkReply } from '#contract';
import { REQUESTS, TRANSIENT } from '#contract';
import { type Database, inboxOf } from '#read-models';
import {
  CommandBus,
  CONFIG,
  DATABASE,
  EVENT_LOG,
  Health,
  HEALTH,
  loadConfig,
  NATS,
  NatsTransport,
  ResourcesModule,
} from '#service';
import { ProjectionModule } from './projection.module.js';
import { eventually, usePlatform } from './test-platform.js';

const platform = usePlatform();
Logger.overrideLogger(false);

@Module({})
class TestProcess {}

describe('the projection as a Nest microservice', () => {
  let views: Database;
  let bus: CommandBus;
  let close: () => Promise<void>;
  beforeEach(async () => {
    views = await platform.freshViews();
    const health = new Health();
    const resources = new Map<symbol, unknown>([
      [CONFIG, loadConfig({ RETRY_ATTEMPTS: '2' })],
      [NATS, platform.connection],
      [EVENT_LOG, platform.log],
      [DATABASE, views],
      [HEALTH, health],
    ]);
    const root = { module: TestProcess, imports: [ResourcesModule.with(resources), ProjectionModule] };
    const strategy = new NatsTransport(platform.connection);
    const app = await NestFactory.createMicroservice(root, { strategy, logger: false });
    await app.listen();
    close = () => app.close();
    bus = new CommandBus(platform.connection);
  });
  afterEach(() => close());

  const mark = async (userId: string, roomId: string, messageId: string, kind = 'read'): Promise<MarkReply> =>
    (await bus.request(REQUESTS.markRead, { userId, roomId, messageId, kind })) as MarkReply;

  test('a message can be marked as soon as it was accepted; other devices are told', async () => {
    await platform.room('marked', 'ann');
    await platform.member('marked', 'bob', 'MemberJoined', {});
    const told: unknown[] = [];
    const devices = platform.connection.subscribe(TRANSIENT.marked('bob'), {
      callback: (_error, message) => void told.push(message.json()),
    });
    const [one, two] = [await platform.say('marked', 'ann', 'one'), await platform.say('marked', 'ann', 'two')];
    expect(await mark('bob', 'marked', two.id)).toEqual({ ok: { ordinal: 2 } });
    expect(await mark('bob', 'marked', one.id)).toEqual({ ok: { ordinal: 2 } });
    const { items } = await inboxOf(views, 'bob', { limit: 10 });
    expect(items[0]).toMatchObject({ unread: 0, readUpTo: two.id });
    await eventually(() => told.length > 0);
    expect(told).toEqual([{ userId: 'bob', roomId: 'marked', messageId: two.id, kind: 'read' }]);
    devices.unsubscribe();
  });

  test('many marks at once are all answered, and the greatest wins', async () => {
    await platform.room('many', 'ann');
    const sent = await Promise.all(Array.from({ length: 100 }, (_, i) => platform.say('many', 'ann', `text ${i}`)));
    const replies = await Promise.all(sent.map(({ id }) => mark('ann', 'many', id, 'delivered')));
    expect(replies.filter((reply) => 'ok' in reply)).toHaveLength(100);
    const [row]: { delivered_ordinal: number; read_ordinal: number }[] = await views.source.query(
      `select delivered_ordinal, read_ordinal from marks where user_id = 'ann' and room_id = 'many'`,
    );
    expect(row).toEqual({ delivered_ordinal: 100, read_ordinal: 0 });
  });

  test('what cannot be marked is refused with the reason', async () => {
    await platform.room('refusing', 'ann');
    const { id } = await platform.say('refusing', 'ann', 'one');
    const refusals = await Promise.all([
      mark('bob', 'refusing', id),
      mark('ann', 'refusing', `msg_${1024 * 1_000_000}`),
      mark('ann', 'refusing', 'msg_1023'),
      mark('ann', 'nowhere', id),
      mark('ann', 'refusing', 'nonsense'),
      bus.request(REQUESTS.markRead, null),
    ]);
    expect(refusals.map((reply) => (reply as { refused: { code: string } }).refused.code)).toEqual([
      'not_member',
      'message_not_found',
      'message_not_found',
      'room_not_found',
      'invalid_body',
      'invalid_body',
    ]);
  });
});
