/** What an int spec of `api` stands on: a broker, PostgreSQL, the write side and the projection as processes, and `api` in this one. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import type { Msg } from '@nats-io/transport-node';
import { TRANSIENT } from '#contract';
import {
  freePort,
  type NatsServer,
  type Postgres,
  setUp,
  startNatsServer,
  startPostgres,
  startService,
  temporaryFolder,
} from '#embedded';
import { connectNats, createLogger, loadConfig, type Running } from '#service';
import { startApi } from './start-api.js';
import { type Answer, call, type Call } from './test-client.js';

export const SECRET = 'a shared secret that only these tests know';

const REVOCATION_WITHIN_MS = 5_000;

type Environment = Readonly<Record<string, string>>;

export interface Api {
  readonly url: string;
  ask(request: Call): Promise<Answer>;
}

export interface Platform {
  readonly nats: NatsServer;
  readonly postgres: Postgres;
  readonly databaseUrl: string;
  /** Listens for sessions of a user that end; ready when the promise resolves. */
  revocationsOf(userId: string): Promise<{ next(): Promise<unknown> }>;
  /** Another `api` on the same servers; ended with the rest. */
  api(env?: Environment): Promise<Api>;
}

/** @param services which of the other services this spec needs */
export function usePlatform(services: readonly ('commands' | 'projection')[]): Platform {
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.unshift(part);
    return part;
  };
  let nats: NatsServer;
  let postgres: Postgres;
  let databaseUrl: string;
  const shared = (): Environment => ({ NATS_URL: nats.url, DATABASE_URL: databaseUrl, LOG_LEVEL: 'error' });

  beforeAll(async () => {
    const folder = await temporaryFolder('api');
    started.push({ stop: () => folder.remove() });
    nats = keep(await startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' }));
    postgres = keep(await startPostgres({ dataDir: `${folder.path}/postgres`, settings: { fsync: 'off' } }));
    databaseUrl = await postgres.createDatabase('parley');
    await setUp(shared());
    await Promise.all(
      services.map(async (app) => {
        const port = await freePort();
        const env = { ...shared(), HEALTH_PORT: String(port), ROOMS_ON_JOIN: 'true' };
        keep(await startService({ name: app, app, port, env, ready: { healthPath: '/health/ready' } }));
      }),
    );
  });
  afterAll(async () => {
    for (const part of started) await part.stop();
  });

  return {
    get nats() {
      return nats;
    },
    get postgres() {
      return postgres;
    },
    get databaseUrl() {
      return databaseUrl;
    },
    async revocationsOf(userId) {
      const connection = await connectNats(loadConfig(shared()), 'spec');
      keep({ stop: () => connection.close() });
      const subscription = connection.subscribe(TRANSIENT.sessionRevoked(userId), { timeout: REVOCATION_WITHIN_MS });
      await connection.flush();
      const messages = subscription[Symbol.asyncIterator]();
      return { next: async () => ((await messages.next()).value as Msg).json() };
    },
    async api(env = {}) {
      const config = loadConfig({ ...shared(), PORT: '0', ...env });
      const running: Running & { address?: string } = keep(await startApi(config, createLogger(config, 'api')));
      const url = running.address ?? '';
      return { url, ask: (request) => call(url, request) };
    },
  };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as a foreign sign-in service makes it, good for an hour unless its claims say otherwise. */
export function foreignToken(claims: object, options: { secret?: string; alg?: string } = {}): string {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const signed = `${part({ alg: options.alg ?? 'HS256', typ: 'JWT' })}.${part({ exp, ...claims })}`;
  return `${signed}.${createHmac('sha256', options.secret ?? SECRET)
    .update(signed)
    .digest('base64url')}`;
}
