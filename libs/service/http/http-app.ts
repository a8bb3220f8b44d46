/**
 * The HTTP server around the routes, the same in every process that has some (`api`, `gateway`, `standalone`): Fastify under
 * Nest with our body parsers, limits, headers and one shape of refusals.
 */
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { HTTP_HEADERS, LIMITS } from '#contract';
import type { Config } from '../config.js';
import { parseBodies } from './body.js';
import { RefusalFilter } from './refusals.js';
import { RouteTable } from './route-table.js';

/** A client that has not sent its whole request by then is cut off. */
const REQUEST_TIMEOUT_MS = 30_000;
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
    requestTimeout: REQUEST_TIMEOUT_MS,
    // The address to believe is the one that the outermost of our own proxies has seen; hop 0 is the socket's.
    trustProxy: (_address: string, hop: number) => hop < config.trustProxyHops,
    routerOptions: { maxParamLength: PATH_PARAMETER_BYTES },
    frameworkErrors: (_error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      filter.refuseUrl(request, reply),
  });
  const server = adapter.getInstance();
  routes.listenTo(server);
  parseBodies(server);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(filter);
  await app.register(helmet, headerRules);
  await app.register(cors, corsRules(config));
  return { app, routes };
}

/** The page may be served without TLS on a laptop, so nothing upgrades its requests; its socket is on this host. */
const headerRules = {
  contentSecurityPolicy: {
    directives: { connectSrc: ["'self'", 'ws:', 'wss:'], upgradeInsecureRequests: null },
  },
};

function corsRules(config: Config) {
  const anyone = config.origins.includes('*');
  return {
    origin: anyone ? true : config.origins.length === 0 ? false : [...config.origins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [HTTP_HEADERS.retryAfter],
    maxAge: PREFLIGHT_CACHE_S,
  };
}
