/** Server-sent events, on the feed. */
import { Module } from '@nestjs/common';
import { FeedModule } from '../feed/feed.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { SignInModule } from '../sign-in.module.js';
import { EventStreams } from './event-streams.js';
import { EventsController } from './events.controller.js';

@Module({
  imports: [FeedModule, PresenceModule, SignInModule],
  controllers: [EventsController],
  providers: [EventStreams],
})
export class SseModule {}
