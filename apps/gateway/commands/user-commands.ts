/** Commands of the users of this gateway, whatever transport they come by: one after the other for each user, within the rate limit. */
import { Inject, Injectable } from '@nestjs/common';
import { type Actor, type CommandName, type CommandResult, LIMITS } from '#contract';
import { COMMAND_BUS, type CommandBus, type Config, CONFIG, RateLimit } from '#service';
import { CommandQueue } from './command-queue.js';

@Injectable()
export class UserCommands {
  private readonly queue = new CommandQueue();
  private readonly sends: RateLimit;

  constructor(
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(CONFIG) config: Config,
  ) {
    this.sends = new RateLimit(LIMITS.sendsPerSecond, LIMITS.sendsBurst, config.rateLimits);
  }

  /** @throws DomainError what refused it, `rate_limited` among it; or `unavailable`, when this process has just stood still */
  run(name: CommandName, { userId, username }: Actor, body: unknown, key?: string): Promise<CommandResult> {
    this.bus.admit();
    if (name === 'SendMessage') this.sends.take(userId);
    const actor = username === undefined ? { userId } : { userId, username };
    // A client that came back may have sent it again, and the same line has both: the second waits for the first one's answer.
    const readAtMs = performance.now();
    return this.queue.run(userId, () => this.bus.run(name, actor, body, key, readAtMs));
  }
}
