/** `/ws`: from the upgrade to the close. What a client reads is the feed's; what it says is read here and handed on. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import { Inject, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { RawData } from 'ws';
import { CLOSE, type ClientFrame, DomainError, type EchoMode, LIMITS, REFUSALS } from '#contract';
import { addressOf, type Config, CONFIG, type Identity, networkOf, type TokenVerifier } from '#service';
import { Feed } from '../feed/feed.js';
import { openReader, type OpenFrom } from '../feed/opening.js';
import { Reader } from '../feed/reader.js';
import { Here, TOO_MANY_CONNECTIONS } from '../presence/here.js';
import { TOKEN_VERIFIER } from '../tokens.js';
import { FrameRefusedError, readClientFrame, type RequestId } from './client-frames.js';
import { FrameHandlers } from './frame-handlers.js';
import { PARLEY, PLAIN } from './frames-on-the-wire.js';
import type { ParleySocket } from './parley-socket.js';
import { FRAME, SocketAdapter } from './socket.adapter.js';
import { ANSWERS_MAX, SocketConnection } from './socket-connection.js';
import { TurnWrites } from './turn-writes.js';
import { SocketsWithoutHello } from './without-hello.js';

const SWEEP_MS = 250;
/** A connection that nothing waits for is looked at in one sweep of so many: looking costs more than there is to see. */
const SWEEPS_A_ROUND = 4;
/** Closes of a drain: this far apart, all of them within this time. */
const DRAIN_EACH_MS = 2;
const DRAIN_SPREAD_MAX_MS = 8_000;
const DRAIN_RETRY_MS = 500;
/** What is under way may still be answered, and closes be acknowledged, for so long. */
const DRAIN_ANSWERS_MS = 3_000;

