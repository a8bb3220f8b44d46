/** The feed of this process, running from start to drain. Every transport's module imports it. */
import { Inject, Injectable, Logger, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { LogUnavailableError, type EventLog } from '#event-log';
import type { Database } from '#read-models';
import { type Config, CONFIG, DATABASE, EVENT_LOG, HEALTH, type Health } from '#service';
import { databaseViews } from './database-views.js';
import { Feed } from './feed.js';
import { Notices } from './notices.js';

const SWEEP_MS = 1_000;

@Injectable()
class FeedLife implements OnModuleInit, OnApplicationShutdown {
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly feed: Feed,
    @Inject(HEALTH) private readonly health: Health,
  ) {}

  onModuleInit(): void {
    this.sweeping = setInterval(() => this.feed.sweep(), SWEEP_MS);
    this.health.add('feed', () => {
      if (this.feed.broken !== undefined) throw new Error(this.feed.broken);
      return `${this.feed.readers.size} readers, cursor ${this.feed.cursor()}`;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.sweeping);
    await this.feed.stop();
  }
}

const feed = {
  provide: Feed,
  inject: [EVENT_LOG, DATABASE, CONFIG],
  async useFactory(log: EventLog, database: Database, config: Config): Promise<Feed> {
    const logger = new Logger('Feed');
    const made = new Feed({
      log,
      views: databaseViews(database),
      roomSubscribersMax: config.roomSubscribersMax,
      nowMs: () => performance.now(),
      // A log that is away is waited for; whoever operates it knows.
      onFault: (error) => (error instanceof LogUnavailableError ? logger.warn(error.message) : logger.error(error)),
      // Everything here belongs to the old log: the process ends as if it had been told to, and is started again.
      onBroken(reason) {
        logger.fatal(reason);
        process.kill(process.pid, 'SIGTERM');
      },
    });
    await made.start();
    return made;
  },
};

@Module({ providers: [feed, FeedLife, Notices], exports: [Feed] })
export class FeedModule {}
