/**
 * A user with at least one reader on this gateway: the memberships as the log has told them so far. Each change is taken once,
 * by its sequence, from wherever it comes first.
 */
import { userToken } from '#contract';
import type { Subscription } from '#event-log';
import type { Reader } from './reader.js';

export interface Membership {
  /** Of the membership event. */
  readonly seq: number;
  readonly member: boolean;
  /** It began no later than this, as far as is known: by the event that began it, or by one that changed it. */
  readonly since: number;
}

/** What a change of membership changed. */
export interface News {
  readonly was: boolean;
  readonly is: boolean;
  /** Of the change before it, as far as it is known; 0 for none. */
  readonly knownUpTo: number;
}

/** A send that is on its way, so that its event is known for this connection's own. */
export interface PendingSend {
  readonly reader: Reader;
  /** The client's, if it gave one. */
  readonly key: string | undefined;
}

/** Sends that are remembered after their acknowledgement: their events may come later than it. */
const PENDING_SENDS_MAX = 64;

export class LocalUser {
  readonly token: string;
  readonly readers = new Set<Reader>();
  readonly memberships = new Map<string, Membership>();
  /** Some membership has ended and is still remembered. */
  hasEnded = false;
  /** Sends of this gateway by `event.key.id`. */
  private pending: Map<string, PendingSend> | undefined;
  private subscription: Promise<Subscription> | undefined;

  constructor(readonly id: string) {
    this.token = userToken(id);
  }

  /** Opens the subscription once; resolves when it is ready. */
  async listen(subscribe: () => Promise<Subscription>): Promise<void> {
    this.subscription ??= subscribe();
    try {
      await this.subscription;
    } catch (error) {
      this.subscription = undefined;
      throw error;
    }
  }

  async leave(): Promise<void> {
    const subscription = await this.subscription;
    await subscription?.stop();
  }

  /** Whether a change of membership has not been heard of. */
  lacks(roomId: string, seq: number): boolean {
    return (this.memberships.get(roomId)?.seq ?? 0) < seq;
  }

  isMember(roomId: string): boolean {
    return this.memberships.get(roomId)?.member ?? false;
  }

  /**
   * Takes a change of membership; undefined when it is no news.
   * @param joined the event lets the user in: whoever was a member before it has left in between, and that was not heard of
   */
  learn(roomId: string, seq: number, member: boolean, joined = false): News | undefined {
    const known = this.memberships.get(roomId);
    if (known !== undefined && known.seq >= seq) return undefined;
    const was = known?.member ?? false;
    this.memberships.set(roomId, { seq, member, since: member && was && !joined ? (known?.since ?? seq) : seq });
    this.hasEnded ||= !member;
    return { was, is: member, knownUpTo: known?.seq ?? 0 };
  }

  /** The present stay goes back at least so far: what changed it first was heard of first, or the views know it by its last change. */
  stayedSince(roomId: string, seq: number): void {
    const known = this.memberships.get(roomId);
    if (known?.member === true && known.since > seq) this.memberships.set(roomId, { ...known, since: seq });
  }

  /** Memberships that ended and are verified need not be remembered. */
  forgetEnded(isVerified: (roomId: string, seq: number) => boolean): void {
    this.hasEnded = false;
    for (const [roomId, { seq, member }] of this.memberships) {
      if (member) continue;
      if (isVerified(roomId, seq)) this.memberships.delete(roomId);
      else this.hasEnded = true;
    }
  }

  expect(keyId: string, send: PendingSend): void {
    this.pending ??= new Map();
    this.pending.set(keyId, send);
    const [oldest] = this.pending.size > PENDING_SENDS_MAX ? this.pending.keys() : [];
    if (oldest !== undefined) this.pending.delete(oldest);
  }

  /** The send that an event is of, if it came from this gateway. */
  sent(keyId: string | undefined): PendingSend | undefined {
    return keyId === undefined ? undefined : this.pending?.get(keyId);
  }

  forgetSend(keyId: string): void {
    this.pending?.delete(keyId);
    if (this.pending?.size === 0) this.pending = undefined;
  }
}
