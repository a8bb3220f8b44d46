/**
 * Keeps the rooms of a client whole: takes the feed's frames through the reducer, fetches a room again when it has a hole, and
 * asks what a room is that nothing has described. What comes in for a room that is being fetched is held and taken afterwards.
 */
import type { MessageView, RoomView, ServerFrame, ServerFrameOf } from '#contract';
import type { Clock } from './connection.js';
import { RefusedError } from './errors.js';
import type { HistoryOptions, HttpApi } from './http.js';
import { type ChatState, described, fetched, initialState, reduce } from './state.js';

/** Frames of a room that wait while it is fetched again. Of what comes on top the newest is kept: it shows the hole, which is fetched again. */
const HELD_FRAMES_MAX = 5_000;
const REFETCH_LIMIT = 100;
/** A fetch that fails is made again after this time, for as long as the client is open. */
const RETRY_MS = 500;

type FeedFrame = ServerFrameOf<'event'> | ServerFrameOf<'skip'>;

export interface RoomSyncOptions {
  readonly http: Pick<HttpApi, 'history' | 'room'>;
  readonly clock: Clock;
  readonly messagesPerRoom: number;
  /** Where the feed is: a page that is fetched has at least that. */
  readonly cursor: () => string | undefined;
  readonly onState: (state: ChatState) => void;
  /** An event that is news, after it has changed the state. */
  readonly onEvent: (event: ServerFrameOf<'event'>) => void;
  /** A message that was missed and has been fetched. */
  readonly onMissed: (roomId: string, seq: number) => void;
}

export class RoomSync {
  state = initialState();
  private readonly held = new Map<string, FeedFrame[]>();
  /** The last sequence that a room had when it began to lack something. */
  private readonly missedAfter = new Map<string, number>();
  /** How often the rooms began again: a page that was asked for before does not join what they have now. */
  private beginnings = 0;
  private closed = false;

  constructor(private readonly options: RoomSyncOptions) {}

  close(): void {
    this.closed = true;
    this.held.clear();
  }

  welcome(frame: ServerFrameOf<'welcome'>): void {
    if (!frame.recovered) {
      this.beginnings += 1;
      this.held.clear();
    }
    this.reduce(frame);
  }

  take(frame: FeedFrame): void {
    if (!this.hold(frame)) this.reduce(frame);
  }

  show(state: ChatState): void {
    this.state = state;
    this.options.onState(state);
  }

  /** Fetches the newest messages of a room. @throws RefusedError */
  async fetch(roomId: string): Promise<void> {
    const { beginnings } = this;
    const cursor = this.options.cursor();
    const query: HistoryOptions = { limit: REFETCH_LIMIT, ...(cursor === undefined ? {} : { position: cursor }) };
    const { items, next } = await this.options.http.history(roomId, query);
    if (beginnings !== this.beginnings) return this.fetch(roomId);
    this.fetched(roomId, { items, isAll: next === null });
  }

  private fetched(roomId: string, page: { readonly items: readonly MessageView[]; readonly isAll: boolean }): void {
    if (this.closed) return;
    this.show(fetched(this.state, roomId, page, this.options.messagesPerRoom));
    const after = this.missedAfter.get(roomId) ?? Number.POSITIVE_INFINITY;
    this.missedAfter.delete(roomId);
    const missed = page.items.map(({ seq }) => seq).filter((seq) => seq > after);
    for (const seq of missed.reverse()) this.options.onMissed(roomId, seq);
    const held = this.held.get(roomId) ?? [];
    this.held.delete(roomId);
    for (const frame of held) this.take(frame);
  }

  /** Nobody may read it any more: nothing goes before what is held. */
  private giveUp(roomId: string): void {
    this.held.delete(roomId);
    this.fetched(roomId, { items: [], isAll: true });
  }

  private reduce(frame: ServerFrame): void {
    const before = this.state;
    const { state, refetch, news } = reduce(before, frame, this.options.messagesPerRoom);
    this.show(state);
    for (const roomId of refetch) {
      this.missedAfter.set(roomId, before.rooms.get(roomId)?.lastSeq ?? 0);
      if (frame.op === 'event' || frame.op === 'skip') this.hold(frame);
      this.persist(
        () => this.fetch(roomId),
        () => this.giveUp(roomId),
      );
    }
    if (!news || frame.op !== 'event') return;
    if (!before.rooms.has(frame.room) && frame.type !== 'room.created') this.describe(frame.room);
    this.options.onEvent(frame);
  }

  /** A stale room's timeline waits for its page. */
  private hold(frame: FeedFrame): boolean {
    if (frame.prev === undefined || this.state.rooms.get(frame.room)?.stale !== true) return false;
    const held = this.held.get(frame.room) ?? [];
    this.held.set(frame.room, held);
    if (held.length === HELD_FRAMES_MAX) held.pop();
    held.push(frame);
    return true;
  }

  /** Whoever comes into a room is shown what happens from there on, and not what the room is. */
  private describe(roomId: string): void {
    const show = (view: RoomView): void => this.show(described(this.state, view));
    this.persist(async () => show(await this.options.http.room(roomId)));
  }

  /** As long as the room is the user's: views that follow, a network that is away. */
  private persist(attempt: () => Promise<void>, giveUp: () => void = () => undefined, attempts = 1): void {
    attempt().catch((error: unknown) => {
      const refused = error instanceof RefusedError && !error.temporary;
      // A view that has not heard of the room yet says that there is none: it is asked again, a few times.
      if (this.closed || (refused && attempts >= ATTEMPTS_WHEN_REFUSED)) return giveUp();
      this.options.clock.after(RETRY_MS, () => this.persist(attempt, giveUp, attempts + 1));
    });
  }
}

const ATTEMPTS_WHEN_REFUSED = 5;
