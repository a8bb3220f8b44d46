/** The two streams, and all that are open. */
import { setTimeout as delay } from 'node:timers/promises';
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
import { KnownUsers } from './known-users.js';
import type { ChatAction } from './messages.js';
import { Queries } from './queries.js';
import { statusOf } from './status.js';
import { chatEncoding, chatStreamEncoding, type StreamEncoding } from './stream-frames.js';

const SWEEP_MS = 250;
/** Ends of a drain: this far apart, all of them within this time. */
const DRAIN_EACH_MS = 2;
const DRAIN_SPREAD_MAX_MS = 2_000;

/** What a stream needs of the gateway. */
export interface StreamParts {
  readonly feed: Feed;
  readonly queries: Queries;
  readonly commands: UserCommands;
  readonly typing: Typing;
  readonly here: Here;
  readonly users: KnownUsers;
  forget(stream: ChatStream): void;
}

@Injectable()
export class StreamRpcs implements StreamParts, OnModuleInit, OnModuleDestroy {
  private readonly streams = new Set<ChatStream>();
  private sweeping: NodeJS.Timeout | undefined;
  private draining = false;

  constructor(
    readonly feed: Feed,
    readonly queries: Queries,
    readonly commands: UserCommands,
    readonly typing: Typing,
    readonly here: Here,
    readonly users: KnownUsers,
    private readonly callers: Callers,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  readonly rpcs = {
    ChatStream: this.streaming(chatStreamEncoding()),
    Chat: this.streaming(chatEncoding((userId) => this.users.named(userId))),
  };

  onModuleInit(): void {
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS);
  }

  /** One after the other: a crowd must not come back at once. */
  async onModuleDestroy(): Promise<void> {
    this.draining = true;
    const all = [...this.streams];
    const spreadMs = Math.min(DRAIN_SPREAD_MAX_MS, all.length * DRAIN_EACH_MS);
    for (const stream of all) {
      stream.drain();
      await delay(spreadMs / all.length);
    }
    clearInterval(this.sweeping);
  }

  forget(stream: ChatStream): void {
    this.streams.delete(stream);
  }

  private streaming(encoding: StreamEncoding): handleBidiStreamingCall<ChatAction, Buffer> {
    return (call) => {
      // Headers at once: a client may wait for them before it says anything.
      call.sendMetadata(new Metadata());
      this.callers.signIn(call.metadata).then(
        (signIn) => this.begin(new ChatStream(call, signIn, encoding, this)),
        (error: unknown) => call.emit('error', statusOf(error, onFault)),
      );
    };
  }

  private begin(stream: ChatStream): void {
    this.streams.add(stream);
    stream.begin();
    if (this.draining) stream.drain();
  }

  private sweep(): void {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const stream of [...this.streams]) stream.sweep(nowMs, wallMs, this.config.sendStallMs);
  }
}
