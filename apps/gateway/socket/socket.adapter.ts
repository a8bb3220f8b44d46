/**
 * Nest's `WsAdapter` with what Parley needs of it: sign-in before the upgrade, one subprotocol, no compression, the contract's
 * close codes, and a dispatch that costs a connection one listener. It takes `/ws` of the application's own HTTP server.
 */
import type { IncomingMessage } from 'node:http';
import { type INestApplicationContext, Logger } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import type { WsMessageHandler } from '@nestjs/common';
import type { ServerOptions, WebSocketServer } from 'ws';
import { DomainError, LIMITS, SUBPROTOCOL } from '#contract';
import { ParleySocket } from './parley-socket.js';
import { refusalAnswer, type Upgrade } from './upgrade.js';

/** How long a socket that was told to close may take; the sweep cuts it earlier. */
const CLOSE_TIMEOUT_MS = 5_000;

/** The name under which `SocketGateway` takes whole frames. */
export const FRAME = 'frame';

type OwnOption = 'maxPayload' | 'perMessageDeflate' | 'clientTracking' | 'handleProtocols' | 'verifyClient';
type Examine = (request: IncomingMessage) => Promise<Upgrade>;

export class SocketAdapter extends WsAdapter {
  private readonly log = new Logger('SocketAdapter');
  /** What was found out about a request, for the connection that comes of it. */
  private static readonly upgrades = new WeakMap<IncomingMessage, Upgrade>();

  constructor(
    app: INestApplicationContext,
    private readonly examine: Examine,
  ) {
    super(app);
  }

  static upgradeOf(request: IncomingMessage): Upgrade | undefined {
    return SocketAdapter.upgrades.get(request);
  }

  override create(port: number, options: Record<string, unknown> = {}): WebSocketServer {
    const own: Pick<ServerOptions, OwnOption> & { WebSocket: typeof ParleySocket; closeTimeout: number } = {
      WebSocket: ParleySocket,
      maxPayload: LIMITS.frameBytes,
      perMessageDeflate: false,
      clientTracking: true,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: ({ req }, done) => this.verify(req, done),
    };
    return super.create(port, { ...options, ...own }) as WebSocketServer;
  }

  /** One listener a connection; `ws` reports what is wrong with a client's frames by closing it. */
  override bindMessageHandlers(client: ParleySocket, handlers: WsMessageHandler[]): void {
    const handler = handlers.find(({ message }) => message === FRAME);
    if (handler === undefined) return;
    client.on('message', (data, isBinary) => void handler.callback({ data, isBinary }));
  }

  override bindErrorHandler(server: WebSocketServer): WebSocketServer {
    server.on('error', (error) => this.log.error(error));
    // A client's fault, or the network's: the close that follows says all there is to say.
    server.on('connection', (client) => client.on('error', ignoreClientFault));
    return server;
  }

  private verify(
    request: IncomingMessage,
    done: (ok: boolean, status?: number, message?: string, headers?: Record<string, string>) => void,
  ): void {
    this.examine(request).then(
      (upgrade) => {
        SocketAdapter.upgrades.set(request, upgrade);
        done(true);
      },
      (error: unknown) => {
        const known =
          error instanceof DomainError ? error : new DomainError('unavailable', undefined, { cause: error });
        if (!(error instanceof DomainError)) this.log.error(error);
        const { status, body, headers } = refusalAnswer(known, request.headers.accept);
        done(false, status, body, headers);
      },
    );
  }
}

function ignoreClientFault(): void {
  // Nothing: without a listener the error would end the process.
}
