/**
 * One socket. States: *waiting* for a hello (within 10 s), *opening* (signed in, its reader on the way), *live*, *closed*. All
 * timers of all sockets are one sweep: a connection holds numbers, no timers and no closures.
 */
import type { Socket } from 'node:net';
import { CLOSE, type CloseCode, type EchoMode, LIMITS, type ServerFrame } from '#contract';
import type { Identity } from '#service';
import type { Encoding, FeedSink } from '../feed/encoding.js';
import type { Reader } from '../feed/reader.js';
import { Network } from '../network.js';
import { PING_FRAME } from './frames-on-the-wire.js';
import type { ParleySocket } from './parley-socket.js';
import type { TurnWrites } from './turn-writes.js';

/** A client is gone when nothing came from it for so long: two pings and a little. */
const SILENCE_MAX_MS = 2.4 * LIMITS.heartbeatMs;
/** A socket that has been told to close is cut when it does not. */
const CLOSE_WAIT_MS = 2_000;
/** A client that sends more than it may is not read for so long: the network makes it wait. */
const REST_MS = 1_000;
/** Of more than that a copy costs more than a second write. */
const JOINED_BYTES_MAX = 16 * 1024;
/** Frames that are being answered; a client that sends more before it has answers is told to slow down. */
export const ANSWERS_MAX = 64;
/** Answers that wait for the network before there is a reader, whose queue they then count in. */
const EARLY_BYTES_MAX = 64 * 1024;

export class SocketConnection implements FeedSink {
  identity: Identity | undefined;
  reader: Reader | undefined;
  /** Settles when the reader is live or the connection has ended; undefined until signed in. */
  opened: Promise<void> | undefined;
  /** Chosen at the upgrade, for clients that say no hello. */
  echo: EchoMode | undefined;
  /** Frames that were no frames. */
  unreadable = 0;
  /** To be called at its hello, or at its end. */
  saidHello: () => void = () => undefined;
  /** Frames under way. */
  answering = 0;
  private readonly openedAtMs: number;
  private heardAtMs: number;
  private heardBytes = 0;
  private pingedAtMs: number;
  private readonly network: Network;
  private closedAtMs = 0;
  private restsUntilMs = 0;
  /** Put aside for the end of this turn: most often one buffer. */
  private aside: Buffer | undefined;
  private moreAside: Buffer[] | undefined;
  private asideBytes = 0;

  constructor(
    readonly client: ParleySocket,
    private readonly socket: Socket,
    readonly encoding: Encoding,
    nowMs: number,
    /** Of all connections of this process, in their order: whose turn it is in a sweep. */
    readonly number = 0,
    private readonly writes: TurnWrites | undefined = undefined,
  ) {
    this.network = new Network(socket);
    this.openedAtMs = nowMs;
    this.heardAtMs = nowMs;
    this.pingedAtMs = nowMs;
  }

  get queuedBytes(): number {
    return this.socket.writableLength + this.asideBytes;
  }

  get isClosed(): boolean {
    return this.closedAtMs !== 0;
  }

  /** Something waits: for the network, or for the connection's end. */
  get isUrgent(): boolean {
    return this.closedAtMs !== 0 || this.socket.writableLength > 0;
  }

  write(bytes: Buffer, isLast = false): void {
    if (this.closedAtMs !== 0) return;
    // Nothing can be joined to it, so nobody needs to come back for it.
    if (this.writes === undefined || (isLast && this.aside === undefined)) return this.writeAtOnce(bytes);
    this.asideBytes += bytes.length;
    if (this.aside === undefined) {
      this.aside = bytes;
      this.writes.add(this);
    } else if (this.moreAside === undefined) this.moreAside = [bytes];
    else this.moreAside.push(bytes);
  }

  /** The end of the turn, or of the connection. */
  writeAside(): void {
    const { aside, moreAside, asideBytes } = this;
    if (aside === undefined) return;
    this.aside = undefined;
    this.moreAside = undefined;
    this.asideBytes = 0;
    if (moreAside === undefined) this.writeAtOnce(aside);
    else if (asideBytes <= JOINED_BYTES_MAX) this.writeAtOnce(Buffer.concat([aside, ...moreAside], asideBytes));
    else for (const bytes of [aside, ...moreAside]) this.writeAtOnce(bytes);
  }

  private writeAtOnce(bytes: Buffer): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** An answer, or something that has no place in the feed. */
  send(frame: ServerFrame): void {
    const bytes = this.encoding.frame(frame);
    if (bytes === undefined) return;
    if (this.reader !== undefined) this.reader.writeNow(bytes);
    else if (this.queuedBytes <= EARLY_BYTES_MAX) this.write(bytes);
    else this.close(CLOSE.slowReader, 'slow reader');
  }

  close(code: CloseCode, reason: string): void {
    if (this.closedAtMs !== 0) return;
    this.writeAside();
    this.closedAtMs = performance.now();
    this.reader?.ended();
    this.client.close(code, reason);
  }

  /** Nothing is read from it for a while. */
  rest(): void {
    this.restsUntilMs = performance.now() + REST_MS;
    this.client.pause();
  }

  /** The socket has ended, whoever ended it. */
  ended(): void {
    this.aside = undefined;
    this.moreAside = undefined;
    this.asideBytes = 0;
    this.closedAtMs ||= performance.now();
  }

  /** Everything that depends on time. */
  sweep(nowMs: number, wallMs: number, stallMs: number): void {
    if (this.closedAtMs !== 0) {
      if (nowMs - this.closedAtMs > CLOSE_WAIT_MS) this.client.terminate();
      return;
    }
    if (this.restsUntilMs !== 0 && nowMs >= this.restsUntilMs) {
      this.restsUntilMs = 0;
      this.client.resume();
    }
    if (this.network.isStalled(nowMs, stallMs)) return this.close(CLOSE.slowReader, 'slow reader');
    if (this.identity !== undefined && this.identity.expiresAtMs <= wallMs)
      return this.close(CLOSE.tokenExpired, 'token expired');
    if (this.opened === undefined && nowMs - this.openedAtMs > LIMITS.helloMs)
      return this.close(CLOSE.signInRefused, 'no hello in time');
    this.listen(nowMs);
  }

  /** Whatever comes in is a sign of life, an answer to a ping included. */
  private listen(nowMs: number): void {
    const { bytesRead } = this.socket;
    if (bytesRead !== this.heardBytes) {
      this.heardBytes = bytesRead;
      this.heardAtMs = nowMs;
    }
    if (nowMs - this.heardAtMs > SILENCE_MAX_MS) return this.close(CLOSE.heartbeatMissed, 'heartbeat missed');
    if (nowMs - this.pingedAtMs < LIMITS.heartbeatMs) return;
    this.pingedAtMs = nowMs;
    this.writeAtOnce(PING_FRAME);
  }
}