@WebSocketGateway({ path: '/ws' })
export class SocketGateway implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('SocketGateway');
  private readonly connections = new Set<SocketConnection>();
  readonly withoutHello: SocketsWithoutHello;
  private readonly writes: TurnWrites;
  private sweeping: NodeJS.Timeout | undefined;
  private sweeps = 0;
  private opened = 0;
  private draining = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
    private readonly feed: Feed,
    private readonly handlers: FrameHandlers,
    private readonly here: Here,
  ) {
    this.withoutHello = new SocketsWithoutHello(config.rateLimits);
    this.writes = new TurnWrites(feed.turn);
  }

  onModuleInit(): void {
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS);
  }

  /** Says so, lets what is under way be answered, and closes one after the other: a crowd must not come back at once. */
  async onModuleDestroy(): Promise<void> {
    this.draining = true;
    const spreadMs = Math.min(DRAIN_SPREAD_MAX_MS, this.connections.size * DRAIN_EACH_MS);
    const drain = PARLEY.frame({ op: 'drain', retryMs: DRAIN_RETRY_MS + spreadMs });
    for (const { reader } of this.connections)
      if (reader?.sink.encoding === PARLEY && drain !== undefined) reader.writeNow(drain);
    const startMs = performance.now();
    const all = [...this.connections];
    for (const [i, connection] of all.entries()) {
      await delay(Math.max(0, startMs + (spreadMs * i) / all.length - performance.now()));
      while (connection.answering > 0 && performance.now() - startMs < DRAIN_ANSWERS_MS) await delay(DRAIN_EACH_MS);
      connection.close(CLOSE.draining, 'draining');
    }
    while (this.connections.size > 0 && performance.now() - startMs < spreadMs + DRAIN_ANSWERS_MS)
      await delay(DRAIN_EACH_MS);
    clearInterval(this.sweeping);
  }

  handleConnection(client: ParleySocket, request: IncomingMessage): void {
    const upgrade = SocketAdapter.upgradeOf(request);
    if (upgrade === undefined) return client.terminate();
    const connection = new SocketConnection(
      client,
      request.socket,
      upgrade.isPlain ? PLAIN : PARLEY,
      performance.now(),
      ++this.opened,
      this.writes,
    );
    client.connection = connection;
    this.connections.add(connection);
    connection.echo = upgrade.echo;
    if (this.draining) return connection.close(CLOSE.draining, 'draining');
    if (upgrade.refused !== undefined) return refuseSignIn(connection, upgrade.refused);
    if (upgrade.identity === undefined) {
      const address = networkOf(addressOf(request, this.config.trustProxyHops));
      connection.saidHello = this.withoutHello.enter(address);
      return;
    }
    connection.identity = upgrade.identity;
    if (upgrade.isPlain) this.open(connection, upgrade.identity, upgrade.echo ?? 'none', { ends: upgrade.ends });
  }

  handleDisconnect(client: ParleySocket): void {
    const { connection } = client;
    if (connection === undefined) return;
    connection.ended();
    connection.saidHello();
    this.connections.delete(connection);
    const { reader, identity } = connection;
    if (reader === undefined || identity === undefined) return;
    this.feed.leave(reader);
    this.handlers.left(reader);
    this.here.disconnected(identity.userId);
  }

  @SubscribeMessage(FRAME)
  async frame(client: ParleySocket, { data, isBinary }: { data: RawData; isBinary: boolean }): Promise<void> {
    const { connection } = client;
    if (connection === undefined || connection.isClosed) return;
    if (connection.encoding === PLAIN) return; // these only listen
    if (isBinary) return connection.close(CLOSE.protocolError, 'frames are text');
    connection.answering += 1;
    let id: RequestId | undefined;
    try {
      const frame = readClientFrame(data);
      id = 'id' in frame ? frame.id : undefined;
      if (connection.answering > ANSWERS_MAX)
        throw new DomainError('rate_limited', 'too many frames are waiting for their answers');
      await this.take(connection, frame);
    } catch (error) {
      this.refuse(connection, error, id);
    } finally {
      connection.answering -= 1;
    }
  }

  /** Everything that is open, for a drain. */
  get all(): ReadonlySet<SocketConnection> {
    return this.connections;
  }

  private async take(connection: SocketConnection, frame: ClientFrame): Promise<void> {
    if (frame.op === 'hello') return this.hello(connection, frame);
    if (connection.opened === undefined) return connection.close(CLOSE.protocolError, 'the first frame is a hello');
    await connection.opened;
    const { reader, identity } = connection;
    if (reader === undefined || identity === undefined || connection.isClosed) return;
    await this.handlers.handle(frame, connection, identity, reader);
  }

  private async hello(connection: SocketConnection, frame: Extract<ClientFrame, { op: 'hello' }>): Promise<void> {
    if (connection.opened !== undefined) return connection.close(CLOSE.protocolError, 'one hello is enough');
    connection.saidHello();
    let settle: () => void = () => undefined;
    connection.opened = new Promise((resolve) => (settle = resolve));
    try {
      const identity = await this.identify(connection, frame.token);
      if (identity === undefined) return;
      connection.identity = identity;
      const echo = frame.echo ?? connection.echo ?? 'origin';
      await this.openNow(connection, identity, echo, { since: frame.since });
    } finally {
      settle();
    }
  }

  /** Who says hello; undefined when the connection has been closed for it. */
  private async identify(connection: SocketConnection, token: string | undefined): Promise<Identity | undefined> {
    const known = connection.identity;
    if (token === undefined) {
      if (known === undefined) refuseSignIn(connection, new DomainError('unauthenticated', 'a hello needs a token'));
      return known;
    }
    try {
      const identity = await this.verifier.verify(token);
      if (known === undefined || known.userId === identity.userId) return identity;
      refuseSignIn(connection, new DomainError('unauthenticated', 'the token is another user’s'));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (REFUSALS[error.code].temporary) connection.close(CLOSE.replayFailed, error.message);
      else refuseSignIn(connection, error);
    }
    return undefined;
  }

  private open(connection: SocketConnection, identity: Identity, echo: EchoMode, from: OpenFrom): void {
    connection.opened = this.openNow(connection, identity, echo, from);
  }

  /** Never rejects: what cannot be opened is closed with a code to come back with. */
  private async openNow(
    connection: SocketConnection,
    identity: Identity,
    echo: EchoMode,
    from: OpenFrom,
  ): Promise<void> {
    if (connection.isClosed) return;
    if (this.feed.broken !== undefined) return connection.close(CLOSE.epochChanged, 'the log has begun another epoch');
    if (!this.here.connected(identity.userId)) return connection.close(CLOSE.tooManyConnections, TOO_MANY_CONNECTIONS);
    const reader = new Reader(randomUUID(), connection, echo, identity.sessionId);
    connection.reader = reader;
    try {
      await openReader(this.feed, reader, identity.userId, from);
    } catch (error) {
      this.log.warn(`replay failed: ${String(error)}`);
      connection.close(CLOSE.replayFailed, 'replay failed');
    }
  }

  private refuse(connection: SocketConnection, error: unknown, id: RequestId | undefined): void {
    if (error instanceof FrameRefusedError && !mayGoOn(connection))
      return connection.close(CLOSE.protocolError, 'frames that cannot be read');
    const requestId = error instanceof FrameRefusedError ? error.id : id;
    connection.send({ op: 'error', ...(requestId === undefined ? {} : { id: requestId }), ...this.refusalOf(error) });
  }

  private refusalOf(error: unknown): { code: string; message: string; temporary: boolean; retryMs?: number } {
    const known = error instanceof FrameRefusedError ? error.refusal : error;
    if (!(known instanceof DomainError)) this.log.error(known);
    const refusal = known instanceof DomainError ? known : new DomainError('internal', undefined, { cause: known });
    const { code, message, retryMs } = refusal;
    return { code, message, temporary: REFUSALS[code].temporary, ...(retryMs === undefined ? {} : { retryMs }) };
  }

  private sweep(): void {
    const nowMs = performance.now();
    const wallMs = Date.now();
    this.sweeps += 1;
    const turn = this.sweeps % SWEEPS_A_ROUND;
    for (const connection of this.connections)
      if (connection.isUrgent || connection.number % SWEEPS_A_ROUND === turn)
        connection.sweep(nowMs, wallMs, this.config.sendStallMs);
  }
}

/** A client that errs is told so; one that never gets it right, or has not even signed in, is no client. */
function mayGoOn(connection: SocketConnection): boolean {
  connection.unreadable += 1;
  return connection.identity !== undefined && connection.unreadable <= LIMITS.unreadableFrames;
}

function refuseSignIn(connection: SocketConnection, { code, message }: DomainError): void {
  connection.close(code === 'token_expired' ? CLOSE.tokenExpired : CLOSE.signInRefused, message.slice(0, 100));
}
