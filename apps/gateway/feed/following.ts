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
import { bytesFor } from './echo.js';
import type { Feed } from './feed.js';
import type { LocalUser, News } from './local-user.js';
import type { Reader, Shown } from './reader.js';
import { isJoining, joinBytes, memberOf, type RoomEvent } from './room-event.js';
import type { Room } from './room.js';
import { announcedToSelf, hasLeft, openStay, visibleTo } from './visible.js';

/** A new channel's batch: config, roster, members. Whoever makes a room sees its making, which stands before their joining. */
const CREATION_ENTRIES_MAX = 67;
/** Whoever is a member and cannot be brought to the room's present, for whatever reason, resumes. */
const TRIES_MAX = 5;
const TRY_AGAIN_MS = 20;
/** Shown to a reader that is attached. */
const FOR_EVER: Shown = { upTo: Number.POSITIVE_INFINITY, isMember: true };

export class Following {
  constructor(private readonly feed: Feed) {}

  /** A membership as of an event that its room is about to show. */
  onMember(user: LocalUser, room: Room, event: RoomEvent, member: MemberState): void {
    const attached = [...user.readers].filter((reader) => room.isAttached(reader));
    const news = this.learn(user, room.id, event.seq, member, isJoining(event.event));
    if (news?.was === true && !news.is) for (const reader of attached) this.sayGoodbye(reader, room, event);
    if (news?.was !== true || !news.is || event.announced) return;
    room.flush();
    for (const reader of attached) this.write(reader, [announcedToSelf(event)]);
  }

  /** A membership from wherever. Whoever is still joining is left alone: what opens a reader looks again when it is done. */
  learn(user: LocalUser, roomId: string, seq: number, member: MemberState, joined: boolean): News | undefined {
    const news = user.learn(roomId, seq, member.standing === 'member', joined);
    if (news === undefined) return undefined;
    // Also where one who was none leaves: the joining may have been lost on the way here, and with it a whole stay.
    if (!news.was) this.begin(user, roomId, this.notShown(roomId, seq, member, news));
    if (news.was && !news.is)
      for (const reader of user.readers) this.feed.activeRoom(roomId)?.detach(reader, this.feed.nowMs());
    return news;
  }

  /** As the views know it. */
  learnMember(user: LocalUser, roomId: string, seq: number): void {
    const news = user.learn(roomId, seq, true);
    if (news?.was === false) this.begin(user, roomId, Math.max(news.knownUpTo, Math.min(this.markOf(roomId), seq - 1)));
  }

  begin(user: LocalUser, roomId: string, after: number): void {
    for (const reader of user.readers)
      if (!reader.isJoining && reader.sink.encoding.readsRoom(roomId))
        this.orClose(reader, this.catchUp(reader, roomId, { upTo: after, isMember: false }));
  }

  /** Shows a reader all stays after what it has been shown, and attaches it if its user is a member then. */
  catchUp(reader: Reader, roomId: string, before: Shown): Promise<void> {
    return reader.whileCatchingUp(roomId, async (shown) => {
      if (shown === undefined) return this.bringOn(reader, roomId, await this.bring(reader, roomId, before));
      // It was attached, and is no more: the stay that had no end has ended.
      const hasEnded = shown === FOR_EVER && this.feed.activeRoom(roomId)?.isAttached(reader) !== true;
      return this.bringOn(reader, roomId, hasEnded ? before : shown);
    });
  }

  /** Whether a room still has something for a reader that has been shown it up to here. */
  isBehind(reader: Reader, roomId: string, shown: number): boolean {
    const membership = reader.user.memberships.get(roomId);
    if (reader.isClosed || membership === undefined || !reader.sink.encoding.readsRoom(roomId)) return false;
    if (membership.member) return this.feed.activeRoom(roomId)?.isAttached(reader) !== true;
    return membership.seq > shown;
  }

  /** After which sequence there may be stays that nobody has shown. */
  private notShown(roomId: string, seq: number, member: MemberState, { knownUpTo }: News): number {
    const mayHaveMadeIt = knownUpTo === 0 && mayHaveMade(roomId, member);
    const after = Math.max(knownUpTo, Math.min(this.markOf(roomId), seq - 1));
    return Math.max(0, mayHaveMadeIt ? Math.min(after, seq - CREATION_ENTRIES_MAX) : after);
  }

