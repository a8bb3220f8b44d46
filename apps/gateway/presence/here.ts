/** Says who is connected here, for everybody to know. */
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Config, CONFIG, NATS, PresenceLease } from '#service';

@Injectable()
export class Here implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger('Presence');
  private lease: PresenceLease | undefined;

  constructor(
    @Inject(NATS) private readonly nats: NatsConnection,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async onModuleInit(): Promise<void> {
    const onTrouble = (problem: string): void => this.log.warn(problem);
    this.lease = await PresenceLease.take(this.nats, { replicas: this.config.natsReplicas, onTrouble });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.lease?.end();
  }

  connected(userId: string): void {
    this.lease?.connected(userId);
  }

  disconnected(userId: string): void {
    this.lease?.disconnected(userId);
  }
}
