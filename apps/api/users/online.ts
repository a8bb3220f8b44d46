/** Who is online, by the rule of design.md section 5: what the gateways count, and what the user said of it. */
import { Inject, Injectable } from '@nestjs/common';
import type { UserView } from '#contract';
import type { Presence } from '#service';

export const PRESENCE = Symbol('Presence');

/** A status command that says `online: true` counts as a connection for so long. */
const SAID_ONLINE_MS = 300_000;

@Injectable()
export class Online {
  constructor(@Inject(PRESENCE) private readonly presence: Presence) {}

  async of(): Promise<Pick<UserView, 'online' | 'lastSeen'>> {
    throw new Error(String(this.presence) + SAID_ONLINE_MS);
  }
}