  private markOf(roomId: string): number {
    return this.feed.mark(this.feed.subjects.partitionOfRoom(roomId));
  }

  /**
   * Shows the stays after what has been shown, the one that went on there among them. What live delivery brought may lack the last moments of a stay that has ended, so
   * those come from the log; the one that goes on comes from log and tail, and ends with the reader attached.
   * @returns up to where the room has been shown: for ever, where the reader is attached
   */
  private async bring(reader: Reader, roomId: string, before: Shown): Promise<Shown> {
    const { feed } = this;
    const { user } = reader;
    const known = user.memberships.get(roomId);
    if (known === undefined) return before;
    const changes = await feed.reads.membershipsOf(roomId, user.id, before.upTo, known.seq);
    const open = openStay(changes, before.isMember);
    const wentOn = before.isMember && changes.every((change) => memberOf(change)?.standing === 'member');
    const endedUpTo = wentOn ? before.upTo : open === undefined ? known.seq : open.seq - 1;
    // Whoever was out and only came has nothing to see of before: of a crowd that comes at once each would read what the others wrote.
    const mayHaveSeen =
      before.isMember || changes.some((change) => change !== open) || mayHaveMade(roomId, open && memberOf(open));
    if (mayHaveSeen && endedUpTo > before.upTo) await this.showEnded(reader, roomId, before, endedUpTo);
    const shown = { upTo: endedUpTo, isMember: wentOn };
    if (open === undefined && !wentOn) return shown;
    const room = await feed.activate(roomId);
    return feed.reads.upToNow(room, endedUpTo, (events) => {
      if (reader.isClosed || room.isAttached(reader)) return FOR_EVER;
      if (!user.isMember(roomId) || hasLeft(events, user.id, known.seq)) return shown;
      const joined = open === undefined || events.some(({ seq }) => seq === open.seq) ? events : [open, ...events];
      this.write(reader, visibleTo(user.id, joined, true));
      user.stayedSince(roomId, open?.seq ?? endedUpTo);
      feed.attach(room, reader);
      return FOR_EVER;
    });
  }

  private async showEnded(reader: Reader, roomId: string, before: Shown, upTo: number): Promise<void> {
    const { members = 0, participants } = this.feed.activeRoom(roomId) ?? {};
    const events = await this.feed.reads.between({ roomId, after: before.upTo, upTo, members, participants });
    this.write(reader, visibleTo(reader.user.id, events, before.isMember));
  }

  /** The user may have come again meanwhile, or come and gone. */
  private async bringOn(reader: Reader, roomId: string, from: Shown): Promise<Shown> {
    let shown = from;
    reader.noteShown(roomId, shown);
    for (let tries = 1; this.isBehind(reader, roomId, shown.upTo); tries++) {
      if (tries > TRIES_MAX) throw new Error(`${roomId}: a reader cannot be brought to the present`);
      if (tries > 1) await delay(tries * TRY_AGAIN_MS);
      shown = await this.bring(reader, roomId, shown);
      reader.noteShown(roomId, shown);
    }
    return shown;
  }

  private sayGoodbye(reader: Reader, room: Room, event: RoomEvent): void {
    const { id: roomId, timelineSeq: after, ordinal, members, participants } = room;
    const goodbye = reader.whileCatchingUp(roomId, async () => {
      const range = { roomId, after, upTo: event.seq, members, participants };
      const rest = await this.feed.reads.timelineBetween(range, { timelineSeq: after, ordinal });
      this.write(reader, [...rest, announcedToSelf(event)]);
      return this.bringOn(reader, roomId, { upTo: event.seq, isMember: false });
    });
    this.orClose(reader, goodbye);
  }

  /** What happened in a stay: live events that come late, so the echo mode holds. */
  private write(reader: Reader, events: readonly RoomEvent[]): void {
    reader.write(joinBytes(events.map((event) => bytesFor(reader, event))));
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

/** Whoever makes a room is its owner, or in a channel. */
const mayHaveMade = (roomId: string, member: MemberState | undefined): boolean =>
  member !== undefined && (member.role === 'owner' || isChannelRoomId(roomId));
