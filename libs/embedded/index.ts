/** The one place that starts nats-server, PostgreSQL and our own services as child processes. Types first; see the files for the bodies. */
export interface Child {
  readonly pid: number;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}
export interface NatsServer extends Child {
  readonly url: string;
  readonly port: number;
  readonly storeDir: string;
}
export declare function startNatsServer(options: {
  storeDir: string;
  port?: number;
  sync?: string;
  name?: string;
  logFile?: string;
  configExtra?: string;
}): Promise<NatsServer>;
export interface NatsCluster {
  readonly url: string /* comma-separated */;
  readonly nodes: readonly NatsServer[];
  stop(): Promise<void>;
}
export declare function startNatsCluster(options: {
  dir: string;
  size?: 3;
  sync?: string;
  configExtra?: string;
}): Promise<NatsCluster>;
export interface Postgres extends Child {
  readonly url: string;
  readonly port: number;
  createDatabase(name: string): Promise<string /* url */>;
  dropDatabase(name: string): Promise<void>;
}
export declare function startPostgres(options: { dataDir: string; port?: number; logFile?: string }): Promise<Postgres>;
export interface ServiceProcess extends Child {
  readonly name: string;
  readonly url?: string;
  readonly output: readonly string[] /* last lines */;
}
export declare function startService(options: {
  name: string;
  app: string /* 'api', 'gateway', 'commands', 'projection', 'standalone' */;
  env: Record<string, string>;
  port?: number;
  logFile?: string;
  ready: { healthPath: string } | { line: RegExp };
}): Promise<ServiceProcess>;
export declare function startProxy(options: {
  port?: number;
  gateways: () => string[];
  apis: () => string[];
}): Promise<{ url: string; port: number; stop(): Promise<void> }>;
export declare function freePort(): Promise<number>;
export declare function firstFreePort(from: number): Promise<number>;
export declare function temporaryFolder(prefix: string): Promise<{ path: string; remove(): Promise<void> }>;
