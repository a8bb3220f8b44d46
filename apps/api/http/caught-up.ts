/** Read-your-writes: a query that names a position or a cursor is answered once the views include it. */
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Cursor, DomainError, HTTP_HEADERS, parseCursor, parsePosition, type Position } from '#contract';
import type { PositionWaiter } from '#read-models';
import { type Config, CONFIG } from '#service';

export const POSITION_WAITER = Symbol('PositionWaiter');

/** Lets a query through when the views have reached what it names. */
@Injectable()
export class CaughtUp implements CanActivate {
  constructor(
    @Inject(POSITION_WAITER) private readonly waiter: PositionWaiter,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws DomainError `invalid_cursor`, or `behind` when the views do not come so far in time */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const given = (request.query as { position?: unknown }).position ?? request.headers[HTTP_HEADERS.position];
    if (given !== undefined) await this.waiter.waitFor(placeIn(given, this.config.partitions));
    return true;
  }
}

/** A place that this log can have: nobody waits for one that never comes. */
function placeIn(given: unknown, partitions: number): Position | Cursor {
  const place = typeof given === 'string' ? (parsePosition(given) ?? parseCursor(given)) : undefined;
  if (place === undefined) throw new DomainError('invalid_cursor', 'position: must be a position or a cursor');
  const exists = 'seqs' in place ? place.seqs.length === partitions : place.partition < partitions;
  if (!exists) throw new DomainError('invalid_cursor', 'position: is of a log with other partitions');
  return place;
}
