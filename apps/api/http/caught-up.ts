/** Read-your-writes: a query that names a position or a cursor is answered once the views include it. */
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Cursor, DomainError, HTTP_HEADERS, parseCursor, parsePosition, type Position } from '#contract';
import type { PositionWaiter } from '#read-models';

export const POSITION_WAITER = Symbol('PositionWaiter');

/** Lets a query through when the views have reached what it names. */
@Injectable()
export class CaughtUp implements CanActivate {
  constructor(@Inject(POSITION_WAITER) private readonly waiter: PositionWaiter) {}

  /** @throws DomainError `invalid_cursor`, or `behind` when the views do not come so far in time */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const target = namedPosition(context.switchToHttp().getRequest<FastifyRequest>());
    if (target !== undefined) await this.waiter.waitFor(target);
    return true;
  }
}

function namedPosition(request: FastifyRequest): Position | Cursor | undefined {
  const given = (request.query as { position?: unknown }).position ?? request.headers[HTTP_HEADERS.position];
  if (given === undefined) return undefined;
  const target = typeof given === 'string' ? (parsePosition(given) ?? parseCursor(given)) : undefined;
  if (target === undefined) throw new DomainError('invalid_cursor', 'position: must be a position or a cursor');
  return target;
}
