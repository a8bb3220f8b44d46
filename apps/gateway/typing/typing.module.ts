import { Module } from '@nestjs/common';
import { FeedModule } from '../feed/feed.module.js';
import { Typing } from './typing.js';

@Module({ imports: [FeedModule], providers: [Typing], exports: [Typing] })
export class TypingModule {}
