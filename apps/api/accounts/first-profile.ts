/**
 * Tells the views how a new user writes their name. They show the id where there is no profile, so only a name that differs
 * from it has to be told; the fixed key makes it happen once, however often it is tried.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DomainError, REFUSALS } from '#contract';
import { COMMAND_BUS, type CommandBus } from '#service';
import type { SessionOwner } from './sessions.js';

@Injectable()
export class FirstProfile {
  private readonly logger = new Logger('api');

  constructor(@Inject(COMMAND_BUS) private readonly bus: CommandBus) {}

  /** Resolves although commands are away: an account stands without its profile, and others see the id until it has one. */
  async publish({ userId, username }: SessionOwner): Promise<void> {
    if (username === userId) return;
    try {
      await this.bus.run('ChangeProfile', { userId }, { username, displayName: username }, 'first-profile');
    } catch (error) {
      if (!(error instanceof DomainError) || !REFUSALS[error.code].temporary) throw error;
      this.logger.warn(`the profile of ${userId} was not published: ${error.message}`);
    }
  }
}
