/** Who is online: what the gateways count, and what the user said of it. */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError, type UserView } from '#contract';
import { NATS, Presence, shownPresence, type UserPresence } from '#service';

const UNKNOWN: UserPresence = { connections: 0, seenMs: undefined };
/** While presence is away the log says so this often, not once a query. */
const COMPLAINT_EVERY_MS = 60_000;

@Injectable()
export class Online {
  private readonly logger = new Logger('api');
  private readonly presence: Presence;
  private complainedAtMs = -Infinity;

  constructor(@Inject(NATS) nats: NatsConnection) {
    this.presence = new Presence(nats);
  }

  /**
   * Live connections by user, over all gateways.
   * @throws DomainError `unavailable`
   */
  async connectionsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    try {
      const found = await this.presence.of(userIds);
      return new Map([...found].map(([userId, { connections }]) => [userId, connections]));
    } catch (cause) {
      throw new DomainError('unavailable', undefined, { cause });
    }
  }

  /**
   * What others are shown. Presence is only a part of that: when it cannot be read, the rest is shown without it.
   * @param statusOnline what the last status command said of it, if anything
   * @param statusAt when that was, ms since 1970
   */
  async of(
    userId: string,
    statusOnline: boolean | undefined,
    statusAt: number | undefined,
  ): Promise<Pick<UserView, 'online' | 'lastSeen'>> {
    const found = await this.presence.of([userId]).catch((error: unknown) => this.complain(error));
    return shownPresence(found?.get(userId) ?? UNKNOWN, { statusOnline, statusAt }, Date.now());
  }

  private complain(error: unknown): undefined {
    const now = performance.now();
    if (now - this.complainedAtMs < COMPLAINT_EVERY_MS) return;
    this.complainedAtMs = now;
    this.logger.warn(`users are shown without presence: ${String(error)}`);
  }
}
