/**
 * The one place that starts nats-server, PostgreSQL and our own services as child processes. However the owner ends, no child
 * outlives it (guard.ts); whatever a child left behind, the next start recovers (owner-lock.ts).
 */
export { type Child } from './held-process.js';
export { keepRunning } from './keep-running.js';
export { natsServerBinary, natsServerIsCached } from './nats-binary.js';
export { startNatsCluster, type NatsCluster, type NatsClusterOptions } from './nats-cluster.js';
export { startNatsServer, type NatsServer, type NatsServerOptions } from './nats-server.js';
export { natsOptions, natsUsers, type NatsUser, type NatsUsers } from './nats-users.js';
export { projectRoot, temporaryFolder } from './places.js';
export { forgetFolder } from './owner-lock.js';
export { logsIn, startPlatform, type Platform, type PlatformOptions, type ServiceApp } from './platform.js';
export { firstFreePort, freePort } from './ports.js';
export { startPostgres, type Postgres, type PostgresOptions } from './postgres.js';
export { childrenOf, isRunning, processNamed, type ProcessName } from './process-table.js';
export { startProxy, type Proxy, type ProxyOptions } from './proxy.js';
export { startRelay, type Delay, type Direction, type Relay } from './relay.js';
export { type ServiceLine } from './service-line.js';
export { startService, type ServiceOptions, type ServiceProcess } from './service-process.js';
export { setUp } from './set-up.js';
export { waitUntil } from './wait-until.js';
