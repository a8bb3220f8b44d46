/** Server-sent events of a gateway that is a process of its own: its refusals, its bounds, and what it mounts. */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { RequestMethod, type Type } from '@nestjs/common';
import { ROUTES } from '#contract/descriptions';
import { waitUntil } from '#embedded';
import { connectNats, Presence } from '#service';
import { GatewayModule } from '../gateway.module.js';
import { HealthController } from '../health.controller.js';
import { Client, type Gateway, tokenFor, usePlatform } from '../test-platform.js';

const WAIT_MS = 10_000;
const platform = usePlatform();
let gateway: Gateway;
let nats: NatsConnection;
beforeAll(async () => {
  nats = await connectNats(platform.config, 'spec');
  gateway = await platform.gateway({ ORIGINS: 'https://friend.example', SEND_STALL_MS: '600000' });
});

afterAll(() => nats.close());

async function connectionsOf(user: string): Promise<number> {
  const found = await new Presence(nats).of([user]);
  return found.get(user)?.connections ?? 0;
}

const someone = (): string => `u${randomUUID().slice(0, 8)}`;
const bearer = (user: string) => ({ authorization: `Bearer ${tokenFor(user)}` });

/** A stream as text; `answer` can be paused. */
async function listen(user: string): Promise<{ answer: IncomingMessage; text: () => string; isClosed: () => boolean }> {
  let text = '';
  let closed = false;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${gateway.url}/api/events`, { headers: bearer(user), agent: false }, resolve).on('error', reject);
  });
  answer.on('data', (chunk) => (text += String(chunk)));
  answer.on('close', () => (closed = true));
  answer.on('error', () => (closed = true));
  await waitUntil('the stream to catch up', WAIT_MS, () => text.includes('event: caught_up'));
  return { answer, text: () => text, isClosed: () => closed };
}

describe('what is refused before the stream', () => {
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${gateway.url}${path}`, init);
    return { status: answer.status, type: answer.headers.get('content-type'), body: (await answer.json()) as unknown };
  };
  const problem = (status: number, code: string, detail: string) => ({
    status,
    type: 'application/problem+json',
    body: { status, code, detail },
  });

  test('is a problem, as at the api', async () => {
    const missing = problem(401, 'unauthenticated', 'missing authorization header');
    expect(await ask('/api/events')).toEqual(missing);
    expect(await ask('/api/events?token=x')).toEqual(problem(401, 'unauthenticated', 'invalid token'));
    const headers = bearer(someone());
    expect(await ask('/api/events?echo=loud', { headers })).toMatchObject({ status: 400 });
    expect(await ask('/api/events', { headers, method: 'POST' })).toEqual(
      problem(405, 'method_not_allowed', 'method not allowed'),
    );
    expect(await ask('/api/rooms', { headers })).toEqual(problem(404, 'not_found', 'no such route'));
  });

  test('pages of a listed origin may listen, those of another may not read', async () => {
    const from = async (origin: string) => {
      const answer = await fetch(`${gateway.url}/api/events`, { headers: { origin } });
      return answer.headers.get('access-control-allow-origin');
    };
    expect(await from('https://friend.example')).toBe('https://friend.example');
    expect(await from('https://evil.example')).toBeNull();
  });
});

test('a stream says what a socket of the same user says, in the same order, however the events are joined', async () => {
  const [ann, bob] = [someone(), someone()];
  const room = `r${randomUUID().slice(0, 8)}`;
  await platform.run('CreateRoom', ann, { roomId: room, name: 'R' });
  await platform.run('JoinRoom', bob, { roomId: room });
  const stream = await listen(bob);
  const socket = await Client.open(gateway, bob, { echo: 'all' });
  const sends = Array.from({ length: 200 }, (_, i) =>
    platform.run('SendMessage', i % 2 === 0 ? ann : bob, { roomId: room, content: `m${i}` }),
  );
  await Promise.all(sends);
  const heard = () =>
    [...stream.text().matchAll(/^data: (.*)$/gm)]
      .map(([, data = '']) => JSON.parse(data) as { type?: string; seq?: number; data?: { content?: string } })
      .filter(({ type }) => type === 'message.sent');
  await waitUntil('all of them', WAIT_MS, () => heard().length === 200 && socket.contents(room).length === 200);
  expect(heard().map(({ data }) => data?.content)).toEqual(socket.contents(room));
  stream.answer.destroy();
});

test('what waits for a reader that does not read is bounded: above it the stream is cut off', async () => {
  const [ann, bob] = [someone(), someone()];
  const room = `r${randomUUID().slice(0, 8)}`;
  await platform.run('CreateRoom', ann, { roomId: room, name: 'R' });
  await platform.run('JoinRoom', bob, { roomId: room });
  const stream = await listen(bob);
  stream.answer.pause();
  const content = 'x'.repeat(16_000);
  let sentBytes = 0;
  const before = process.memoryUsage();
  await waitUntil('the stream to count', WAIT_MS, async () => (await connectionsOf(bob)) === 1);
  while ((await connectionsOf(bob)) > 0 && sentBytes < 64 * 2 ** 20) {
    await Promise.all(Array.from({ length: 20 }, () => platform.run('SendMessage', ann, { roomId: room, content })));
    sentBytes += 20 * content.length;
  }
  expect(await connectionsOf(bob)).toBe(0);
  const { external } = process.memoryUsage();
  expect(external - before.external).toBeLessThan(48 * 2 ** 20);
  stream.answer.destroy();
});

test('the routes of a gateway are described, and every description is of a route', () => {
  const described = ROUTES.filter(({ by }) => by === 'gateway').map(({ method, path }) => `${method} ${path}`);
  const health = routesOf(HealthController);
  const mounted = controllersIn(GatewayModule).flatMap(routesOf);
  expect(mounted.sort()).toEqual(described.sort());
  const everywhere = new Set(ROUTES.map(({ method, path }) => `${method} ${path}`));
  expect(health.filter((route) => !everywhere.has(route))).toEqual([]);
});

function controllersIn(module: Type): Type[] {
  const own = (Reflect.getMetadata('controllers', module) ?? []) as Type[];
  const imports = (Reflect.getMetadata('imports', module) ?? []) as Type[];
  return [...new Set([...own, ...imports.flatMap(controllersIn)])];
}

function routesOf(controller: Type): string[] {
  const prefix = [Reflect.getMetadata('path', controller) as string].flat();
  const prototype = controller.prototype as Record<string, object>;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler = prototype[name];
    if (name === 'constructor' || handler === undefined || !Reflect.hasMetadata('path', handler)) return [];
    const paths = [Reflect.getMetadata('path', handler) as string | string[]].flat();
    const method = RequestMethod[Reflect.getMetadata('method', handler) as number];
    return prefix.flatMap((first) => paths.map((path) => `${method} ${joined(first, path)}`));
  });
}

const joined = (...parts: string[]): string =>
  `/${parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')}`;
