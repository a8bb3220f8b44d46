/** The command service `join`. Rooms and who is in them: creating, changing, joining, inviting, moderating. */
import { Module } from '@nestjs/common';
import { commandController } from '../path/command-controller.js';
import { CommandPathModule } from '../path/command-path.module.js';

@Module({ imports: [CommandPathModule], controllers: [commandController('join')] })
export class JoinModule {}
