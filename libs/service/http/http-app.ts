/**
 * The HTTP server around the routes, the same in every process that has some (`api`, `gateway`, `standalone`): Fastify under
 * Nest with our body parsers, limits, headers and one shape of refusals.
 */
import cors from '@fastify/cors';
import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, HTTP_HEADERS, LIMITS } from '#contract';
import type { Config } from '../config.js';
import { parseBodies } from './body.js';
import { isOwnHost } from './browsers.js';
import { RefusalFilter } from './refusals.js';
import { endWhenAnswered, HTTP_CONNECTIONS_MAX, HTTP_STALL_MS, requestLimit } from './request-limit.js';
import { RouteTable } from './route-table.js';
import { addSecurityHeaders } from './security-headers.js';

/** A client that has not sent its headers, or its whole request, by then is cut off: nobody holds a connection by being slow. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
/** Whether somebody has been too slow is looked at so often. */
const SLOW_CHECK_MS = 1_000;
/** A user id of an external issuer, percent-encoded. */
const PATH_PARAMETER_BYTES = 12 * LIMITS.userIdCharacters;
/** Browsers ask again whether they may come this often. */
const PREFLIGHT_CACHE_S = 600;

export interface HttpApp {
  readonly app: NestFastifyApplication;
  readonly routes: RouteTable;
}

/** Builds the application around a module with controllers; `app.listen` starts it. */
export async function createHttpApp(
  module: Type | DynamicModule,
  config: Config,
  logger: LoggerService,
): Promise<HttpApp> {
  const routes = new RouteTable();
  const filter = new RefusalFilter(routes);
  const adapter = new FastifyAdapter({
    bodyLimit: LIMITS.bodyBytes,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: SLOW_CHECK_MS },
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: HTTP_STALL_MS,
    // What comes on a connection that was kept is answered as ever while the process drains, and the connection ends with it.
    return503OnClosing: false,
    // The address to believe is the one that the outermost of our own proxies has seen; hop 0 is the socket's.
    trustProxy: (_address: string, hop: number) => hop < config.trustProxyHops,
    routerOptions: { maxParamLength: PATH_PARAMETER_BYTES },
    frameworkErrors: (_error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      filter.refuseUrl(request, reply),
  });
  const server = adapter.getInstance();
  routes.listenTo(server);
  parseBodies(server);
  if (config.demo) refuseOtherHosts(server, config, filter);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(filter);
  addSecurityHeaders(server);
  await app.register(cors, corsRules(config));
  await app.register(requestLimit((error, request, reply) => filter.refuse(error, request, reply)));
  endWhenAnswered(server);
  server.server.maxConnections = HTTP_CONNECTIONS_MAX;
  return { app, routes };
}

/**
 * In demo mode anybody on this machine may act as anybody. A page from elsewhere whose name was made to lead here would be on this
 * machine, and on our own origin as its browser sees it: but it cannot hide the name.
 */
function refuseOtherHosts(server: FastifyInstance, { origins }: Config, filter: RefusalFilter): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (isOwnHost(request.headers.host, origins)) return done();
    filter.refuse(new DomainError('forbidden', 'forbidden: the demo is served to this machine alone'), request, reply);
  });
}

function corsRules(config: Config) {
  const anyone = config.origins.includes('*');
  return {
    origin: anyone ? true : config.origins.length === 0 ? false : [...config.origins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [HTTP_HEADERS.retryAfter],
    maxAge: PREFLIGHT_CACHE_S,
  };
}
