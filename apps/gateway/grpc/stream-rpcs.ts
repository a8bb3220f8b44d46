/** The two streams, and all that are open. */
import { type handleBidiStreamingCall, Metadata } from '@grpc/grpc-js';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Config, CONFIG } from '#service';
import { UserCommands } from '../commands/user-commands.js';
import { Feed } from '../feed/feed.js';
import { Here } from '../presence/here.js';
import { Typing } from '../typing/typing.js';
import { onFault } from './answering.js';
import { Callers } from './callers.js';
import { ChatStream } from './chat-stream.js';
import type { ChatAction } from './messages.js';
import { Queries } from './queries.js';
import { statusOf } from './status.js';
import { ACTIONS, RESPONSES, type StreamEncoding } from './stream-frames.js';

const SWEEP_MS = 250;

/** What a stream needs of the gateway. */
export interface StreamParts {
  readonly feed: Feed;
  readonly queries: Queries;
  readonly commands: UserCommands;
  readonly typing: Typing;
  readonly here: Here;
  forget(stream: ChatStream): void;
}

@Injectable()
export class StreamRpcs implements StreamParts, OnModuleInit, OnModuleDestroy {
  private readonly streams = new Set<ChatStream>();
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    readonly feed: Feed,
    readonly queries: Queries,
    readonly commands: UserCommands,
    readonly typing: Typing,
    readonly here: Here,
    private readonly callers: Callers,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  readonly rpcs = { ChatStream: this.streaming(ACTIONS), Chat: this.streaming(RESPONSES) };

  onModuleInit(): void {
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.sweeping);
  }

  forget(stream: ChatStream): void {
    this.streams.delete(stream);
  }

  drain(): void {
    for (const stream of [...this.streams]) stream.drain();
  }

  private streaming(encoding: StreamEncoding): handleBidiStreamingCall<ChatAction, Buffer> {
    return (call) => {
      // Headers at once: a client may wait for them before it says anything.
      call.sendMetadata(new Metadata());
      this.callers.signIn(call.metadata).then(
        (signIn) => void this.streams.add(new ChatStream(call, signIn, encoding, this)),
        (error: unknown) => call.emit('error', statusOf(error, onFault)),
      );
    };
  }

  private sweep(): void {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const stream of [...this.streams]) stream.sweep(nowMs, wallMs, this.config.sendStallMs);
  }
}
