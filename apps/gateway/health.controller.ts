/** Health of a gateway that is a process of its own; in `standalone` the API's is everybody's. */
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HEALTH, type Health, healthAnswer } from '#service';

@Controller('health')
export class HealthController {
  constructor(@Inject(HEALTH) private readonly health: Health) {}

  @Get(['', 'live', 'ready'])
  async answer(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { status, body } = await healthAnswer(new URL(request.url, 'http://localhost').pathname, this.health);
    await reply.status(status).send(body);
  }
}
