/** gRPC, on the feed. */
import { Module } from '@nestjs/common';
import { CommandsOfUsersModule } from '../commands/commands-of-users.module.js';
import { FeedModule } from '../feed/feed.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { SignInModule } from '../sign-in.module.js';
import { TypingModule } from '../typing/typing.module.js';
import { Callers } from './callers.js';
import { FileRpcs } from './file-rpcs.js';
import { GrpcServer } from './grpc-server.js';
import { HealthRpcs } from './health-rpcs.js';
import { KnownUsers } from './known-users.js';
import { MessageRpcs } from './message-rpcs.js';
import { Queries } from './queries.js';
import { RoomRpcs } from './room-rpcs.js';
import { StreamRpcs } from './stream-rpcs.js';
import { UserRpcs } from './user-rpcs.js';

@Module({
  imports: [CommandsOfUsersModule, FeedModule, PresenceModule, SignInModule, TypingModule],
  providers: [
    Callers,
    FileRpcs,
    GrpcServer,
    HealthRpcs,
    KnownUsers,
    MessageRpcs,
    Queries,
    RoomRpcs,
    StreamRpcs,
    UserRpcs,
  ],
})
export class GrpcModule {}
