/** The command service `send`. Sending: messages to rooms and participant channels. */
import { Module } from '@nestjs/common';
import { commandController } from '../path/command-controller.js';
import { CommandPathModule } from '../path/command-path.module.js';

@Module({ imports: [CommandPathModule], controllers: [commandController('send')] })
export class SendModule {}
