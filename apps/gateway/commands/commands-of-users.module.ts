/** One queue and one rate limit a user, for all transports of this gateway. */
import { Module } from '@nestjs/common';
import { UserCommands } from './user-commands.js';

@Module({ providers: [UserCommands], exports: [UserCommands] })
export class CommandsOfUsersModule {}
