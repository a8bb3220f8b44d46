import { Module } from '@nestjs/common';
import { Here } from './here.js';
import { Watches } from './watches.js';

@Module({ providers: [Here, Watches], exports: [Here, Watches] })
export class PresenceModule {}
