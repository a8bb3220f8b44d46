/**
 * Who is connected here, by whatever transport: counted once, for the limit of a user's connections as for everybody to know.
 */
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { LIMITS } from '#contract';
import { NATS, PresenceLease } from '#service';

/** Signed-in connections of this gateway, by whatever transport; above it the next one is told to come again, or to another gateway. */
export const CONNECTIONS_MAX = 50_000;

/** Shown to whoever has as many as they may. */
export const TOO_MANY_CONNECTIONS = `at most ${LIMITS.socketsPerUser} connections a user`;

@Injectable()
export class Here implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger('Presence');
  /** Signed-in connections of a user on this gateway. */
  private readonly counts = new Map<string, number>();
  private total = 0;
  private lease: PresenceLease | undefined;

  constructor(@Inject(NATS) private readonly nats: NatsConnection) {}

  async onModuleInit(): Promise<void> {
    const onTrouble = (problem: string): void => this.log.warn(problem);
    this.lease = await PresenceLease.take(this.nats, { onTrouble });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.lease?.end();
  }

  /** There is no place for one more. */
  get isFull(): boolean {
    return this.total >= CONNECTIONS_MAX;
  }

  /**
   * A user has one more connection; `disconnected` when it ends.
   * @returns false when the user has as many as they may: then this one does not count, and is to be refused
   */
  connected(userId: string): boolean {
    const count = this.counts.get(userId) ?? 0;
    if (count >= LIMITS.socketsPerUser) return false;
    this.counts.set(userId, count + 1);
    this.total += 1;
    this.lease?.connected(userId);
    return true;
  }

  /** A connection that was counted has ended. */
  disconnected(userId: string): void {
    const count = this.counts.get(userId) ?? 0;
    if (count > 1) this.counts.set(userId, count - 1);
    else this.counts.delete(userId);
    this.total -= 1;
    this.lease?.disconnected(userId);
  }
}
