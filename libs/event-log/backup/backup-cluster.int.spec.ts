import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { streamName } from '#contract';
import { startNatsCluster, temporaryFolder, type NatsCluster } from '#embedded';
import { takenWhileWriting } from './backup-contract.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let cluster: NatsCluster;
let nc: NatsConnection;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-backup-cluster');
  cluster = await startNatsCluster({ dir: folder.path, sync: 'off' });
  nc = await connect({ servers: cluster.url.split(',') });
}, 120_000);

afterAll(async () => {
  await nc.close();
  await cluster.stop();
  await folder.remove();
});

test('a backup on three nodes is taken while the log is written to, and is restored with all its replicas', async () => {
  await takenWhileWriting({ nc, replicas: 3 });
  const { cluster: group } = (await nc.request(`$JS.API.STREAM.INFO.${streamName(1)}`)).json<{
    cluster: { replicas: { current: boolean }[] };
  }>();
  expect(group.replicas.map(({ current }) => current)).toEqual([true, true]);
}, 240_000);
