import { afterAll, beforeAll } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { eraseEntry } from './contract-room.js';
import { logContract } from './log-contract.js';
import type { EventLog } from './log.js';
import { openEventLog } from './open.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let connections: NatsConnection[];
let log: EventLog;
let second: EventLog;

beforeAll(async () => {
  folder = await temporaryFolder('event-log');
  server = await startNatsServer({ storeDir: folder.path, sync: 'off' });
  connections = await Promise.all([1, 2].map(() => connect({ servers: server.url })));
  const open = (index: number) => openEventLog(connections[index]!, { partitions: 2, create: true });
  [log, second] = await Promise.all([open(0), open(1)]);
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await server.stop();
  await folder.remove();
});

logContract('one nats-server', () => ({
  log,
  second,
  order: 'fence-first',
  erase: (partition, seq) => eraseEntry(connections[0]!, partition, seq),
}));
