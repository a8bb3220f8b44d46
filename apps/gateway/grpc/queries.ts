/** What several RPCs ask: the read models, the log where they would be too late, and presence. */
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  type CommandResult,
  DomainError,
  fields,
  HTTP_HEADERS,
  LIMITS,
  type MessageView,
  parseCursor,
  parsePosition,
  type RoomView,
  Subjects,
  type UserView,
} from '#contract';
import type { EventLog } from '#event-log';
import {
  type Database,
  getMessage,
  getUsers,
  memberIdsOf,
  PositionWaiter,
  readableRoom,
  type StoredUser,
  visibleRoom,
} from '#read-models';
import { DATABASE, EVENT_LOG, type Identity, NATS, Presence, shownPresence } from '#service';
import type { Call } from './answering.js';
import { onFault } from './answering.js';
import { type Caller, textOf } from './callers.js';

const ABSENT = { connections: 0, seenMs: undefined } as const;

@Injectable()
export class Queries implements OnApplicationShutdown {
  private readonly waiter: PositionWaiter;
  private readonly presence: Presence;
  private readonly subjects: Subjects;

  constructor(
    @Inject(DATABASE) readonly database: Database,
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(NATS) nats: NatsConnection,
  ) {
    this.waiter = new PositionWaiter(database, nats);
    this.presence = new Presence(nats);
    this.subjects = new Subjects(log.partitions);
  }

  onApplicationShutdown(): void {
    this.waiter.close();
  }

  /** A query that names a position or a cursor (`parley-position`, as on HTTP) waits for the views to include it. */
  async caughtUp({ metadata, waitMs }: Call): Promise<void> {
    const given = textOf(metadata, HTTP_HEADERS.position);
    if (given === undefined) return;
    const place = parsePosition(given) ?? parseCursor(given);
    const isOfThisLog =
      place !== undefined &&
      ('seqs' in place ? place.seqs.length === this.log.partitions : place.partition < this.log.partitions);
    if (!isOfThisLog) throw new DomainError('invalid_cursor', 'position: must be a position or a cursor of this log');
    await this.waiter.waitFor(place, waitMs());
  }

  /** After a command: its position goes into the trailers, and the views are waited for, so that the next query sees it. */
  async seen({ position }: CommandResult, { trailer, waitMs }: Call): Promise<void> {
    trailer.set(HTTP_HEADERS.position, position);
    const place = parsePosition(position);
    if (place !== undefined) await this.waiter.waitFor(place, waitMs());
  }

  /** The same for what is accepted and must not look refused: a client that repeats it without a key would do it twice. */
  async seenOrNotYet(result: CommandResult, call: Call): Promise<void> {
    try {
      await this.seen(result, call);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'behind') throw error;
    }
  }

  /** When a command's event came into the log, RFC 3339. */
  async timeOf({ position }: CommandResult): Promise<string> {
    const place = parsePosition(position);
    const entry = place === undefined ? undefined : await this.log.entry(place.partition, place.seq);
    return entry === undefined ? '' : new Date(entry.at).toISOString();
  }

  /** A message as it stands in the views, once they have it. */
  async message(roomId: string, { id, position }: CommandResult): Promise<MessageView | undefined> {
    const place = parsePosition(position);
    if (place !== undefined) await this.waiter.waitFor(place);
    return getMessage(this.database, roomId, id);
  }

  /** Whether a room has ever been made, from the log itself: the views may not know it yet. */
  async roomExists(roomId: string): Promise<boolean> {
    return isRoomId(roomId) && (await this.log.last(this.subjects.config(roomId))) !== undefined;
  }

  /** @throws DomainError `room_not_found` */
  async visible(roomId: string, caller: Caller): Promise<RoomView> {
    if (!isRoomId(roomId)) throw new DomainError('room_not_found');
    return (await visibleRoom(this.database, roomId, caller?.userId)).room;
  }

  /** @throws DomainError `room_not_found`, `not_member` */
  async readable(roomId: string, caller: Caller): Promise<RoomView> {
    if (!isRoomId(roomId)) throw new DomainError('room_not_found');
    return readableRoom(this.database, roomId, caller?.userId);
  }

  async membersOf(roomIds: readonly string[], limitEach: number): Promise<ReadonlyMap<string, readonly string[]>> {
    return memberIdsOf(this.database, roomIds, limitEach);
  }

  /**
   * A user as others see them. Whoever a good token names is one, heard of or not.
   * @param signedIn whom the caller's token names, if there is one
   */
  async user(userId: string, signedIn: Identity | undefined): Promise<UserView | undefined> {
    const [found] = await this.users([userId]);
    if (found !== undefined || signedIn?.userId !== userId) return found;
    const [shown] = await this.shown([unheardOf(signedIn)]);
    return shown;
  }

  /** Those of them that exist, in the order given. */
  async users(userIds: readonly string[]): Promise<UserView[]> {
    const found = new Map((await getUsers(this.database, userIds)).map((user) => [user.id, user]));
    return this.shown(userIds.flatMap((userId) => found.get(userId) ?? []));
  }

  /** Presence is only a part of a user: when it cannot be read, the rest is shown without it. */
  private async shown(users: readonly StoredUser[]): Promise<UserView[]> {
    const present = await this.presence.of(users.map(({ id }) => id)).catch(onFault);
    const nowMs = Date.now();
    return users.map(({ statusOnline, statusAt, ...user }) => ({
      ...user,
      ...shownPresence(present?.get(user.id) ?? ABSENT, { statusOnline, statusAt }, nowMs),
    }));
  }
}

/** What cannot be a room's id names none. */
export const isRoomId = (text: string): boolean => fields.roomId.safeParse(text).success;

/** A list's length: what is asked for, where that is a length, else all that is given at once. */
export const limitOf = (asked: number): number => (asked <= 0 ? LIMITS.page : Math.min(asked, LIMITS.page));

function unheardOf({ userId, username = userId }: Identity): StoredUser {
  return { id: userId, username, displayName: username, avatarUrl: '', status: {} };
}
