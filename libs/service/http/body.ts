/**
 * Bodies. What cannot be read is kept as the refusal that it deserves and thrown where the body is asked for, so that who is
 * calling is checked first.
 */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DomainError, LIMITS } from '#contract';

/** A body that is not JSON, or that was not said to be. */
class Unread {
  constructor(
    readonly text: string,
    readonly refusal: DomainError,
  ) {}
}

/** Replaces the server's own body parsers. */
export function parseBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  const options = { parseAs: 'string', bodyLimit: LIMITS.bodyBytes } as const;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser<string>('application/json', options, (request, body, done) => {
    if (body === '') return done(null, undefined);
    void parse(request, body, (error, value) =>
      done(null, error ? new Unread(body, new DomainError('invalid_body', undefined, { cause: error })) : value),
    );
  });
  server.addContentTypeParser<string>('*', options, (_request, body, done) => {
    const refusal = new DomainError('invalid_body', 'content type must be application/json');
    done(null, body === '' ? undefined : new Unread(body, refusal));
  });
}

/**
 * A request's body.
 * @throws DomainError `invalid_body`
 */
export function bodyOf(request: FastifyRequest): unknown {
  if (request.body instanceof Unread) throw request.body.refusal;
  return request.body;
}

/** A body that has to be an object; none at all counts as an empty one. */
export function objectOf(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new DomainError('invalid_body', 'body must be an object');
  return body as Record<string, unknown>;
}

/** The body as an object. */
export const JsonObject = createParamDecorator((_: unknown, context: ExecutionContext) =>
  objectOf(bodyOf(context.switchToHttp().getRequest<FastifyRequest>())),
);

/** The body, JSON whatever its content type says: clients of the participant contract set none. */
export const AnyJson = createParamDecorator((_: unknown, context: ExecutionContext): unknown => {
  const { body } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!(body instanceof Unread)) return body;
  try {
    return JSON.parse(body.text) as unknown;
  } catch (cause) {
    throw new DomainError('invalid_body', undefined, { cause });
  }
});
