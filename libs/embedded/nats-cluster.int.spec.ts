import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { get } from './http-get.js';
import { startNatsCluster, type NatsCluster } from './nats-cluster.js';
import { temporaryFolder } from './places.js';
import { waitUntil } from './wait-until.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let cluster: NatsCluster;
let connection: NatsConnection;

beforeAll(async () => {
  folder = await temporaryFolder('cluster');
  cluster = await startNatsCluster({ dir: folder.path, cuttable: true });
  connection = await connect({ servers: cluster.url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'KEPT', subjects: ['kept'], num_replicas: 3 });
}, 60_000);

afterAll(async () => {
  await connection.close();
  await cluster.stop();
  await folder.remove();
});

/** A node that hears only one of two calls an election again and again, and on a busy machine that takes its time. */
const ELECTIONS_MS = 100_000;

/** Repeats the publish, under one id, for as long as a new leader takes. */
async function append(id: string): Promise<void> {
  await waitUntil('an append', ELECTIONS_MS, async () => {
    try {
      return await jetstream(connection).publish('kept', id, { msgID: id, timeout: 3_000 });
    } catch {
      return undefined;
    }
  });
}

async function stored(): Promise<number> {
  const { state } = await (await jetstreamManager(connection)).streams.info('KEPT');
  return state.messages;
}

async function routedNames(node: number): Promise<string[]> {
  const page = await get(`${cluster.nodes[node]?.monitorUrl}/routez`);
  const { routes } = JSON.parse(page?.body ?? '{}') as { routes?: { remote_name: string }[] };
  return [...new Set((routes ?? []).map((route) => route.remote_name))].sort();
}

describe('startNatsCluster', () => {
  test('three nodes have one leader and take appends', async () => {
    expect(cluster.nodes).toContain(await cluster.leader());
    await append('first');
    expect(await stored()).toBe(1);
  });

  test('a killed leader is replaced, and comes back with the data', async () => {
    const leader = await cluster.leader();
    await leader.kill();
    await append('second');
    await leader.restart();
    await cluster.healthy();
    expect(await stored()).toBe(2);
  }, 90_000);

  test('a cut route is cut on both sides until it heals, and the third node still reaches both', async () => {
    cluster.cut(0, 1);
    await waitUntil('the route is gone', 20_000, async () => !(await routedNames(0)).includes('node-1'));
    expect(await routedNames(0)).toEqual(['node-2']);
    await waitUntil('the other side sees it', 20_000, async () => !(await routedNames(1)).includes('node-0'));
    expect(await routedNames(2)).toEqual(['node-0', 'node-1']);
    cluster.heal(0, 1);
    await waitUntil('the route is back', 20_000, async () => (await routedNames(0)).includes('node-1'));
    await cluster.healthy();
  }, 90_000);

  test('a node whose routes are black holes is given up by the others, and has everything once they heal', async () => {
    const leader = await cluster.leader();
    const index = cluster.nodes.indexOf(leader);
    const others = [0, 1, 2].filter((other) => other !== index);
    for (const other of others) cluster.drop(index, other);
    const reachable = others.map((other) => cluster.nodes[other]?.url ?? '');
    const beyond = await connect({ servers: reachable, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    await waitUntil('an append by the other two', 40_000, async () => {
      try {
        return await jetstream(beyond).publish('kept', 'third', { msgID: 'third', timeout: 1_000 });
      } catch {
        return undefined;
      }
    });
    await beyond.close();
    for (const other of others) cluster.heal(index, other);
    await cluster.healthy();
    await append('fourth');
    expect(await stored()).toBe(4);
  }, 120_000);

  test('what takes longer comes through all the same', async () => {
    cluster.delay(0, 1, { ms: 20, jitterMs: 30 });
    cluster.drop(1, 2, 'one-way');
    await append('fifth');
    for (const [one, other] of [
      [0, 1],
      [1, 2],
    ] as const)
      cluster.heal(one, other);
    await cluster.healthy();
    expect(await stored()).toBe(5);
  }, 180_000);
});
