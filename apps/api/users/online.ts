/** Who is online, by the rule of design.md section 5: what the gateways count, and what the user said of it. */
import { Injectable } from '@nestjs/common';
import type { UserView } from '#contract';

/** A status command that says `online: true` counts as a connection for so long. */
const SAID_ONLINE_MS = 300_000;

@Injectable()
export class Online {
  /** Live connections by user, over all gateways. */
  async connectionsOf(_userIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return new Map();
  }

  /**
   * @param statusOnline what the last status command said of it, if anything
   * @param statusAt when that was, ms since 1970
   */
  async of(userId: string, statusOnline?: boolean, statusAt = 0): Promise<Pick<UserView, 'online' | 'lastSeen'>> {
    const connections = (await this.connectionsOf([userId])).get(userId) ?? 0;
    const saidOnline = statusOnline === true && Date.now() - statusAt < SAID_ONLINE_MS;
    const online = statusOnline !== false && (connections > 0 || saidOnline);
    return { online, lastSeen: statusAt === 0 ? null : new Date(statusAt).toISOString() };
  }
}
