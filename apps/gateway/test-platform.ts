/** What an int spec of the gateway stands on: a broker, PostgreSQL, the write side and the projection as processes, gateways in this one. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { WebSocket } from 'ws';
import { type Actor, type CommandName, type CommandResult, SUBPROTOCOL } from '#contract';
import {
  freePort,
  type NatsServer,
  type Postgres,
  setUp,
  startNatsServer,
  startPostgres,
  startService,
  temporaryFolder,
  waitUntil,
} from '#embedded';
import { type Config, CommandBus, connectNats, createLogger, loadConfig, type Running } from '#service';
import { startGateway } from './start-gateway.js';

const SECRET = 'a shared secret that only these tests know';
const WAIT_MS = 10_000;

type Environment = Readonly<Record<string, string>>;
/** A frame as it came. */
export type Frame = Readonly<Record<string, unknown>>;

export interface Gateway {
  readonly url: string;
  stop(): Promise<void>;
}

export interface Platform {
  readonly nats: NatsServer;
  readonly config: Config;
  /** A gateway in this process; ended with the rest. */
  gateway(env?: Environment): Promise<Gateway>;
  run(name: CommandName, actor: Actor | string, body: unknown, key?: string): Promise<CommandResult>;
}

export function usePlatform(): Platform {
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.unshift(part);
    return part;
  };
  let nats: NatsServer;
  let postgres: Postgres;
  let env: Environment = {};
  let bus: CommandBus;

  beforeAll(async () => {
    const folder = await temporaryFolder('gateway');
    started.push({ stop: () => folder.remove() });
    nats = keep(await startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' }));
    postgres = keep(await startPostgres({ dataDir: `${folder.path}/postgres`, settings: { fsync: 'off' } }));
    const databaseUrl = await postgres.createDatabase('parley');
    env = { NATS_URL: nats.url, DATABASE_URL: databaseUrl, JWT_SECRET: SECRET, LOG_LEVEL: 'error' };
    await setUp(env);
    for (const app of ['commands', 'projection']) {
      const port = await freePort();
      keep(
        await startService({
          name: app,
          app,
          port,
          env: { ...env, HEALTH_PORT: String(port) },
          ready: { healthPath: '/health/ready' },
        }),
      );
    }
    const connection = await connectNats(loadConfig(env), 'spec');
    keep({ stop: () => connection.close() });
    bus = new CommandBus(connection);
  });
  afterAll(async () => {
    for (const part of started) await part.stop();
  });

  return {
    get nats() {
      return nats;
    },
    get config() {
      return loadConfig(env);
    },
    async gateway(own = {}) {
      const config = loadConfig({ ...env, PORT: '0', GRPC_PORT: '0', ...own });
      const running: Running = await startGateway(config, createLogger(config, 'gateway'));
      let stopping: Promise<void> | undefined;
      return keep({ url: running.address ?? '', stop: () => (stopping ??= running.stop()) });
    },
    run: (name, actor, body, key) => bus.run(name, typeof actor === 'string' ? { userId: actor } : actor, body, key),
  };
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as a foreign sign-in service makes it. */
export function tokenFor(user: string, seconds = 3_600): string {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** A socket that keeps every frame. */
export class Client {
  readonly frames: Frame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  private requests = 0;

  constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data)) as Frame));
    socket.on('close', (code, reason) => (this.closed = { code, reason: String(reason) }));
    socket.on('error', () => undefined);
  }

  /** Signed in by header, live. */
  static async open(gateway: Gateway, user: string, hello: object = {}): Promise<Client> {
    const client = Client.raw(gateway, { user });
    await client.isOpen();
    client.send({ op: 'hello', ...hello });
    await client.frame({ op: 'caught_up' });
    return client;
  }

  static raw(
    gateway: Gateway,
    options: { user?: string; protocols?: string[]; headers?: Record<string, string>; path?: string } = {},
  ): Client {
    const { user, protocols = [SUBPROTOCOL], path = '/ws' } = options;
    const authorization = user === undefined ? {} : { authorization: `Bearer ${tokenFor(user)}` };
    const url = `${gateway.url.replace('http', 'ws')}${path}`;
    return new Client(new WebSocket(url, protocols, { headers: { ...authorization, ...options.headers } }));
  }

  async isOpen(): Promise<void> {
    await this.until('the upgrade', () => this.socket.readyState === WebSocket.OPEN);
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends a request and waits for its answer. */
  async request(frame: object): Promise<Frame> {
    const id = `r${++this.requests}`;
    this.send({ id, ...frame });
    return this.frame({ id });
  }

  async frame(like: Frame): Promise<Frame> {
    await this.until(`a frame like ${JSON.stringify(like)}`, () => this.find(like).length > 0);
    return this.find(like)[0] ?? {};
  }

  find(like: Frame): Frame[] {
    return this.frames.filter((frame) => Object.entries(like).every(([name, value]) => frame[name] === value));
  }

  contents(room: string): unknown[] {
    return this.find({ type: 'message.sent', room }).map(({ data }) => (data as { content: unknown }).content);
  }

  async closes(): Promise<{ readonly code: number; readonly reason: string }> {
    await waitUntil('the socket to close', WAIT_MS, () => this.closed !== undefined);
    return this.closed ?? { code: 0, reason: '' };
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await waitUntil(`${what}; has ${JSON.stringify(this.frames.slice(-5))}`, WAIT_MS, () => {
      if (!condition() && this.closed !== undefined)
        throw new Error(`closed with ${this.closed.code} ${this.closed.reason} while waiting for ${what}`);
      return condition();
    });
  }

  async cut(): Promise<void> {
    this.socket.terminate();
    await this.closes();
  }
}
