import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type MarkReply, QUEUE_GROUPS, REQUESTS } from '#contract';
import { MarkBatches } from './mark-batches.js';

@Controller()
export class MarksController {
  constructor(@Inject(MarkBatches) private readonly marks: MarkBatches) {}

  @MessagePattern(REQUESTS.markRead, { queue: QUEUE_GROUPS.projection })
  mark(@Payload() request: unknown): Promise<MarkReply> {
    return this.marks.answer(request);
  }
}
