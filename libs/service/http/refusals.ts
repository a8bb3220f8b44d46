/**
 * How a refusal looks on HTTP: one shape, `problem+json` of exactly `status`, `code`, `detail`; on the participant routes the
 * bare text and a newline, unless the client asks for JSON. Whatever else is thrown is ours: logged once, answered `internal`.
 */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, HTTP_HEADERS, REFUSALS } from '#contract';
import type { RouteTable } from './route-table.js';

/** A refusal of HTTP itself, which no command or query can give. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';

  constructor(
    readonly status: number,
    readonly code: 'not_found' | 'method_not_allowed',
    detail: string,
    readonly allow: readonly string[] = [],
  ) {
    super(detail);
  }
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Routes whose refusals are plain text (contracts.md section 2). */
const TEXT_PATHS: ReadonlySet<string> = new Set([
  '/api/messages',
  '/api/messages/get',
  '/api/connections',
  '/health',
  '/ws',
]);
const ASKS_FOR_JSON = /\bapplication\/(problem\+)?json\b/i;

@Catch()
export class RefusalFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.refuse(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const path = pathOf(request);
    const answer = this.answerTo(error, request, path);
    if (reply.sent) return;
    reply.status(answer.status).headers(answer.headers);
    if (TEXT_PATHS.has(path) && !ASKS_FOR_JSON.test(request.headers.accept ?? '')) {
      // The participant contract knows one text for every token that is not good.
      const detail = answer.code === 'token_expired' ? REFUSALS.unauthenticated.detail : answer.detail;
      reply.type('text/plain; charset=utf-8').send(`${detail}\n`);
      return;
    }
    const { status, code, detail } = answer;
    // Bytes, because the server adds a charset to text, which this media type does not have.
    reply.type('application/problem+json').send(Buffer.from(JSON.stringify({ status, code, detail })));
  }

  /** A path that is no URL: refused by the router, before there is a route. */
  refuseUrl(request: FastifyRequest, reply: FastifyReply): void {
    this.refuse(new DomainError('invalid_body', 'the path is not a valid URL'), request, reply);
  }

  private answerTo(error: unknown, request: FastifyRequest, path: string): Answer {
    if (error instanceof DomainError) {
      if (error.code === 'internal') this.report(error, request);
      return refusal(error);
    }
    if (error instanceof HttpRefusal) return plain(error.status, error.code, error.message, allowHeader(error.allow));
    if (error instanceof HttpException) return this.fromFramework(error, request, path);
    this.report(error, request);
    return refusal(new DomainError('internal'));
  }

  /** What Nest and Fastify refuse by themselves: no such route, a body that is too large or cut off. */
  private fromFramework(error: HttpException, request: FastifyRequest, path: string): Answer {
    const status = error.getStatus();
    if (status === 404) {
      const allow = this.routes.methodsOf(path);
      if (allow.length === 0) return plain(404, 'not_found', 'no such route');
      return plain(405, 'method_not_allowed', 'method not allowed', allowHeader(allow));
    }
    if (status === 413) return refusal(new DomainError('too_large'));
    if (status < 500) return refusal(new DomainError('invalid_body'));
    this.report(error, request);
    return refusal(new DomainError('internal'));
  }

  private report(error: unknown, request: FastifyRequest): void {
    const cause = error instanceof Error && error.cause !== undefined ? `\ncaused by ${describe(error.cause)}` : '';
    this.logger.error(`${request.method} ${pathOf(request)} failed: ${describe(error)}${cause}`);
  }
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

const allowHeader = (methods: readonly string[]): Record<string, string> =>
  methods.length === 0 ? {} : { allow: methods.join(', ') };

function plain(status: number, code: string, detail: string, headers: Record<string, string> = {}): Answer {
  return { status, code, detail, headers };
}

function refusal(error: DomainError): Answer {
  const headers: Record<string, string> = {};
  if (error.retryMs !== undefined)
    headers[HTTP_HEADERS.retryAfter] = String(Math.max(1, Math.ceil(error.retryMs / 1000)));
  if (error.code === 'unauthenticated' || error.code === 'token_expired') headers['www-authenticate'] = 'Bearer';
  // What went wrong inside is for the log alone.
  const detail = error.code === 'internal' ? REFUSALS.internal.detail : error.message;
  return plain(REFUSALS[error.code].http, error.code, detail, headers);
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
