/** Health: `/health` and `/health/live` say that the process runs, `/health/ready` that it can do its work. */
import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { HEALTH, type Health, healthAnswer } from '#service';

@Controller('/health')
export class HealthController {
  constructor(@Inject(HEALTH) private readonly health: Health) {}

  @Get()
  running(@Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.answer('/health', reply);
  }

  @Get('live')
  live(@Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.answer('/health/live', reply);
  }

  @Get('ready')
  ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    return this.answer('/health/ready', reply);
  }

  private async answer(path: string, reply: FastifyReply): Promise<unknown> {
    const { status, body } = await healthAnswer(path, this.health);
    reply.status(status);
    return body;
  }
}
