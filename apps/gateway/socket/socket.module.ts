/** Sockets, on the feed. The application takes upgrades once `attachSockets` has been called. */
import type { IncomingMessage } from 'node:http';
import { type INestApplication, Module } from '@nestjs/common';
import { addressOf, type Config, CONFIG, networkOf, type TokenVerifier } from '#service';
import { CommandsOfUsersModule } from '../commands/commands-of-users.module.js';
import { Feed } from '../feed/feed.js';
import { FeedModule } from '../feed/feed.module.js';
import { Here } from '../presence/here.js';
import { PresenceModule } from '../presence/presence.module.js';
import { SignInModule } from '../sign-in.module.js';
import { TOKEN_VERIFIER } from '../tokens.js';
import { TypingModule } from '../typing/typing.module.js';
import { FrameHandlers } from './frame-handlers.js';
import { SocketAdapter } from './socket.adapter.js';
import { SocketGateway } from './socket.gateway.js';
import { examineUpgrade } from './upgrade.js';
import { WsController } from './ws.controller.js';

@Module({
  imports: [CommandsOfUsersModule, FeedModule, PresenceModule, SignInModule, TypingModule],
  controllers: [WsController],
  providers: [SocketGateway, FrameHandlers],
})
export class SocketModule {}

/** Before `app.init()` or `app.listen()`: from there on `/ws` of the application's HTTP server is the gateway's. */
export function attachSockets(app: INestApplication): void {
  const feed = app.get(Feed, { strict: false });
  const verifier = app.get<TokenVerifier>(TOKEN_VERIFIER, { strict: false });
  const { origins, demo, trustProxyHops } = app.get<Config>(CONFIG, { strict: false });
  const { withoutHello } = app.get(SocketGateway, { strict: false });
  const mayWait = (request: IncomingMessage): void => withoutHello.check(networkOf(addressOf(request, trustProxyHops)));
  const here = app.get(Here, { strict: false });
  const isFull = (): boolean => here.isFull || feed.openings.isFull;
  const options = { verifier, origins, demo, mayWait, isFull, ends: () => feed.lastSequences() };
  app.useWebSocketAdapter(new SocketAdapter(app, (request) => examineUpgrade(request, options)));
}
