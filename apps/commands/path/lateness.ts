/** A command that comes too late to be decided: what its edge does now, and what its client was told meanwhile, nobody here knows. */
import { performance } from 'node:perf_hooks';
import { DomainError } from '#contract';
import { DECIDED_WITHIN_MS, type RequestTimes } from '#service';

/** No refusal: nothing was decided, and an edge that still waits asks again. */
export class TooLateError extends DomainError {
  constructor() {
    super('unavailable', 'it came too late; ask again');
  }
}

export const tooLate = ({ askedAtMs }: RequestTimes): TooLateError | undefined =>
  performance.now() - askedAtMs >= DECIDED_WITHIN_MS ? new TooLateError() : undefined;
