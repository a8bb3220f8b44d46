import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { COMMAND_NAMES, COMMANDS } from '#contract';
import { ROUTES } from '#contract/descriptions';
import { type Database, openDatabase } from '#read-models';
import {
  COMMAND_BUS,
  CommandBus,
  CONFIG,
  connectNats,
  createLogger,
  DATABASE,
  Health,
  HEALTH,
  loadConfig,
  NATS,
  ResourcesModule,
} from '#service';
import { ApiModule } from './api.module.js';
import { createHttpApp, type HttpApp } from '#service/http';
import { call, plainText, problem } from './test-client.js';
import { usePlatform } from './test-platform.js';

const platform = usePlatform([]);

/** Everything that answers without a token; a new route that is not here has to ask for one. */
const OPEN = new Set([
  'GET /',
  'GET /page.js',
  'GET /page.css',
  'GET /docs',
  'GET /openapi.json',
  'GET /asyncapi.json',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'GET /.well-known/jwks.json',
  'POST /api/auth/register',
  'POST /api/auth/login',
  'POST /api/auth/refresh',
]);
const PLAIN_TEXT = new Set(['/api/messages', '/api/messages/get', '/api/connections']);

let app: NestFastifyApplication;
let routes: HttpApp['routes'];
let base: string;
let close: () => Promise<void>;

beforeAll(async () => {
  const config = loadConfig({ NATS_URL: platform.nats.url, DATABASE_URL: platform.databaseUrl, LOG_LEVEL: 'error' });
  const nats = await connectNats(config, 'spec');
  const database: Database = await openDatabase(platform.databaseUrl);
  const resources = new Map<symbol, unknown>([
    [CONFIG, config],
    [NATS, nats],
    [DATABASE, database],
    [HEALTH, new Health()],
    [COMMAND_BUS, new CommandBus(nats)],
  ]);
  const root = { module: class Root {}, imports: [ResourcesModule.with(resources), ApiModule.with(config)] };
  ({ app, routes } = await createHttpApp(root, config, createLogger(config, 'spec')));
  await app.listen(0, '127.0.0.1');
  base = await app.getUrl();
  close = async () => {
    await app.close();
    await database.close();
    await nats.close();
  };
});

afterAll(() => close());

describe('every route', () => {
  test('of a command in the contract is mounted', () => {
    const mounted = new Set(routes.all().map(({ method, url }) => `${method} ${url}`));
    const named = COMMAND_NAMES.flatMap((name) => {
      const entry = COMMANDS[name];
      return 'http' in entry ? [`${entry.http.method} ${entry.http.path}`] : [];
    });
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((route) => !mounted.has(route))).toEqual([]);
  });

  test('is described, and every description is of a route', () => {
    const mounted = routes.all().map(({ method, url }) => `${method} ${url}`);
    const here = ROUTES.filter(({ by, only }) => by === undefined && only !== 'demo');
    expect(mounted.sort()).toEqual(here.map(({ method, path }) => `${method} ${path}`).sort());
  });

  test('asks for a token before anything else, unless it is known to be open', async () => {
    const closed = routes.all().filter(({ method, url }) => !OPEN.has(`${method} ${url}`));
    expect(closed.length).toBeGreaterThan(25);
    for (const { method, url } of closed) {
      const body = method === 'GET' ? {} : { body: url === '/api/auth/logout' ? '' : '{' };
      const answer = await call(base, { method, url: url.replace(/:[A-Za-z]+/g, '%20'), ...body });
      const refusal = PLAIN_TEXT.has(url)
        ? plainText(401, 'missing authorization header')
        : problem(401, 'unauthenticated', 'missing authorization header');
      expect({ route: `${method} ${url}`, answer }).toMatchObject({ answer: refusal });
    }
  });

  test('that does not exist is 404, with or without a token', async () => {
    for (const url of ['/api', '/api/rooms/', '/api/rooms/a/b', '/index.html', '/page.html', '/page.ts'])
      expect(await call(base, { url })).toMatchObject(problem(404, 'not_found', 'no such route'));
  });
});

describe('health', () => {
  test('says that the process runs, and whether it can work', async () => {
    for (const url of ['/health', '/health/live']) {
      const answer = await call(base, { url });
      expect({ status: answer.status, body: answer.json() }).toEqual({
        status: 200,
        body: { status: 'ok', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[0-9:.]+Z$/) },
      });
    }
    expect((await call(base, { url: '/health/ready' })).json()).toEqual({ ready: true, parts: {} });
  });
});

describe('the page', () => {
  test('is served with its two files', async () => {
    const files = [
      ['/', 'text/html; charset=utf-8'],
      ['/page.js', 'text/javascript; charset=utf-8'],
      ['/page.css', 'text/css; charset=utf-8'],
    ] as const;
    for (const [url, type] of files) {
      const answer = await call(base, { url });
      expect({ url, status: answer.status, type: answer.type }).toEqual({ url, status: 200, type });
      expect(answer.text.length).toBeGreaterThan(100);
    }
  });
});
