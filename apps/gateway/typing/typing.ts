/**
 * Who is typing: core NATS, never stored. A gateway says of a room at most one notice each 500 ms, with what changed since
 * the last one; what it hears it shows to the room's readers, but not to whoever types.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { z } from 'zod';
import { DomainError, fields, TRANSIENT } from '#contract';
import { NATS } from '#service';
import { Feed } from '../feed/feed.js';
import type { Reader } from '../feed/reader.js';
import { joinBytes } from '../feed/room-event.js';

const NOTICE_MS = 500;
/** Changes in one notice; the others of that half second are not worth telling. */
const CHANGES_MAX = 100;

const notice = z.object({ room: fields.roomId, users: z.record(fields.userId, z.boolean()) });
type Notice = z.output<typeof notice>;

@Injectable()
export class Typing implements OnModuleInit, OnModuleDestroy {
  private readonly log = new Logger('Typing');
  /** By room: what changed since the last notice. A room without changes stays until its half second is over. */
  private readonly changes = new Map<string, Map<string, boolean>>();
  private subscription: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(NATS) private readonly nats: NatsConnection,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    this.subscription = this.nats.subscribe(TRANSIENT.typingAll, {
      callback: (error, message) => (error === null ? this.hear(message.string()) : this.log.error(error)),
    });
    this.timer = setInterval(() => this.tell(), NOTICE_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.subscription?.unsubscribe();
  }

  /** @throws DomainError `not_member` */
  say(reader: Reader, roomId: string, isTyping: boolean): void {
    const { user } = reader;
    if (!user.isMember(roomId)) throw new DomainError('not_member');
    const waiting = this.changes.get(roomId);
    if (waiting === undefined) {
      // The first after a quiet half second goes out at once.
      this.changes.set(roomId, new Map());
      this.publish(roomId, new Map([[user.id, isTyping]]));
    } else if (waiting.size < CHANGES_MAX || waiting.has(user.id)) waiting.set(user.id, isTyping);
  }

  private tell(): void {
    for (const [roomId, users] of this.changes) {
      if (users.size === 0) this.changes.delete(roomId);
      else {
        this.changes.set(roomId, new Map());
        this.publish(roomId, users);
      }
    }
  }

  private publish(room: string, users: ReadonlyMap<string, boolean>): void {
    const said: Notice = { room, users: Object.fromEntries(users) };
    this.nats.publish(TRANSIENT.typing(room), JSON.stringify(said));
  }

  private hear(text: string): void {
    const heard = readNotice(text);
    if (heard === undefined) return this.log.warn('a typing notice that cannot be read');
    const room = this.feed.activeRoom(heard.room);
    if (room === undefined) return;
    const users = Object.entries(heard.users);
    for (const [user, typing] of users)
      room.broadcast(
        (encoding) => joinBytes([encoding.frame({ op: 'typing', room: heard.room, user, typing })]),
        (reader) => reader.user.id === user,
      );
  }
}

function readNotice(text: string): Notice | undefined {
  try {
    return notice.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
