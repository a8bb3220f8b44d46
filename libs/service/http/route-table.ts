/** Which methods a path has, so that a wrong one is told apart from a path that does not exist. */
import type { FastifyInstance } from 'fastify';

export class RouteTable {
  private readonly routes: { pattern: RegExp; url: string; method: string }[] = [];

  /** Learns every route that is added from here on. */
  listenTo(server: FastifyInstance): void {
    server.addHook('onRoute', ({ method, url }) => {
      // The preflight answers of CORS stand on every path.
      if (url === '*' || url === '/*') return;
      for (const name of [method].flat())
        if (name !== 'HEAD') this.routes.push({ pattern: patternOf(url), url, method: name });
    });
  }

  methodsOf(path: string): string[] {
    return [...new Set(this.routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort();
  }

  /** Every route there is, for the spec that knocks at all of them. */
  all(): { method: string; url: string }[] {
    return this.routes.map(({ method, url }) => ({ method, url }));
  }
}

function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/:[A-Za-z]+/g, '[^/]+')}$`);
}
