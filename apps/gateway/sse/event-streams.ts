/** All streams of server-sent events that are open here: each a reader of the feed. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CLOSE, DomainError, type EchoMode } from '#contract';
import { type Config, CONFIG, type Identity } from '#service';
import { Feed } from '../feed/feed.js';
import { openReader } from '../feed/opening.js';
import { Reader } from '../feed/reader.js';
import { Here, TOO_MANY_CONNECTIONS } from '../presence/here.js';
import { EventStream } from './event-stream.js';
import { OPENING } from './frames-as-events.js';

const SWEEP_MS = 250;
/** Ends of a drain: this far apart, all of them within this time. */
const DRAIN_EACH_MS = 2;
const DRAIN_SPREAD_MAX_MS = 8_000;
const DRAIN_RETRY_MS = 500;

export interface StreamRequest {
  readonly identity: Identity;
  /** The client's cursor. */
  readonly since: string | undefined;
  readonly echo: EchoMode;
}

@Injectable()
export class EventStreams implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('EventStreams');
  private readonly streams = new Set<EventStream>();
  private sweeping: NodeJS.Timeout | undefined;
  private draining = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly feed: Feed,
    private readonly here: Here,
  ) {}

  onModuleInit(): void {
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS);
  }

  /** Says so and ends one after the other: browsers come back by themselves, and a crowd must not do so at once. */
  async onModuleDestroy(): Promise<void> {
    this.draining = true;
    const all = [...this.streams];
    const spreadMs = Math.min(DRAIN_SPREAD_MAX_MS, all.length * DRAIN_EACH_MS);
    for (const { reader } of all) reader?.send({ op: 'drain', retryMs: DRAIN_RETRY_MS + spreadMs });
    for (const stream of all) {
      stream.close(CLOSE.draining, 'draining');
      await delay(spreadMs / all.length);
    }
    while (this.streams.size > 0) await delay(DRAIN_EACH_MS);
    clearInterval(this.sweeping);
  }

  /**
   * From here on the response is a stream.
   * @param headers what the answer begins with
   * @throws DomainError what refuses it, before anything is written
   */
  open(response: ServerResponse, headers: Record<string, unknown>, { identity, since, echo }: StreamRequest): void {
    const { socket } = response;
    if (socket === null || response.destroyed) return;
    if (this.draining) throw new DomainError('unavailable', 'draining');
    if (this.feed.broken !== undefined) throw new DomainError('unavailable', 'the log has begun another epoch');
    if (this.here.isFull || this.feed.openings.isFull) throw new DomainError('unavailable', 'too many connections');
    if (!this.here.connected(identity.userId)) throw new DomainError('rate_limited', TOO_MANY_CONNECTIONS);
    const stream = new EventStream(response, socket, identity);
    const reader = new Reader(randomUUID(), stream, echo, identity.sessionId);
    stream.reader = reader;
    this.streams.add(stream);
    response.once('close', () => this.leave(stream, reader));
    response.writeHead(200, headers as Record<string, string>);
    stream.write(OPENING);
    openReader(this.feed, reader, identity.userId, { since }).catch((error: unknown) => {
      this.log.warn(`replay failed: ${String(error)}`);
      stream.close(CLOSE.replayFailed, 'replay failed');
    });
  }

  private leave(stream: EventStream, reader: Reader): void {
    stream.ended();
    this.streams.delete(stream);
    this.here.disconnected(stream.identity.userId);
    this.feed.leave(reader);
  }

  private sweep(): void {
    const nowMs = performance.now();
    const wallMs = Date.now();
    for (const stream of this.streams) stream.sweep(nowMs, wallMs, this.config.sendStallMs);
  }
}
