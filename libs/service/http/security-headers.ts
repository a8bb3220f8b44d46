/**
 * Helmet's headers. They are the same for every answer of ours, so helmet is asked once; its plugin for Fastify would build its rules
 * anew for each request, which was a tenth of what a send cost `api`.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';
import { contentRules } from './browsers.js';

/** The page may be served without TLS on a laptop, so nothing upgrades its requests. */
const RULES = {
  contentSecurityPolicy: { useDefaults: false, directives: contentRules() },
  xFrameOptions: { action: 'deny' },
} as const;

/** Puts them on every answer of the server, refusals and preflights among them. */
export function addSecurityHeaders(server: FastifyInstance): void {
  const headers = securityHeaders();
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

function securityHeaders(): Record<string, string> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  helmet(RULES)(request, response, (error?: unknown) => {
    if (error !== undefined) throw new Error('the rules of the security headers are wrong', { cause: error });
  });
  return Object.fromEntries(Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]));
}
