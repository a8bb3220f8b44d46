/** Commands of the users of this gateway, whatever transport they come by: one after the other for each user, within the rate limit. */
import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { type Actor, type CommandName, type CommandResult, LIMITS } from '#contract';
import { COMMAND_BUS, type CommandBus, type Config, CONFIG, RateLimit } from '#service';
import { CommandQueue } from './command-queue.js';

interface UnderWay {
  readonly name: CommandName;
  readonly body: unknown;
  readonly result: Promise<CommandResult>;
}

@Injectable()
export class UserCommands {
  private readonly queue = new CommandQueue();
  /** By user and key. */
  private readonly underWay = new Map<string, UnderWay>();
  private readonly sends: RateLimit;

  constructor(
    @Inject(COMMAND_BUS) private readonly bus: CommandBus,
    @Inject(CONFIG) config: Config,
  ) {
    this.sends = new RateLimit(LIMITS.sendsPerSecond, LIMITS.sendsBurst, config.rateLimits);
  }

  /**
   * A repeat of what is still under way here has its outcome: decided by itself, it could be stored when the other was refused.
   * @throws DomainError what refused it, `rate_limited` among it; or `unavailable`, when this process has just stood still
   */
  run(name: CommandName, { userId, username }: Actor, body: unknown, key?: string): Promise<CommandResult> {
    this.bus.admit();
    if (name === 'SendMessage') this.sends.take(userId);
    const actor = username === undefined ? { userId } : { userId, username };
    const readAtMs = performance.now();
    const begin = () => this.queue.run(userId, () => this.bus.run(name, actor, body, key, readAtMs));
    return key === undefined ? begin() : this.once(JSON.stringify([userId, key]), { name, body }, begin);
  }

  private once(
    id: string,
    { name, body }: Omit<UnderWay, 'result'>,
    begin: () => Promise<CommandResult>,
  ): Promise<CommandResult> {
    const first = this.underWay.get(id);
    if (first !== undefined) {
      // Another command with this key waits for its turn, to be told that it is used.
      if (first.name !== name || !isDeepStrictEqual(first.body, body)) return begin();
      return first.result.then((result) => ({ ...result, duplicate: true }));
    }
    const result = begin().finally(() => this.underWay.delete(id));
    this.underWay.set(id, { name, body, result });
    return result;
  }
}
