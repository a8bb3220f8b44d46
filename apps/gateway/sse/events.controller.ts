/**
 * `GET /api/events`: the feed as server-sent events. What is refused is refused before the stream, as on any other route.
 *
 * A browser's EventSource sets no headers, so here, and only here, a token may stand in the URL, where proxies and logs see it:
 * an access token lives for minutes, and who can set headers should.
 */
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { eventsQuery, parseOrRefuse } from '#contract';
import { bearerToken, type TokenVerifier } from '#service';
import { TOKEN_VERIFIER } from '../tokens.js';
import { EventStreams } from './event-streams.js';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx and its kin pass on what comes when it comes.
  'x-accel-buffering': 'no',
};

@Controller('/api/events')
export class EventsController {
  constructor(
    private readonly streams: EventStreams,
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
  ) {}

  @Get()
  async open(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const identity = await this.verifier.verify(tokenOf(request));
    const { since, echo } = parseOrRefuse(eventsQuery, request.query);
    // A browser that comes back says where it was; its URL still says where it began.
    const lastEventId = request.headers['last-event-id'];
    const from = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : since;
    if (request.method === 'HEAD') return void reply.headers(HEADERS).send();
    const headers = { ...reply.getHeaders(), ...HEADERS };
    this.streams.open(reply.raw, headers, { identity, since: from, echo });
    reply.hijack();
  }
}

function tokenOf({ headers, query }: FastifyRequest): string {
  const { token } = query as { readonly token?: unknown };
  return headers.authorization === undefined && typeof token === 'string' ? token : bearerToken(headers.authorization);
}
