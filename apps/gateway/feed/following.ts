/**
 * Who reads which room: begins to read when a user comes, ends when they go, and sees to it that a stay is shown whole.
 *
 * - *coming*: the room's events from the joining on, then live. In the moment in which nothing is missing the reader is
 *   attached; if the user has gone again by then, the log tells the whole stay.
 * - *going*: what the timeline may still lack before the leaving is read from the log, because nobody brings it to a
 *   reader that is not there any more; then comes the leaving itself.
 *
 * A reader gets no cursor while one of its rooms is under way.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CLOSE, isChannelRoomId, type MemberState } from '#contract';
import type { Feed } from './feed.js';
import type { LocalUser } from './local-user.js';
import type { Reader } from './reader.js';
import { bytesOf, joinBytes, type RoomEvent } from './room-event.js';
import type { Room } from './room.js';
import { announcedToSelf, endedStays, visibleTo } from './visible.js';

/** A new channel's batch: config, roster, members. Whoever makes a room sees its making, which stands before their joining. */
const CREATION_ENTRIES_MAX = 67;
/** Whoever is a member and cannot be brought to the room's present, for whatever reason, resumes. */
const TRIES_MAX = 5;
const TRY_AGAIN_MS = 20;

export class Following {
  constructor(private readonly feed: Feed) {}

  /** A membership as of an event that its room is about to show. */
  onMember(user: LocalUser, room: Room, event: RoomEvent, member: MemberState): void {
    if (event.event === undefined) return;
    const attached = [...user.readers].filter((reader) => room.isAttached(reader));
    const news = this.learn(user, room.id, event.seq, member, event.event.type);
    if (news === 'went') for (const reader of attached) this.sayGoodbye(reader, room, event);
    if (news === 'stayed' && !event.announced) {
      room.flush();
      for (const reader of attached) this.write(reader, [announcedToSelf(event)]);
    }
  }

  /** A membership from wherever. Whoever is still joining is left alone: what opens a reader looks again when it is done. */
  learn(
    user: LocalUser,
    roomId: string,
    seq: number,
    member: MemberState,
    type: string,
  ): 'came' | 'went' | 'stayed' | undefined {
    const news = user.learn(roomId, seq, member.standing === 'member');
    if (news === 'came') this.begin(user, roomId, this.firstSeen(roomId, seq, member, type));
    if (news === 'went')
      for (const reader of user.readers) this.feed.activeRoom(roomId)?.detach(reader, this.feed.nowMs());
    return news;
  }

  begin(user: LocalUser, roomId: string, after: number): void {
    for (const reader of user.readers)
      if (!reader.isJoining && reader.sink.encoding.readsRoom(roomId))
        this.orClose(reader, this.catchUp(reader, roomId, after));
  }

  /** Brings a reader from `after` to where the room is, and attaches it if its user is a member then. */
  catchUp(reader: Reader, roomId: string, after: number): Promise<void> {
    return reader.whileCatchingUp(roomId, async () => {
      await this.bring(reader, roomId, after);
      await this.bringAgain(reader, roomId);
    });
  }

  /** After which sequence a user who came as of `seq` has to be shown the room. */
  private firstSeen(roomId: string, seq: number, member: MemberState, type: string): number {
    const mark = this.feed.mark(this.feed.subjects.partitionOfRoom(roomId));
    // A member by another event than by joining: the joining has been lost on the way here, and is read.
    const after = type === 'MemberJoined' ? seq - 1 : Math.min(seq - 1, mark);
    const mayHaveMadeIt = member.role === 'owner' || isChannelRoomId(roomId);
    return Math.max(0, mayHaveMadeIt ? after - CREATION_ENTRIES_MAX : after);
  }

  private async bring(reader: Reader, roomId: string, after: number): Promise<void> {
    const { feed } = this;
    const { user } = reader;
    const room = await feed.activate(roomId);
    const isThere = await feed.reads.upToNow(room, after, (events) => {
      if (reader.isClosed || room.isAttached(reader)) return true;
      const { visible, member } = visibleTo(user.id, events, false);
      if (!member || !user.isMember(roomId)) return false;
      this.write(reader, visible);
      feed.attach(room, reader);
      return true;
    });
    if (isThere) return;
    const upTo = await feed.end(room.partition);
    const { members, participants } = room;
    const events = await feed.reads.between({ roomId, after, upTo, members, participants });
    this.write(reader, endedStays(visibleTo(user.id, events, false)));
  }

  /** The user may have come again meanwhile. */
  private async bringAgain(reader: Reader, roomId: string): Promise<void> {
    for (let tries = 1; this.isMissing(reader, roomId); tries++) {
      if (tries > TRIES_MAX) throw new Error(`${roomId}: a member's reader cannot be brought to the present`);
      await delay(tries * TRY_AGAIN_MS);
      await this.bring(reader, roomId, (reader.user.memberships.get(roomId)?.since ?? 1) - 1);
    }
  }

  private isMissing(reader: Reader, roomId: string): boolean {
    if (reader.isClosed || !reader.user.isMember(roomId)) return false;
    return this.feed.activeRoom(roomId)?.isAttached(reader) !== true;
  }

  private sayGoodbye(reader: Reader, room: Room, event: RoomEvent): void {
    const { id: roomId, timelineSeq: after, ordinal, members, participants } = room;
    const goodbye = reader.whileCatchingUp(roomId, async () => {
      const range = { roomId, after, upTo: event.seq, members, participants };
      const events = await this.feed.reads.between(range, undefined, { timelineSeq: after, ordinal });
      const rest = events.filter(({ kind, seq }) => kind === 'timeline' && seq < event.seq);
      this.write(reader, [...rest, announcedToSelf(event)]);
      await this.bringAgain(reader, roomId);
    });
    this.orClose(reader, goodbye);
  }

  /** What happened in a stay: live events that come late, so the echo mode holds. */
  private write(reader: Reader, events: readonly RoomEvent[]): void {
    const { encoding } = reader.sink;
    reader.write(
      joinBytes(
        events.map((event) => {
          const heldBack = this.feed.heldBackFrom(reader, event);
          return heldBack === undefined ? bytesOf(event, encoding) : heldBack.instead;
        }),
      ),
    );
  }

  /** An outage closes the reader, which resumes with the cursor that it has. */
  private orClose(reader: Reader, work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (reader.isClosed) return;
      this.feed.fault(error);
      reader.close(CLOSE.replayFailed, 'catching up failed');
    });
  }
}
