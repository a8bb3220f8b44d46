/**
 * Who is connected, over all gateways. Two KV buckets: *leases* with a TTL, one key a gateway, renewed while it lives; and
 * *connections*, one key for a user at a gateway, whose value is how many. A connection counts while its gateway's lease
 * lives, so heartbeats cost one write a gateway, and a gateway that is killed takes its users offline when its lease ends.
 * This file reads; `presence-lease.ts` is the gateway's side.
 */
import type { KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { PRESENCE_KEYS } from '#contract';
import { openPresenceBuckets, type PresenceBuckets } from './buckets.js';

/** Presence is asked for beside other things that can do without it: nobody waits long for it. */
const TIMEOUT_MS = 1_000;
/** Which gateways live is looked up at most this often. */
const LEASES_CACHE_MS = 500;
/** A notice comes with the write, and a reader may be faster than the write is done. */
const SETTLE_MS = 50;
/** A status command that says `online: true` counts as a connection for so long. */
const SAID_ONLINE_MS = 300_000;

export interface UserPresence {
  /** Live connections, over all gateways. */
  readonly connections: number;
  /** When the last one ended, ms since 1970; undefined for who was never there. */
  readonly seenMs: number | undefined;
}

/** What the last status command said of it, if anything, and when (ms since 1970). */
export interface SaidOnline {
  readonly statusOnline?: boolean | undefined;
  readonly statusAt?: number | undefined;
}

export class Presence {
  private opening: Promise<PresenceBuckets> | undefined;
  private gateways: { readonly live: Promise<string[]>; readonly askedAtMs: number } | undefined;

  constructor(private readonly nats: NatsConnection) {}

  /**
   * The presence of users, by id. Throws when the broker does not answer within a second.
   * @param userIds repeats are welcome
   */
  of(userIds: readonly string[]): Promise<ReadonlyMap<string, UserPresence>> {
    return withinTimeout(this.read(userIds));
  }

  private async read(userIds: readonly string[]): Promise<ReadonlyMap<string, UserPresence>> {
    const { connections } = await this.buckets();
    const live = await this.liveGateways();
    const found = [...new Set(userIds)].map(async (userId) => {
      const counts = live.map((gateway) => numberAt(connections, PRESENCE_KEYS.connections(userId, gateway)));
      const [seenMs, ...each] = await Promise.all([numberAt(connections, PRESENCE_KEYS.seen(userId)), ...counts]);
      return [userId, { connections: each.reduce<number>((sum, count) => sum + (count ?? 0), 0), seenMs }] as const;
    });
    return new Map(await Promise.all(found));
  }

  /**
   * Tells when a user's connections or status keys have changed; what they are now is for `of` to say.
   * @returns ends it
   */
  watch(userId: string, onChange: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    const subscription = this.nats.subscribe(PRESENCE_KEYS.changes(userId), {
      callback: (error) => {
        if (error !== null || timer !== undefined) return;
        timer = setTimeout(() => {
          timer = undefined;
          // The change may be the first of a gateway that has just come.
          this.gateways = undefined;
          onChange();
        }, SETTLE_MS);
      },
    });
    return () => {
      clearTimeout(timer);
      subscription.unsubscribe();
    };
  }

  /** Ids of the gateways whose lease lives. */
  liveGateways(): Promise<string[]> {
    const now = performance.now();
    if (this.gateways === undefined || now - this.gateways.askedAtMs > LEASES_CACHE_MS) {
      const live = this.buckets().then(({ leases }) => keysOf(leases));
      this.gateways = { live, askedAtMs: now };
    }
    return this.gateways.live;
  }

  async buckets(): Promise<PresenceBuckets> {
    this.opening ??= openPresenceBuckets(this.nats);
    try {
      return await this.opening;
    } catch (error) {
      this.opening = undefined;
      throw error;
    }
  }
}

/**
 * What others are shown: online while a connection counts, or for 300 s after a status command said so; `online: false` hides
 * a user's devices until the next `online: true`, and then nothing later than that command is told.
 */
export function shownPresence(
  { connections, seenMs }: UserPresence,
  { statusOnline, statusAt = 0 }: SaidOnline,
  nowMs: number,
): { online: boolean; lastSeen: string | null } {
  const saidOnline = statusOnline === true && nowMs - statusAt < SAID_ONLINE_MS;
  const online = statusOnline !== false && (connections > 0 || saidOnline);
  const lastMs = online ? nowMs : statusOnline === false ? statusAt : Math.max(seenMs ?? 0, statusAt);
  return { online, lastSeen: lastMs === 0 ? null : new Date(lastMs).toISOString() };
}

async function withinTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`presence does not answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Keys of a bucket that have a value, each once: one that is written while they are listed is listed twice. */
export async function keysOf(bucket: Pick<KV, 'keys'>, filter?: string): Promise<string[]> {
  const keys = new Set<string>();
  for await (const key of await bucket.keys(filter)) keys.add(key);
  return [...keys];
}

async function numberAt(bucket: KV, key: string): Promise<number | undefined> {
  const entry = await bucket.get(key);
  return entry?.operation === 'PUT' ? Number(entry.string()) : undefined;
}
