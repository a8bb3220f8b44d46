import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { isRunning, natsOptions, processNamed, startPlatform, temporaryFolder, type NatsCluster } from '#embedded';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder('runner');
});

afterAll(() => folder?.remove());

const ONE_OF_EACH = { commands: 1, projection: 1, gateway: 1, api: 1 };

describe('a platform of three nodes whose routes can be cut', () => {
  test('runs its services as their NATS users, keeps logs and data, and leaves no process', async () => {
    const path = join(folder.path, 'kept');
    const platform = await startPlatform({ nodes: 3, cuttable: true, replicas: ONE_OF_EACH, folder: path });
    const { services, nats, postgres } = platform;
    const children = [...services.values(), ...(nats as NatsCluster).nodes, postgres];
    const names = children.map(({ pid }) => processNamed(pid));
    try {
      expect([...services.keys()]).toEqual(['commands-1', 'projection-1', 'gateway-1', 'api-1']);
      expect((await fetch(`${platform.url}/health`)).status).toBe(200);
      expect(platform.sockets).toHaveLength(1);
      expect(platform.grpc).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
      expect(readFileSync(join(path, 'node-0', 'nats-server.conf'), 'utf8')).toContain('no_advertise: true');
      await connectsAs(platform.natsUrls(), '_INBOX_tests');
      await connectsAs(platform.natsUrls('gateway'), '_INBOX_gateway');
      await expect(connect({ servers: nats.url.split(','), reconnect: false })).rejects.toThrow(/authorization/i);
      expect(names.every((name) => name !== undefined && isRunning(name))).toBe(true);
    } finally {
      await platform.stop();
    }
    expect(names.some((name) => name !== undefined && isRunning(name))).toBe(false);
    expect(platform.unexpected).toEqual([]);
    const logs = readdirSync(path).filter((name) => name.endsWith('.log'));
    expect(logs.sort()).toEqual(
      ['api-1', 'commands-1', 'gateway-1', 'node-0', 'node-1', 'node-2', 'postgres', 'projection-1', 'setup'].map(
        (name) => `${name}.log`,
      ),
    );
  }, 180_000);
});

describe('a platform of which a part does not start', () => {
  test('says which, shows its log, and leaves neither process nor folder', async () => {
    const main = join(folder.path, 'broken.mjs');
    await writeFile(main, `console.error('the feed is out of order', process.env.PARLEY_HOME); process.exit(3);`);
    const failed = startPlatform({ replicas: ONE_OF_EACH, mainOf: { 'gateway-1': main } });
    const message = await failed.then(
      () => 'it started',
      (error: unknown) => String(error),
    );
    expect(message).toMatch(/the platform does not start: gateway-1 .*exit code 3/);
    expect(message).toMatch(/---- gateway-1\.log\nthe feed is out of order/);
    const home = /out of order (\S+)\/gateway-1/.exec(message)?.[1];
    expect(home).toMatch(/parley-platform-/);
    expect(existsSync(String(home))).toBe(false);
  }, 120_000);

  test('and so does one that asks for what there is not', async () => {
    await expect(startPlatform({ cuttable: true })).rejects.toThrow('start three (nodes: 3)');
  }, 60_000);
});

async function connectsAs(urls: readonly string[], inbox: string): Promise<void> {
  const options = natsOptions(urls);
  expect(options.inboxPrefix).toBe(inbox);
  const connection = await connect({ ...options, reconnect: false });
  await connection.flush();
  await connection.close();
}
