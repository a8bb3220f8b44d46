import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Controller, Get, type LoggerService, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError } from '#contract';
import { loadConfig } from '#service';
import { AnyJson, createHttpApp, JsonObject } from '#service/http';
import { Address } from './caller.js';
import { type Call, call, plainText, problem } from '../test-client.js';

@Controller()
class Probe {
  @Post('/probe')
  echo(@JsonObject() body: Record<string, unknown>): object {
    return { got: body };
  }

  @Post('/api/messages')
  participantEcho(@AnyJson() body: unknown): object {
    return { got: body };
  }

  @Get('/refused')
  refuse(): never {
    throw new DomainError('rate_limited', undefined, { retryMs: 1_200 });
  }

  @Get('/refused-sign-in')
  refuseSignIn(): never {
    throw new DomainError('token_expired');
  }

  @Get('/api/messages/get')
  refuseParticipant(): never {
    throw new DomainError('token_expired');
  }

  @Get('/broken')
  breakDown(): never {
    throw new Error('secret detail', { cause: new Error('the cause') });
  }

  @Get('/broken-inside')
  breakInside(): never {
    throw new DomainError('internal', 'secret detail');
  }

  @Get('/address')
  address(@Address() address: string): object {
    return { address };
  }
}

@Module({ controllers: [Probe] })
class ProbeModule {}

const logged: string[] = [];
const log = (message: unknown): void => void logged.push(String(message));
const logger: LoggerService = { log, error: log, warn: log };

let app: NestFastifyApplication;
let base: string;

beforeAll(async () => {
  const config = loadConfig({ ORIGINS: 'https://chat.example', TRUST_PROXY_HOPS: '1' });
  ({ app } = await createHttpApp(ProbeModule, config, logger));
  await app.listen(0, '127.0.0.1');
  base = await app.getUrl();
});

afterAll(() => app.close());

const json = { 'content-type': 'application/json' };

const ask = (request: Call) => call(base, request);

describe('bodies', () => {
  test('are JSON objects, and none counts as an empty one', async () => {
    const echo = async (request: Call) => (await ask(request)).json();
    expect(await echo({ method: 'POST', url: '/probe', body: { a: 1 } })).toEqual({ got: { a: 1 } });
    expect(await echo({ method: 'POST', url: '/probe' })).toEqual({ got: {} });
    expect(await echo({ method: 'POST', url: '/probe', headers: json, body: '' })).toEqual({ got: {} });
  });

  test.each([
    ['malformed', '{"a":', json, 'bad request'],
    ['with __proto__', '{"__proto__":{}}', json, 'bad request'],
    ['an array', '[]', json, 'body must be an object'],
    ['a string', '"a"', json, 'body must be an object'],
    ['a form', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 'content type must be application/json'],
    ['of no type', '{}', {}, 'content type must be application/json'],
  ])('a body that is %s is refused', async (_name, body, headers, detail) => {
    expect(await ask({ method: 'POST', url: '/probe', body, headers })).toMatchObject(
      problem(400, 'invalid_body', detail),
    );
  });

  test('are at most 64 KiB', async () => {
    const body = JSON.stringify('x'.repeat(64 * 1024));
    expect(await ask({ method: 'POST', url: '/probe', body, headers: json })).toMatchObject(
      problem(413, 'too_large', 'too large'),
    );
  });

  test('of participant channels are JSON whatever their type says', async () => {
    const answer = await ask({ method: 'POST', url: '/api/messages', body: '{"a":1}' });
    expect(answer.json()).toEqual({ got: { a: 1 } });
    expect(await ask({ method: 'POST', url: '/api/messages', body: '{' })).toMatchObject(plainText(400, 'bad request'));
  });
});

describe('refusals', () => {
  test('an unknown route and a wrong method', async () => {
    expect(await ask({ url: '/api/nothing' })).toMatchObject(problem(404, 'not_found', 'no such route'));
    expect(await ask({ method: 'DELETE', url: '/probe' })).toMatchObject(
      problem(405, 'method_not_allowed', 'method not allowed'),
    );
    expect((await ask({ method: 'DELETE', url: '/probe' })).headers.get('allow')).toBe('POST');
    expect(await ask({ method: 'DELETE', url: '/api/messages' })).toMatchObject(plainText(405, 'method not allowed'));
  });

  test('a path that is no URL', async () => {
    expect(await ask({ url: '/%zz' })).toMatchObject(problem(400, 'invalid_body', 'the path is not a valid URL'));
  });

  test('a temporary one says when to come again', async () => {
    const answer = await ask({ url: '/refused' });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.json()).toEqual({ status: 429, code: 'rate_limited', detail: 'rate limit exceeded' });
  });

  test('one about sign-in names the scheme; participant channels know one text for every bad token', async () => {
    const answer = await ask({ url: '/refused-sign-in' });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.json()).toEqual({ status: 401, code: 'token_expired', detail: 'token expired' });
    expect(await ask({ url: '/api/messages/get' })).toMatchObject(plainText(401, 'invalid token'));
  });

  test.each(['application/json', 'text/html, application/problem+json;q=0.9'])(
    'are JSON on participant channels for who accepts %s',
    async (accept) => {
      expect(await ask({ url: '/api/messages/get', headers: { accept } })).toMatchObject(
        problem(401, 'token_expired', 'token expired'),
      );
    },
  );

  test('what breaks is logged once, with its cause, and tells nothing', async () => {
    logged.length = 0;
    expect(await ask({ url: '/broken' })).toMatchObject(problem(500, 'internal', 'internal error'));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(/GET \/broken failed: Error: secret detail[^]*caused by Error: the cause/);
    expect(await ask({ url: '/broken-inside' })).toMatchObject(problem(500, 'internal', 'internal error'));
  });
});

describe('headers', () => {
  test('helmet is on, and the page may open its socket', async () => {
    const { headers } = await ask({ url: '/address' });
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toMatch(/connect-src 'self'(;|$)/);
    expect(headers.get('content-security-policy')).not.toMatch(/upgrade-insecure-requests/);
  });

  test('other origins come in by the list', async () => {
    const allowed = await ask({ url: '/address', headers: { origin: 'https://chat.example' } });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://chat.example');
    const other = await ask({ url: '/address', headers: { origin: 'https://evil.example' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('the address is the one that the last trusted proxy has seen', async () => {
    const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.7' };
    expect((await ask({ url: '/address', headers })).json()).toEqual({ address: '203.0.113.7' });
  });
});
