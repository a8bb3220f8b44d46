/** The command service `status`. A user's own status and profile. */
import { Module } from '@nestjs/common';
import { commandController } from '../path/command-controller.js';
import { CommandPathModule } from '../path/command-path.module.js';

@Module({ imports: [CommandPathModule], controllers: [commandController('status')] })
export class StatusModule {}
