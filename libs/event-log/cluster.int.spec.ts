import { afterAll, beforeAll } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { streamName } from '#contract';
import { startNatsCluster, temporaryFolder, waitUntil, type NatsCluster } from '#embedded';
import { eraseEntry } from './contract-room.js';
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

interface StreamsPage {
  readonly account_details: readonly {
    readonly stream_detail: readonly { readonly name: string; readonly state: { readonly num_deleted?: number } }[];
  }[];
}

/** Replicas erase a moment after the leader; until then they may still answer with what is gone. */
function erasedEverywhere(partition: number): Promise<boolean> {
  return waitUntil('all replicas have erased it', 10_000, async () => {
    const counts = await Promise.all(
      cluster.nodes.map(async ({ monitorUrl }) => {
        const page = (await (await fetch(`${monitorUrl}/jsz?acc=$G&streams=true`)).json()) as StreamsPage;
        const streams = page.account_details.flatMap(({ stream_detail }) => stream_detail);
        return streams.find(({ name }) => name === streamName(partition))?.state.num_deleted;
      }),
    );
    return counts[0] !== undefined && counts.every((count) => count === counts[0]);
  });
}

logContract('three nats-servers', () => ({
  log,
  second,
  order: 'id-first',
  erase: async (partition, seq) => {
    await eraseEntry(connections[0]!, partition, seq);
    await erasedEverywhere(partition);
  },
}));
