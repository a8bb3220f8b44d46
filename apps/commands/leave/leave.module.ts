/** The command service `leave`. Leaving a room, and being removed from one. */
import { Module } from '@nestjs/common';
import { commandController } from '../path/command-controller.js';
import { CommandPathModule } from '../path/command-path.module.js';

@Module({ imports: [CommandPathModule], controllers: [commandController('leave')] })
export class LeaveModule {}
