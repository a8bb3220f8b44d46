/** What reaches readers beside the log: sessions that ended, and marks that another device has moved. */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { z } from 'zod';
import { CLOSE, fields, markRequest, TRANSIENT } from '#contract';
import { NATS } from '#service';
import { Feed } from './feed.js';

const revocation = z.object({ userId: fields.userId, sessionId: z.string().optional() });

@Injectable()
export class Notices implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('Notices');
  private subscriptions: Subscription[] = [];

  constructor(
    @Inject(NATS) private readonly nats: NatsConnection,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    this.listen(TRANSIENT.sessionsRevokedAll, revocation, (said) => this.revoke(said));
    this.listen(TRANSIENT.markedAll, markRequest, ({ userId, roomId: room, messageId, kind }) => {
      for (const reader of this.feed.user(userId)?.readers ?? [])
        if (!reader.isJoining) reader.send({ op: 'marked', room, messageId, kind });
    });
  }

  onModuleDestroy(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** Without a session all of the user's go. */
  private revoke({ userId, sessionId }: z.output<typeof revocation>): void {
    for (const reader of [...(this.feed.user(userId)?.readers ?? [])])
      if (sessionId === undefined || reader.signIn === sessionId) reader.close(CLOSE.sessionRevoked, 'session revoked');
  }

  private listen<S extends z.ZodType>(subject: string, schema: S, take: (said: z.output<S>) => void): void {
    const callback = (error: Error | null, message: { json(): unknown; readonly subject: string }): void => {
      if (error !== null) return this.log.error(error);
      const said = schema.safeParse(readJson(message));
      if (said.success) take(said.data);
      else this.log.warn(`cannot read what came on ${message.subject}`);
    };
    this.subscriptions.push(this.nats.subscribe(subject, { callback }));
  }
}

function readJson(message: { json(): unknown }): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
