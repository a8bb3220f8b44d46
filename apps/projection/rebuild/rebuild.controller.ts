import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { QUEUE_GROUPS, REQUESTS } from '#contract';
import { type RebuildReport, Rebuilds } from './rebuilds.js';

@Controller()
export class RebuildController {
  constructor(@Inject(Rebuilds) private readonly rebuilds: Rebuilds) {}

  /** Reports follow one another on the reply subject until the last one (Nest's packets, `isDisposed` on the last). */
  @MessagePattern(REQUESTS.rebuild, { queue: QUEUE_GROUPS.projection })
  rebuild(@Payload() request: unknown): Observable<RebuildReport> {
    return this.rebuilds.requested(request);
  }
}
