/**
 * The platform in this process, on a real nats-server and a real PostgreSQL, so that any part of any service can be replaced
 * where it is wired: what a service is given (its log, its database), or a provider of one of its modules. Services that are
 * not planted are wired exactly as their own `start-*.ts` wires them.
 */
import 'reflect-metadata';
import type { DynamicModule, Type } from '@nestjs/common';
import type { CommandService } from '#contract';
import { startNatsServer, startPostgres, temporaryFolder, setUp } from '#embedded';
import { openEventLog, type EventLog } from '#event-log';
import { openDatabase, type Database } from '#read-models';
import { createLogger, loadConfig, openResources, type Running, runMicroservice } from '#service';
import { createHttpApp } from '#service/http';
import { ApiModule } from '../../apps/api/api.module.js';
import { CommandsModule } from '../../apps/commands/commands.module.js';
import { attachSockets, GatewayModule } from '../../apps/gateway/gateway.module.js';
import { HealthController } from '../../apps/gateway/health.controller.js';
import { ProjectionModule } from '../../apps/projection/projection.module.js';
import { SECRET } from '../platform.js';

/** One, so that positions follow each other whatever the rooms are called. */
export const PARTITIONS = 1;

/** What is put in the place of a service's parts. */
export interface Plant {
  readonly log?: (honest: EventLog) => EventLog;
  readonly database?: (honest: Database) => Database;
  /** Another provider in a module's own list. */
  readonly provider?: Replaced;
}

export interface Replaced {
  readonly module: Type<object>;
  readonly provide: Type<object>;
  readonly by: (honest: object) => object;
}

class ServiceRoot {}

export class World {
  readonly #stops: (() => Promise<unknown>)[] = [];
  #env: Record<string, string> = {};

  get natsUrl(): string {
    return this.#env['NATS_URL'] ?? '';
  }

  get databaseUrl(): string {
    return this.#env['DATABASE_URL'] ?? '';
  }

  async start(): Promise<this> {
    const folder = await temporaryFolder('planted');
    this.#stops.unshift(() => folder.remove());
    const [nats, postgres] = await Promise.all([
      startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' }),
      startPostgres({ dataDir: `${folder.path}/postgres`, settings: { fsync: 'off' } }),
    ]);
    this.#stops.unshift(
      () => nats.stop(),
      () => postgres.stop(),
    );
    const DATABASE_URL = await postgres.createDatabase('parley');
    const common = { PORT: '0', GRPC_PORT: '0', HEALTH_PORT: '0', RATE_LIMITS: 'off', LOG_LEVEL: 'error' };
    this.#env = { NATS_URL: nats.url, DATABASE_URL, JWT_SECRET: SECRET, PARTITIONS: String(PARTITIONS), ...common };
    await setUp(this.#env);
    return this;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop();
  }

  commands(services: readonly CommandService[], plant: Plant = {}): Promise<Running> {
    return this.#microservice('commands', CommandsModule.serving(services), plant);
  }

  projection(plant: Plant = {}): Promise<Running> {
    return this.#microservice('projection', { module: ProjectionModule }, plant);
  }

  /** @returns with its socket URL */
  async gateway(plant: Plant = {}): Promise<Running & { readonly socket: string }> {
    const config = loadConfig(this.#env);
    const resources = await this.#resources('gateway', plant);
    const root = { module: ServiceRoot, imports: [resources.module, GatewayModule], controllers: [HealthController] };
    const app = await rewired(plant, async () => {
      const made = await createHttpApp(root, config, createLogger(config, 'gateway'));
      attachSockets(made.app);
      await made.app.listen(config.port, config.host);
      return made.app;
    });
    const url = await app.getUrl();
    return { ...this.#own(resources.running(app, url)), socket: `${url.replace(/^http/, 'ws')}/ws` };
  }

  /** @returns with its address */
  async api(plant: Plant = {}): Promise<Running & { readonly url: string }> {
    const config = loadConfig(this.#env);
    const resources = await this.#resources('api', plant);
    const root = { module: ServiceRoot, imports: [resources.module, ApiModule.with(config)] };
    const { app } = await createHttpApp(root, config, createLogger(config, 'api'));
    await app.listen(config.port, config.host);
    const url = await app.getUrl();
    return { ...this.#own(resources.running(app, url)), url };
  }

  async #microservice(name: string, served: DynamicModule, plant: Plant): Promise<Running> {
    const config = loadConfig(this.#env);
    const resources = await this.#resources(name, plant);
    const root = { module: ServiceRoot, imports: [resources.module, served] };
    const logger = createLogger(config, name);
    return this.#own(await rewired(plant, () => runMicroservice(root, resources, config, logger)));
  }

  #resources(name: string, { log = same, database = same }: Plant) {
    const { partitions, natsReplicas: replicas } = loadConfig(this.#env);
    const create = name === 'commands';
    return openResources(loadConfig(this.#env), name, {
      log: async (nats) => log(await openEventLog(nats, { partitions, replicas, create })),
      database: async (url) => database(await openDatabase(url)),
    });
  }

  /** Stopped once: by the test that planted something in it, or with the rest. */
  #own(running: Running): Running {
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= running.stop());
    this.#stops.unshift(stop);
    return { ...running, stop };
  }
}

const same = <T>(honest: T): T => honest;

/** Nest's own name for a module's list of providers. */
const PROVIDERS = 'providers';

type Provider = { readonly provide: unknown; readonly useFactory: (...args: unknown[]) => Promise<object> };

/** Starts a service while one provider of one module stands replaced in the module's own list. */
async function rewired<T>({ provider }: Plant, start: () => Promise<T>): Promise<T> {
  if (provider === undefined) return start();
  const { module, provide, by } = provider;
  const honest = Reflect.getMetadata(PROVIDERS, module) as unknown[];
  const planted = honest.map((each) => {
    if (each === provide) return { provide, useClass: by(provide) };
    const made = each as Provider;
    if (made.provide !== provide) return each;
    return { ...made, useFactory: async (...args: unknown[]) => by(await made.useFactory(...args)) };
  });
  Reflect.defineMetadata(PROVIDERS, planted, module);
  try {
    return await start();
  } finally {
    Reflect.defineMetadata(PROVIDERS, honest, module);
  }
}
