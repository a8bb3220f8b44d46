/** What the platform says of itself: OpenAPI, AsyncAPI, and both to read. Made once, of the contract. */
import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { asyncApi, openApi } from '#contract/descriptions';
import { contentPolicy } from '#service/http';
import { docsPage, STYLE_HASH } from './docs-page.js';

/** Asked for again after an upgrade. */
const FRESH = ['cache-control', 'no-cache'] as const;

@Controller()
export class DescriptionsController {
  private readonly made = new Map<string, string>();

  @Get('/openapi.json')
  @Header(...FRESH)
  http(@Res() reply: FastifyReply): void {
    this.send(reply, 'application/json; charset=utf-8', () => JSON.stringify(openApi()), 'openapi');
  }

  @Get('/asyncapi.json')
  @Header(...FRESH)
  live(@Res() reply: FastifyReply): void {
    this.send(reply, 'application/json; charset=utf-8', () => JSON.stringify(asyncApi()), 'asyncapi');
  }

  @Get('/docs')
  @Header(...FRESH)
  page(@Res() reply: FastifyReply): void {
    reply.header('content-security-policy', contentPolicy(STYLE_HASH));
    this.send(reply, 'text/html; charset=utf-8', () => docsPage(openApi(), asyncApi()));
  }

  private send(reply: FastifyReply, type: string, make: () => string, name = type): void {
    const text = this.made.get(name) ?? make();
    this.made.set(name, text);
    reply.type(type).send(text);
  }
}
