/** Nest with Fastify and nothing else: a POST of a message that is answered, as it came or after our validation of a send. */
import { Body, Controller, HttpCode, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { COMMANDS, parseOrRefuse } from '#contract';
import { serve } from '../program.js';

const ANSWER = { accepted: true };

@Controller('/rooms/:roomId')
class Posts {
  @Post('unread')
  @HttpCode(202)
  unread(@Param('roomId') roomId: string, @Body() body: { readonly content?: unknown }): object {
    if (roomId === '' || body.content === undefined) throw new Error('nothing came');
    return ANSWER;
  }

  /** As `taskOf` of `apps/commands` does it, once for each command. */
  @Post('validated')
  @HttpCode(202)
  validated(@Param('roomId') roomId: string, @Body() body: object): object {
    parseOrRefuse(COMMANDS.SendMessage.schema, { ...body, roomId });
    return ANSWER;
  }
}

@Module({ controllers: [Posts] })
class Root {}

serve({
  /** @returns the address */
  listen: async (): Promise<string> => {
    const app = await NestFactory.create<NestFastifyApplication>(Root, new FastifyAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  },
});
