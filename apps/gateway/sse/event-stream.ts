/**
 * One open stream. States: *open*, *ending* (its last event is written, the client may still take it), *closed*. All timers of
 * all streams are one sweep: a stream holds numbers.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE, type CloseCode, LIMITS, REFUSALS, type RefusalCode, type ServerFrameOf } from '#contract';
import type { Identity } from '#service';
import type { FeedSink } from '../feed/encoding.js';
import type { Reader } from '../feed/reader.js';
import { Network } from '../network.js';
import { EVENT_STREAM, HEARTBEAT } from './frames-as-events.js';

/** A client that has been sent the last event is cut off when it does not take it. */
const LAST_WORDS_MS = 2_000;
const RETRY_MS = 1_000;

export class EventStream implements FeedSink {
  readonly encoding = EVENT_STREAM;
  reader: Reader | undefined;
  private readonly network: Network;
  private wroteAtMs = performance.now();
  private endedAtMs = 0;

  constructor(
    private readonly response: ServerResponse,
    socket: Socket,
    readonly identity: Identity,
  ) {
    this.network = new Network(socket);
  }

  get queuedBytes(): number {
    return this.response.writableLength;
  }

  get isOpen(): boolean {
    return this.endedAtMs === 0;
  }

  write(bytes: Buffer): void {
    if (!this.isOpen || this.response.destroyed) return;
    this.wroteAtMs = performance.now();
    this.response.write(bytes);
  }

  /** Ends the stream with an `error` that says whether to come back; a drain has said so already, and who reads nothing is cut off. */
  close(code: CloseCode, reason: string): void {
    if (!this.isOpen) return;
    const refusal = LAST_WORDS[code];
    if (refusal !== undefined) this.write(EVENT_STREAM.frame(errorFrame(refusal, reason)) ?? HEARTBEAT);
    this.endedAtMs = performance.now();
    this.reader?.ended();
    if (code === CLOSE.slowReader) this.response.destroy();
    else this.response.end();
  }

  /** The connection is gone, whoever ended it. */
  ended(): void {
    this.endedAtMs ||= performance.now();
  }

  /** Everything that depends on time. */
  sweep(nowMs: number, wallMs: number, stallMs: number): void {
    if (!this.isOpen) {
      if (nowMs - this.endedAtMs > LAST_WORDS_MS) this.response.destroy();
      return;
    }
    if (this.network.isStalled(nowMs, stallMs)) return this.close(CLOSE.slowReader, 'slow reader');
    if (this.identity.expiresAtMs <= wallMs) return this.close(CLOSE.tokenExpired, 'token expired');
    if (nowMs - this.wroteAtMs >= LIMITS.heartbeatMs) this.write(HEARTBEAT);
  }
}

/** What a stream says last, by the code that a socket would be closed with. */
const LAST_WORDS: Readonly<Partial<Record<CloseCode, RefusalCode>>> = {
  [CLOSE.epochChanged]: 'unavailable',
  [CLOSE.replayFailed]: 'unavailable',
  [CLOSE.tokenExpired]: 'token_expired',
  [CLOSE.sessionRevoked]: 'unauthenticated',
};

function errorFrame(code: RefusalCode, message: string): ServerFrameOf<'error'> {
  const { temporary } = REFUSALS[code];
  return { op: 'error', code, message, temporary, ...(temporary ? { retryMs: RETRY_MS } : {}) };
}
