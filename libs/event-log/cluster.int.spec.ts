import { afterAll, beforeAll } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNatsCluster, temporaryFolder, type NatsCluster } from '#embedded';
import { logContract } from './log-contract.js';
import type { EventLog } from './log.js';
import { openEventLog } from './open.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let cluster: NatsCluster;
let connections: NatsConnection[];
let log: EventLog;
let second: EventLog;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-cluster');
  cluster = await startNatsCluster({ dir: folder.path, sync: 'off' });
  connections = await Promise.all([0, 1].map((node) => connect({ servers: cluster.nodes[node]!.url })));
  const open = (index: number) => openEventLog(connections[index]!, { partitions: 2, replicas: 3, create: true });
  [log, second] = await Promise.all([open(0), open(1)]);
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await cluster.stop();
  await folder.remove();
});

logContract('three nats-servers', () => ({ log, second, order: 'id-first' }));
