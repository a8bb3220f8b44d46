/** From a request as it comes to what the command path is told of it, through Nest. */
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Msg, NatsConnection, Subscription, SubscriptionOptions } from '@nats-io/transport-node';
import { commandSubject, type CommandReply } from '#contract';
import { waitUntil } from '#embedded';
import { NatsTransport, type RequestTimes } from '#service';
import { commandController } from './command-controller.js';
import { CommandPath } from './command-path.module.js';

const SUBJECT = commandSubject('send', 'SendMessage');

/** A connection by hand: what is asked is handed to the subscriptions, what is answered is kept. */
class Line {
  readonly answers: unknown[] = [];
  private readonly callbacks = new Map<string, SubscriptionOptions['callback']>();
  readonly connection = {
    subscribe: (subject: string, options?: SubscriptionOptions) => {
      this.callbacks.set(subject, options?.callback);
      return { drain: () => Promise.resolve() } as Subscription;
    },
    flush: () => Promise.resolve(),
    isClosed: () => false,
    status: () => Readable.from([]),
  } as unknown as NatsConnection;

  ask(data: unknown, reply: string): void {
    const json = () => ({ pattern: SUBJECT, id: '1', data });
    const respond = (text: string) => this.answers.push(JSON.parse(text)) > 0;
    void this.callbacks.get(SUBJECT)?.(null, { subject: SUBJECT, reply, json, respond } as unknown as Msg);
  }
}

test('a command comes with when it was asked, and when it was asked first', async () => {
  const told: { readonly request: unknown; readonly agesMs: number[] }[] = [];
  const answer = (_name: string, request: unknown, asked: RequestTimes): Promise<CommandReply> => {
    const nowMs = performance.now();
    told.push({ request, agesMs: [nowMs - asked.askedAtMs, nowMs - asked.firstAskedAtMs] });
    return Promise.resolve({ refused: { code: 'muted', detail: 'told' } });
  };
  @Module({ controllers: [commandController('send')], providers: [{ provide: CommandPath, useValue: { answer } }] })
  class Commands {}
  const line = new Line();
  const strategy = new NatsTransport(line.connection);
  const app = await NestFactory.createMicroservice(Commands, { strategy, logger: false });
  await app.listen();

  // By the clock of an edge, which is another one.
  const stamp = (agoMs: number, waitedMs: number): string =>
    `${(Math.floor(performance.now() - agoMs) + 1_000_000).toString(36)}-${waitedMs.toString(36)}`;
  line.ask('first', `_INBOX.edge.0-${stamp(0, 0)}`);
  line.ask('late', `_INBOX.edge.1-${stamp(4_000, 5_000)}`);
  await waitUntil('the answers', 10_000, () => line.answers.length === 2);

  expect(line.answers[1]).toMatchObject({ id: '1', response: { refused: { code: 'muted' } } });
  expect(told.map(({ request }) => request)).toEqual(['first', 'late']);
  const [first, late] = told.map(({ agesMs }) => agesMs.map((ms) => Math.round(ms / 1_000)));
  expect([first, late]).toEqual([
    [0, 0],
    [4, 9],
  ]);
  await app.close();
});
