/**
 * Presence goes only where somebody looks: each watched user costs this gateway two subscriptions (connections, status), however
 * many readers watch. Frames go out at once for whoever begins to watch, and at each change.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError, LIVE, type ServerFrameOf } from '#contract';
import type { EventLog, StoredEntry, Subscription } from '#event-log';
import { type Database, getUsers, type StoredUser } from '#read-models';
import { DATABASE, EVENT_LOG, Gate, NATS, Presence, type SaidOnline, shownPresence, type UserPresence } from '#service';
import type { Reader } from '../feed/reader.js';
import { sharingARoom } from './sharing.js';

/** What somebody said of being online runs out without an event: it is looked at this often. */
const LOOK_AGAIN_MS = 10_000;

/** Users that somebody here watches: two subscriptions each. Whoever wants to see more is told to come again. */
export const WATCHED_MAX = 50_000;
/** Each asks the database and the presence buckets when it begins; a list of 500 is begun piece by piece. */
const BEGIN_AT_ONCE = 32;

const TOO_MANY_WATCHED = 'too many users are watched on this gateway';

type Shown = ServerFrameOf<'presence'>;

interface Watched {
  readonly userId: string;
  readonly readers: Set<Reader>;
  ready: Promise<void>;
  said: SaidOnline;
  status: Readonly<Record<string, string>>;
  presence: UserPresence;
  /** Of the status that was taken last, its log's time. */
  statusAt: number;
  shown: Shown | undefined;
  stop: () => void;
}

@Injectable()
export class Watches implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('Watches');
  private readonly presence: Presence;
  private readonly watched = new Map<string, Watched>();
  private readonly lists = new Map<Reader, ReadonlySet<string>>();
  private readonly begun = new Gate({ inside: BEGIN_AT_ONCE, waiting: WATCHED_MAX, refusal: TOO_MANY_WATCHED });
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(NATS) nats: NatsConnection,
    @Inject(EVENT_LOG) private readonly events: EventLog,
    @Inject(DATABASE) private readonly database: Database,
  ) {
    this.presence = new Presence(nats);
  }

  onModuleInit(): void {
    this.timer = setInterval(() => this.lookAgain(), LOOK_AGAIN_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    for (const watched of this.watched.values()) watched.stop();
  }

  /**
   * Replaces a reader's list; whoever shares no room with its user is left out. One that is refused leaves none.
   * @returns sends the present state of all of them, for after the acknowledgement
   */
  async watch(reader: Reader, userIds: readonly string[]): Promise<() => void> {
    const allowed = new Set(await sharingARoom(this.database, reader.user.id, [...new Set(userIds)]));
    for (const userId of this.lists.get(reader) ?? []) if (!allowed.has(userId)) this.unwatch(reader, userId);
    if (reader.isClosed) return () => undefined;
    const more = [...allowed].filter((userId) => !this.watched.has(userId));
    if (this.watched.size + more.length > WATCHED_MAX) {
      this.leave(reader);
      throw new DomainError('unavailable', TOO_MANY_WATCHED);
    }
    this.lists.set(reader, allowed);
    const all = [...allowed].map((userId) => this.join(reader, userId));
    await Promise.all(all.map(({ ready }) => ready));
    return () => {
      for (const watched of all) if (watched.shown !== undefined) reader.send(watched.shown);
    };
  }

  leave(reader: Reader): void {
    for (const userId of this.lists.get(reader) ?? []) this.unwatch(reader, userId);
    this.lists.delete(reader);
  }

  private join(reader: Reader, userId: string): Watched {
    const watched = this.watched.get(userId) ?? this.begin(userId);
    watched.readers.add(reader);
    return watched;
  }

  private begin(userId: string): Watched {
    const watched: Watched = {
      userId,
      readers: new Set(),
      ready: Promise.resolve(),
      said: {},
      status: {},
      presence: { connections: 0, seenMs: undefined },
      statusAt: 0,
      shown: undefined,
      stop: () => undefined,
    };
    this.watched.set(userId, watched);
    watched.ready = this.begun.run(() => this.open(watched));
    // Whoever asked hears of it; the next one begins anew.
    watched.ready.catch(() => {
      watched.stop();
      if (this.watched.get(userId) === watched) this.watched.delete(userId);
    });
    return watched;
  }

  private async open(watched: Watched): Promise<void> {
    const { userId } = watched;
    const unwatch = this.presence.watch(userId, () => this.orWarn(this.look(watched)));
    watched.stop = unwatch;
    const subscription = await this.events.live(LIVE.user(userId), (entry) => this.takeStatus(watched, entry));
    watched.stop = () => {
      unwatch();
      this.orWarn(stopped(subscription));
    };
    const [user] = await getUsers(this.database, [userId]);
    if (user !== undefined) this.takeStored(watched, user);
    await this.look(watched);
  }

  private takeStored(watched: Watched, { status, statusOnline, statusAt = 0 }: StoredUser): void {
    if (statusAt < watched.statusAt) return;
    watched.status = status;
    watched.said = { statusOnline, statusAt };
    watched.statusAt = statusAt;
  }

  private takeStatus(watched: Watched, { at, decoded }: StoredEntry): void {
    if (decoded.kind !== 'event' || decoded.event.type !== 'StatusChanged' || at < watched.statusAt) return;
    const { online, status } = decoded.event.data;
    watched.status = status;
    watched.said = { statusOnline: online, statusAt: at };
    watched.statusAt = at;
    this.show(watched);
  }

  private async look(watched: Watched): Promise<void> {
    const found = await this.presence.of([watched.userId]);
    watched.presence = found.get(watched.userId) ?? { connections: 0, seenMs: undefined };
    this.show(watched);
  }

  /** Only what others see differently is sent; that time passes while somebody is here is no change. */
  private show(watched: Watched): void {
    const { online, lastSeen } = shownPresence(watched.presence, watched.said, Date.now());
    const before = watched.shown;
    watched.shown = { op: 'presence', user: watched.userId, online, lastSeen, status: { ...watched.status } };
    const same =
      before?.online === online &&
      (online || before.lastSeen === lastSeen) &&
      JSON.stringify(before.status) === JSON.stringify(watched.shown.status);
    if (before === undefined || same) return;
    for (const reader of watched.readers) if (!reader.isJoining) reader.send(watched.shown);
  }

  private unwatch(reader: Reader, userId: string): void {
    const watched = this.watched.get(userId);
    watched?.readers.delete(reader);
    if (watched === undefined || watched.readers.size > 0) return;
    this.watched.delete(userId);
    this.orWarn(watched.ready.then(() => watched.stop()));
  }

  private lookAgain(): void {
    for (const watched of this.watched.values()) if (watched.said.statusOnline === true) this.show(watched);
  }

  private orWarn(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.log.warn(`presence is not known: ${String(error)}`));
  }
}

const stopped = (subscription: Subscription): Promise<void> => subscription.stop();
