import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer, temporaryFolder, waitUntil } from '#embedded';
import { makeBuckets } from './buckets.js';
import { Presence, shownPresence } from './presence.js';
import { PresenceLease } from './presence-lease.js';

const LEASE_MS = 1_200;
const WITHIN_MS = 15_000;
const EXTERNAL = 'https://issuer.example/Zoë';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let nats: NatsConnection;
let presence: Presence;
const troubles: string[] = [];
const leases: PresenceLease[] = [];

const connection = () => connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });

async function lease(on: NatsConnection = nats): Promise<PresenceLease> {
  const options = { leaseMs: LEASE_MS, onTrouble: (problem: string) => troubles.push(problem) };
  const taken = await PresenceLease.take(on, options);
  leases.push(taken);
  return taken;
}

const countOf = async (userId: string): Promise<number | undefined> =>
  (await presence.of([userId])).get(userId)?.connections;
/** While the broker is away there is no answer. */
const counts = (userId: string, count: number): Promise<unknown> =>
  waitUntil(`${userId} has ${count}`, WITHIN_MS, async () => (await countOf(userId).catch(() => undefined)) === count);

beforeAll(async () => {
  folder = await temporaryFolder('presence');
  server = await startNatsServer({ storeDir: `${folder.path}/nats`, sync: 'off' });
  nats = await connection();
  await makeBuckets(nats, 1, LEASE_MS);
  presence = new Presence(nats);
});

afterAll(async () => {
  for (const each of leases) await each.end();
  await nats.close();
  await server.stop();
  await folder.remove();
});

describe('presence', () => {
  test('of who was never there is none', async () => {
    expect(await presence.of(['nobody', EXTERNAL])).toEqual(
      new Map([
        ['nobody', { connections: 0, seenMs: undefined }],
        [EXTERNAL, { connections: 0, seenMs: undefined }],
      ]),
    );
  });

  test.each(['ann', EXTERNAL])(
    'counts the connections of %s over all gateways, and remembers the last',
    async (user) => {
      const [one, two] = [await lease(), await lease()];
      one.connected(user);
      one.connected(user);
      two.connected(user);
      await counts(user, 3);
      one.disconnected(user);
      await counts(user, 2);
      two.disconnected(user);
      one.disconnected(user);
      await counts(user, 0);
      const seenMs = (await presence.of([user])).get(user)?.seenMs ?? 0;
      expect(Math.abs(Date.now() - seenMs)).toBeLessThan(WITHIN_MS);
    },
  );

  test('tells who watches when somebody comes and goes, and nobody else', async () => {
    const gateway = await lease();
    const seen: number[] = [];
    let others = 0;
    const stop = presence.watch('watched', () => {
      void presence.of(['watched']).then((found) => seen.push(found.get('watched')?.connections ?? -1));
    });
    const stopOther = presence.watch('unwatched', () => (others += 1));
    await nats.flush();
    gateway.connected('watched');
    await waitUntil('told of the coming', WITHIN_MS, () => seen.at(-1) === 1);
    gateway.disconnected('watched');
    await waitUntil('told of the going', WITHIN_MS, () => seen.at(-1) === 0);
    stop();
    stopOther();
    expect(others).toBe(0);
  });

  test('of a gateway that gives its lease back ends at once', async () => {
    const gateway = await lease();
    gateway.connected('drained');
    await counts('drained', 1);
    await gateway.end();
    await counts('drained', 0);
    expect((await presence.of(['drained'])).get('drained')?.seenMs).toBeGreaterThan(0);
  });

  test('of a gateway that is killed ends with its lease, and another one sweeps it', async () => {
    const dying = await connection();
    const killed = await lease(dying);
    leases.pop();
    killed.connected('orphan');
    await counts('orphan', 1);
    const survivor = await lease();
    survivor.connected('survivor');
    await dying.close();
    await counts('orphan', 0);
    await waitUntil('it is swept', WITHIN_MS, async () => {
      return (await presence.of(['orphan'])).get('orphan')?.seenMs !== undefined;
    });
    expect(await countOf('survivor')).toBe(1);
    killed.abandon();
  });

  test('is swept by the next gateway when none was left to do it', async () => {
    const dying = await connection();
    const killed = await lease(dying);
    leases.pop();
    killed.connected('alone');
    await counts('alone', 1);
    for (const each of leases.splice(0)) await each.end();
    await dying.close();
    await counts('alone', 0);
    await lease();
    expect((await presence.of(['alone'])).get('alone')?.seenMs).toBeGreaterThan(0);
    killed.abandon();
  });

  test('comes back with the broker, with what has changed meanwhile', async () => {
    const gateway = await lease();
    gateway.connected('stays');
    gateway.connected('goes');
    await counts('goes', 1);
    await server.kill();
    gateway.disconnected('goes');
    gateway.connected('comes');
    await server.restart();
    await counts('comes', 1);
    await counts('stays', 1);
    await counts('goes', 0);
  });
});

describe('what others are shown', () => {
  const now = 1_000_000_000;
  const iso = (ms: number): string => new Date(ms).toISOString();
  test.each([
    ['never there', 0, undefined, {}, false, null],
    ['connected', 2, 5, {}, true, iso(now)],
    ['gone', 0, 5, {}, false, iso(5)],
    ['said to be online just now', 0, undefined, { statusOnline: true, statusAt: now - 299_999 }, true, iso(now)],
    ['said to be online long ago', 0, 5, { statusOnline: true, statusAt: now - 300_000 }, false, iso(now - 300_000)],
    ['hidden', 2, 9_000, { statusOnline: false, statusAt: 7_000 }, false, iso(7_000)],
    ['of a mood only', 0, 9_000, { statusAt: 7_000 }, false, iso(9_000)],
  ])('%s', (_what, connections, seenMs, said, online, lastSeen) => {
    expect(shownPresence({ connections, seenMs }, said, now)).toEqual({ online, lastSeen });
  });
});
