/**
 * A gateway's part in presence: it holds a lease, writes how many connections each of its users has, and sweeps what a
 * gateway that is gone has left behind.
 *
 * A user's key is *dirty* from a change of its count until the write of that count is acknowledged; a count that changes
 * meanwhile is written again. After the lease has lapsed (the broker was away for longer than it lasts) everything is dirty:
 * another gateway may have swept it.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { PRESENCE_KEYS } from '#contract';
import { LEASE_MS, MARKER_MS } from './buckets.js';
import { keysOf, Presence } from './presence.js';

/** Three renewals may be lost before a lease ends. */
const RENEWALS_PER_LEASE = 4;
const WRITES_AT_ONCE = 64;
const RETRY_MS = 500;
/** How long a lease may take to be had before the gateway gives up. */
const BEGIN_MS = 15_000;

export interface LeaseOptions {
  /** As the bucket of leases was made with. */
  readonly leaseMs?: number;
  /** Told of what failed and will be tried again. */
  readonly onTrouble: (problem: string) => void;
}

export class PresenceLease {
  /** A new one each time a gateway starts. */
  readonly gateway = `g${randomBytes(9).toString('hex')}`;
  private readonly counts = new Map<string, number>();
  private readonly dirty = new Set<string>();
  private readonly leaseMs: number;
  private known: readonly string[] = [];
  private renewedAtMs = -Infinity;
  private writing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  private ended = false;

  private constructor(
    private readonly presence: Presence,
    private readonly options: LeaseOptions,
  ) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
  }

  /** Takes a lease and sweeps what earlier gateways left. Ready to count when the promise resolves. */
  static async take(nats: NatsConnection, options: LeaseOptions): Promise<PresenceLease> {
    const lease = new PresenceLease(new Presence(nats), options);
    await lease.begin();
    lease.timer = setInterval(() => {
      lease.beat().catch((error: unknown) => options.onTrouble(`presence is not renewed: ${String(error)}`));
    }, lease.leaseMs / RENEWALS_PER_LEASE);
    return lease;
  }

  /** A cluster that has just started, or has lost a node, may have no JetStream to offer for some seconds. */
  private async begin(): Promise<void> {
    for (const until = performance.now() + BEGIN_MS; ;) {
      try {
        await this.renew();
        return await this.sweepStrangers();
      } catch (error) {
        if (performance.now() >= until) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /** A user has one more connection here. */
  connected(userId: string): void {
    this.counted(userId, 1);
  }

  /** A user has one less. */
  disconnected(userId: string): void {
    this.counted(userId, -1);
  }

  /** Resolves when all that has changed so far is written, or a write has failed and waits for its next try. */
  async settled(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
  }

  /** Gives the lease back: from here on no connection of this gateway counts. */
  async end(): Promise<void> {
    this.abandon();
    await this.settled();
    const { leases } = await this.presence.buckets();
    await leases.purge(this.gateway);
    await this.sweep(this.gateway);
  }

  /** Stops writing at once, as a gateway that dies does: the lease ends by itself. */
  abandon(): void {
    this.ended = true;
    clearInterval(this.timer);
    clearTimeout(this.retry);
  }

  private counted(userId: string, by: number): void {
    this.counts.set(userId, Math.max(0, (this.counts.get(userId) ?? 0) + by));
    this.dirty.add(userId);
    this.write();
  }

  /** One writer at a time: a user's counts are written in their order. */
  private write(): void {
    if (this.writing !== undefined || this.ended) return;
    this.writing = this.writeDirty()
      .catch((error: unknown) => {
        this.options.onTrouble(`presence is not written: ${String(error)}`);
        clearTimeout(this.retry);
        if (!this.ended) this.retry = setTimeout(() => this.write(), RETRY_MS);
      })
      .finally(() => (this.writing = undefined));
  }

  private async writeDirty(): Promise<void> {
    while (this.dirty.size > 0 && !this.ended) {
      const users = [...this.dirty].slice(0, WRITES_AT_ONCE);
      for (const userId of users) this.dirty.delete(userId);
      const outcomes = await Promise.allSettled(users.map((userId) => this.writeCount(userId)));
      const failed = outcomes.flatMap((outcome, i) => (outcome.status === 'rejected' ? [{ i, outcome }] : []));
      for (const { i } of failed) this.dirty.add(users[i] as string);
      if (failed[0] !== undefined) throw failed[0].outcome.reason;
    }
  }

  private async writeCount(userId: string): Promise<void> {
    const { connections } = await this.presence.buckets();
    const key = PRESENCE_KEYS.connections(userId, this.gateway);
    const count = this.counts.get(userId) ?? 0;
    if (count > 0) {
      await connections.put(key, String(count));
      return;
    }
    await connections.put(PRESENCE_KEYS.seen(userId), String(Date.now()));
    await connections.purge(key, { ttl: MARKER_TTL });
    if (this.counts.get(userId) === 0) this.counts.delete(userId);
  }

  private async beat(): Promise<void> {
    await this.renew();
    const live = await this.presence.liveGateways();
    const gone = this.known.filter((gateway) => !live.includes(gateway) && gateway !== this.gateway);
    this.known = live;
    for (const gateway of gone) await this.sweep(gateway);
  }

  private async renew(): Promise<void> {
    const { leases } = await this.presence.buckets();
    await leases.put(this.gateway, '');
    const lapsed = performance.now() - this.renewedAtMs > this.leaseMs;
    this.renewedAtMs = performance.now();
    if (!lapsed) return;
    for (const userId of this.counts.keys()) this.dirty.add(userId);
    this.write();
  }

  /** Whoever has keys took a lease before: what is listed first and has no lease afterwards belongs to nobody. */
  private async sweepStrangers(): Promise<void> {
    const { connections, leases } = await this.presence.buckets();
    const gateways = new Set((await keysOf(connections, '*.*')).map(gatewayOf));
    gateways.delete(SEEN);
    this.known = await keysOf(leases);
    for (const gateway of gateways) if (!this.known.includes(gateway)) await this.sweep(gateway);
  }

  /** Everybody who sees a lease end does this; the second one finds nothing. */
  private async sweep(gateway: string): Promise<void> {
    const { connections } = await this.presence.buckets();
    for (const key of await keysOf(connections, PRESENCE_KEYS.connectionsOfGateway(gateway))) {
      await connections.put(`${key.slice(0, -gateway.length)}${SEEN}`, String(Date.now()));
      await connections.purge(key, { ttl: MARKER_TTL });
    }
  }
}

const MARKER_TTL = `${MARKER_MS / 1000}s`;
const SEEN = 'seen';
const gatewayOf = (key: string): string => key.slice(key.lastIndexOf('.') + 1);
