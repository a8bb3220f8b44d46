/**
 * How much HTTP a process takes at once. A request that nobody can answer soon is refused now, with a hint when to come again; a client
 * that does not take its answer is cut off, because the answer waits in our memory.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#contract';

/** Requests that are being answered. */
export const HTTP_REQUESTS_MAX = 4_096;
/** Connections, sockets among them; the next one is closed before anything is read from it. */
export const HTTP_CONNECTIONS_MAX = 65_536;
/** A connection on which nothing moves, in the midst of a request or of its answer. Streams say something more often. */
export const HTTP_STALL_MS = 60_000;

/** An event stream is an answer without end, and counted as a connection of the feed. Whether we are alive is answered always. */
const UNCOUNTED = /^\/(api\/events|health)(?=[/?]|$)/;

/** While it drains, connections that have become idle are looked for this often. */
const DRAIN_LOOK_MS = 50;

/**
 * Lets a server that closes end with its last answer: a connection that had a request under way then would otherwise be kept for the next
 * one, for as long as its client likes.
 */
export function endWhenAnswered(server: FastifyInstance): void {
  server.addHook('preClose', (done) => {
    const looking = setInterval(() => server.server.closeIdleConnections(), DRAIN_LOOK_MS);
    server.server.once('close', () => clearInterval(looking));
    done();
  });
}

type Refuse = (error: DomainError, request: FastifyRequest, reply: FastifyReply) => void;

/** A plugin, so that it comes after those that set headers: a refusal has them too. */
export function requestLimit(refuse: Refuse, requestsMax = HTTP_REQUESTS_MAX) {
  let underWay = 0;
  const plugin = async (server: FastifyInstance): Promise<void> => {
    server.addHook('onRequest', (request, reply, done) => {
      if (UNCOUNTED.test(request.url)) return done();
      if (underWay >= requestsMax)
        return refuse(new DomainError('unavailable', 'too many requests at once'), request, reply);
      underWay += 1;
      reply.raw.once('close', () => (underWay -= 1));
      done();
    });
  };
  // For all routes, not only for those that would be added by this plugin.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}
