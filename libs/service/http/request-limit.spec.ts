/** A process that has as many requests as it takes. */
import { Agent, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { waitUntil } from '#embedded';
import { loadConfig } from '../config.js';
import { createHttpApp } from './http-app.js';
import { HTTP_REQUESTS_MAX } from './request-limit.js';

const WITHIN_MS = 60_000;
/** A process has 20 s for all of its drain; a client keeps a connection for longer than that. */
const DRAIN_MS = 15_000;
const silent = { log: () => undefined, error: () => undefined, warn: () => undefined };
const waiting: (() => void)[] = [];

@Controller()
class Slow {
  @Get('/slow')
  async slow(): Promise<object> {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { done: true };
  }

  @Get('/health')
  health(): object {
    return { status: 'ok' };
  }
}

@Module({ controllers: [Slow] })
class SlowModule {}

let app: NestFastifyApplication;
let port: number;
beforeAll(async () => {
  ({ app } = await createHttpApp(SlowModule, loadConfig({}), silent));
  await app.listen(0, '127.0.0.1');
  ({ port } = app.getHttpServer().address() as AddressInfo);
});
afterAll(() => app.close());

function ask(path: string): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => (body += text));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    }).on('error', reject);
  });
}

test('the next one is refused with a hint, health is answered, and it goes on when there is room', async () => {
  const asked = Array.from({ length: HTTP_REQUESTS_MAX }, () => ask('/slow'));
  await waitUntil('all are under way', WITHIN_MS, () => waiting.length === HTTP_REQUESTS_MAX);
  const refused = await ask('/slow');
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  expect(refused.headers['content-type']).toContain('application/problem+json');
  expect(refused.headers['x-content-type-options']).toBe('nosniff');
  expect(JSON.parse(refused.body)).toEqual({ status: 503, code: 'unavailable', detail: 'too many requests at once' });
  expect(await ask('/health')).toMatchObject({ status: 200 });
  for (const answer of waiting.splice(0)) answer();
  for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
  const next = ask('/slow');
  await waitUntil('it is taken', WITHIN_MS, () => waiting.length === 1);
  waiting.splice(0).forEach((answer) => answer());
  expect(await next).toMatchObject({ status: 200 });
}, 120_000);

test('a server that closes answers what it has, and does not wait for connections that clients would keep', async () => {
  const own = await createHttpApp(SlowModule, loadConfig({}), silent);
  await own.app.listen(0, '127.0.0.1');
  const at = (own.app.getHttpServer().address() as AddressInfo).port;
  const agent = new Agent({ keepAlive: true });
  const status = new Promise<number>((resolve, reject) => {
    get({ port: at, host: '127.0.0.1', path: '/slow', agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    }).on('error', reject);
  });
  await waitUntil('it is under way', WITHIN_MS, () => waiting.length === 1);
  let closed = false;
  const closing = own.app.close().then(() => (closed = true));
  await waitUntil('it takes no connection any more', WITHIN_MS, () => !own.app.getHttpServer().listening);
  expect(closed).toBe(false);
  waiting.splice(0).forEach((answer) => answer());
  expect(await status).toBe(200);
  await waitUntil('it has closed', DRAIN_MS, () => closed);
  await closing;
  agent.destroy();
}, 120_000);
