/** `GET /ws` that asks for no upgrade: refused as an upgrade would be, or told to ask for one. */
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#contract';
import { type Config, CONFIG, type TokenVerifier } from '#service';
import { TOKEN_VERIFIER } from '../tokens.js';
import { examineUpgrade, refusalAnswer } from './upgrade.js';

const UPGRADE_REQUIRED = 426;

/** What matters only to a connection that comes of it. */
const WITHOUT_A_SOCKET = { ends: async () => [], mayWait: () => undefined, isFull: () => false };

@Controller('ws')
export class WsController {
  constructor(
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  async refuse(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { origins, demo } = this.config;
    const options = { verifier: this.verifier, origins, demo, ...WITHOUT_A_SOCKET };
    try {
      await examineUpgrade(request.raw, options);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const { status, body, headers } = refusalAnswer(error, request.headers.accept);
      await reply.status(status).headers(headers).send(body);
      return;
    }
    await reply.status(UPGRADE_REQUIRED).header('upgrade', 'websocket').type('text/plain').send('upgrade required\n');
  }
}
