/**
 * Where the feed writes to for one gRPC stream: which rooms it shows, and what the network has not taken yet.
 *
 * A room is *not shown* (what comes of it is let go), *held* (it is being joined: what comes waits behind the answer) or *shown*.
 * Bytes go to gRPC while it takes them; what it does not take waits here, where the feed sees it and ends who is slow. A cursor
 * counts when everything before it has been handed over, so that the one in the trailers is good to resume with.
 */
import type { CloseCode } from '#contract';
import type { FeedSink } from '../feed/encoding.js';
import { type Envelope, envelopes, type Said, type StreamEncoding } from './stream-frames.js';

/** Bytes, or a cursor behind them. */
type Queued = Buffer | { readonly cursor: string };

/** What the sink needs of the call. */
export interface Outgoing {
  /** False: the network is full, and `drained` will be called. */
  write(bytes: Buffer): boolean;
  end(code: CloseCode, reason: string): void;
}

export class StreamSink implements FeedSink {
  /** Whose stream it is; empty until it is known. */
  userId = '';
  /** The last cursor that was handed over. */
  cursor = '';
  /** Since when gRPC takes nothing, ms; 0 while it does. */
  stalledSinceMs = 0;
  private waitingBytes = 0;
  private queue: Queued[] = [];
  private readonly shown = new Set<string>();
  private readonly held = new Map<string, Buffer[]>();
  /** A cursor that came while something was held: it covers that, and waits for it. */
  private heldCursor: string | undefined;

  constructor(
    readonly encoding: StreamEncoding,
    private readonly call: Outgoing,
    /** A stream that resumes shows all of its user's rooms, and says whether it could. */
    private readonly resumes: boolean,
  ) {}

  get queuedBytes(): number {
    return this.waitingBytes;
  }

  write(bytes: Buffer): void {
    for (const envelope of envelopes(bytes)) this.take(envelope);
  }

  close(code: CloseCode, reason: string): void {
    this.queue = [];
    this.held.clear();
    this.waitingBytes = 0;
    this.call.end(code, reason);
  }

  /** An answer, past what is held. */
  say(said: Said): void {
    this.put(this.encoding.say(said));
  }

  shows(roomId: string): boolean {
    return this.resumes || this.shown.has(roomId);
  }

  /** From here on what comes of the room waits for `show` or `hide`. */
  hold(roomId: string): void {
    if (!this.shows(roomId) && !this.held.has(roomId)) this.held.set(roomId, []);
  }

  show(roomId: string): void {
    const held = this.held.get(roomId) ?? [];
    this.held.delete(roomId);
    this.shown.add(roomId);
    for (const bytes of held) {
      this.waitingBytes -= bytes.length;
      this.put(bytes);
    }
    this.releaseCursor();
  }

  hide(roomId: string): void {
    for (const { length } of this.held.get(roomId) ?? []) this.waitingBytes -= length;
    this.held.delete(roomId);
    this.shown.delete(roomId);
    this.releaseCursor();
  }

  /** The network takes bytes again. */
  drained(): void {
    this.stalledSinceMs = 0;
    const waiting = this.queue;
    this.queue = [];
    let taken = 0;
    while (taken < waiting.length && this.stalledSinceMs === 0) {
      const next = waiting[taken++];
      if (next === undefined) break;
      if (Buffer.isBuffer(next)) this.waitingBytes -= next.length;
      this.handOver(next);
    }
    this.queue = waiting.slice(taken);
  }

  private take({ kind, room, user, bytes }: Envelope): void {
    if (kind === 'cursor') {
      this.heldCursor = bytes.toString();
      return this.releaseCursor();
    }
    if (kind === 'welcome') return this.welcome(bytes.toString());
    if (kind !== 'shown' && user === this.userId) {
      if (kind === 'left') this.hide(room);
      return;
    }
    if (this.shows(room)) return this.put(bytes);
    const held = this.held.get(room);
    if (held === undefined) return;
    held.push(bytes);
    this.waitingBytes += bytes.length;
  }

  private releaseCursor(): void {
    if (this.heldCursor === undefined || this.held.size > 0) return;
    this.put({ cursor: this.heldCursor });
    this.heldCursor = undefined;
  }

  private welcome(recovered: string): void {
    if (!this.resumes) return;
    const at = new Date().toISOString();
    this.say({ type: 'resumed', user: this.userId, room: '', at, metadata: { recovered } });
  }

  private put(next: Queued): void {
    if (this.stalledSinceMs === 0) return this.handOver(next);
    this.queue.push(next);
    if (Buffer.isBuffer(next)) this.waitingBytes += next.length;
  }

  private handOver(next: Queued): void {
    if (!Buffer.isBuffer(next)) this.cursor = next.cursor;
    else if (!this.call.write(next)) this.stalledSinceMs = performance.now();
  }
}
