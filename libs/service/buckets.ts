/**
 * The KV buckets of presence and the object store of files. The set-up job makes them (`parley setup`), because only that may make
 * streams; a service waits for them at its start, and then takes them as they are.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type KV, Kvm } from '@nats-io/kv';
import { type ObjectStore, Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS } from '#contract';

/** A gateway that has not renewed its lease for so long does not count. */
export const LEASE_MS = 10_000;
/** What was purged is forgotten altogether after this time. */
export const MARKER_MS = 60_000;
/** How long a service waits for a set-up job that was started beside it. */
const WAIT_MS = 30_000;
/** A cluster that has just started may have no JetStream to offer for some seconds. */
const MAKE_MS = 30_000;
const POLL_MS = 200;
/** What the libraries say of a bucket that is not there. */
const MISSING = new Set(['stream not found', 'object store not found']);

export type Bucket = keyof typeof BUCKETS;

export interface MadeBuckets {
  readonly names: readonly string[];
  readonly made: boolean;
}

export interface PresenceBuckets {
  readonly leases: KV;
  readonly connections: KV;
}

/**
 * Makes those that are not there.
 * @param leaseMs how long a gateway's lease lives
 * @returns the names of all, and whether one was missing
 * @throws Error when one is there with another number of replicas, or the broker cannot make one for 30 s
 */
export async function makeBuckets(nats: NatsConnection, replicas: number, leaseMs = LEASE_MS): Promise<MadeBuckets> {
  const kvm = new Kvm(nats);
  const options = { replicas, history: 1 };
  const makers: Readonly<Record<Bucket, () => Promise<KV | ObjectStore>>> = {
    leases: () => kvm.create(BUCKETS.leases, { ...options, ttl: leaseMs }),
    connections: () => kvm.create(BUCKETS.connections, { ...options, markerTTL: MARKER_MS }),
    attachments: () => new Objm(nats).create(BUCKETS.attachments, { replicas }),
  };
  let made = false;
  for (const bucket of Object.keys(BUCKETS) as Bucket[]) {
    const name = BUCKETS[bucket];
    const found = await patiently(`bucket ${name} cannot be read`, MAKE_MS, () => replicasIfThere(nats, bucket));
    if (found === undefined) await patiently(`bucket ${name} cannot be made`, MAKE_MS, makers[bucket]);
    else if (found !== replicas)
      throw new Error(
        `bucket ${name} has ${found} replicas, configured are ${replicas}; nothing of it was changed: ` +
          `set NATS_REPLICAS=${found}, or edit its stream (nats stream edit)`,
      );
    made ||= found === undefined;
  }
  return { names: Object.values(BUCKETS), made };
}

/** The buckets of presence, which are taken to be there. */
export async function openPresenceBuckets(nats: NatsConnection): Promise<PresenceBuckets> {
  return { leases: await openKv(nats, BUCKETS.leases), connections: await openKv(nats, BUCKETS.connections) };
}

/** The object store of files, which is taken to be there. */
export const openAttachmentStore = (nats: NatsConnection): Promise<ObjectStore> =>
  new Objm(nats).open(BUCKETS.attachments, false);

/** @throws Error with one line that says which bucket is not there after 30 s, and what makes it */
export async function untilBuckets(nats: NatsConnection, buckets: readonly Bucket[]): Promise<void> {
  for (const bucket of buckets) {
    const hint = `there is no bucket ${BUCKETS[bucket]}: run parley setup, which makes it`;
    await patiently(hint, WAIT_MS, () => replicasOf(nats, bucket));
  }
}

const openKv = (nats: NatsConnection, name: string): Promise<KV> => new Kvm(nats).open(name, { allow_direct: true });

async function replicasOf(nats: NatsConnection, bucket: Bucket): Promise<number> {
  const store = bucket === 'attachments' ? await openAttachmentStore(nats) : await openKv(nats, BUCKETS[bucket]);
  return (await store.status()).replicas;
}

async function replicasIfThere(nats: NatsConnection, bucket: Bucket): Promise<number | undefined> {
  try {
    return await replicasOf(nats, bucket);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && MISSING.has(error.message);

async function patiently<T>(failure: string, withinMs: number, work: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + withinMs; ;) {
    try {
      return await work();
    } catch (cause) {
      if (performance.now() < until) {
        await delay(POLL_MS);
        continue;
      }
      throw new Error(isMissing(cause) ? failure : `${failure} (${String(cause)})`, { cause });
    }
  }
}
