/**
 * One person of a soak, on the SDK: talks, comes and goes, marks, types, watches, pages back, loses the network, reads slowly. What the
 * SDK shows of a room has to rise from message to message; everything else is compared in the end.
 */
import { randomInt } from 'node:crypto';
import WebSocket from 'ws';
import { ChatClient, ClosedError, RefusedError } from '#client';
import { tokenFor } from '../platform.js';
import type { Ledger } from './ledger.js';

/** What people did and met, for the report. */
export interface Counts {
  acknowledged: number;
  refused: number;
  received: number;
  connections: number;
  resumes: number;
  cuts: number;
  slow: number;
  joins: number;
  leaves: number;
  pages: number;
  unreachable: number;
  marks: number;
}

export const noCounts = (): Counts => ({
  acknowledged: 0,
  refused: 0,
  received: 0,
  connections: 0,
  resumes: 0,
  cuts: 0,
  slow: 0,
  joins: 0,
  leaves: 0,
  pages: 0,
  unreachable: 0,
  marks: 0,
});

export interface Surroundings {
  readonly urls: readonly string[];
  readonly ledger: Ledger;
  readonly counts: Counts;
  /** What ought not to happen. */
  readonly onFault: (fault: string) => void;
}

/** Of each room; a page holds as many. */
export const MESSAGES_KEPT = 50;
const PENDING_MAX = 4;
const PAGE = 50;
const WATCHED_MAX = 20;

export class Person {
  readonly client: ChatClient;
  /** Rooms that this person wanted to be in. */
  readonly rooms = new Set<string>();
  private socket: WebSocket | undefined;
  private readonly lastSeq = new Map<string, number>();
  private unwatch = (): void => undefined;
  private wasLive = false;

  constructor(
    readonly user: string,
    private readonly around: Surroundings,
  ) {
    const opened = (socket: WebSocket): void => {
      this.socket = socket;
      around.counts.connections += 1;
    };
    class Cuttable extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { perMessageDeflate: false });
        opened(this);
      }
    }
    this.client = new ChatClient({
      url: around.urls,
      token: () => tokenFor(user),
      WebSocket: Cuttable,
      messagesPerRoom: MESSAGES_KEPT,
    });
    this.client.messages.on(({ room, seq }) => this.saw(room, seq));
    this.client.connection.on(({ state }) => {
      if (state !== 'live') return;
      if (this.wasLive) around.counts.resumes += 1;
      this.wasLive = true;
    });
  }

  async come(): Promise<this> {
    await this.client.connect();
    return this;
  }

  go(): void {
    this.client.close();
  }

  get isBusy(): boolean {
    return this.client.pending.length >= PENDING_MAX;
  }

  say(room: string, padding?: string): void {
    const { ledger, counts } = this.around;
    const { number, content } = ledger.next(padding);
    this.own(
      this.client.send(room, content).then(
        ({ position }) => {
          counts.acknowledged += 1;
          ledger.told(number, 'acknowledged', position);
        },
        (error: unknown) => {
          if (error instanceof RefusedError) ledger.told(number, 'refused');
          throw error;
        },
      ),
    );
  }

  join(room: string): void {
    this.rooms.add(room);
    this.around.counts.joins += 1;
    this.own(this.client.join(room));
  }

  leave(room: string): void {
    this.rooms.delete(room);
    this.around.counts.leaves += 1;
    this.own(this.client.leave(room));
  }

  mark(room: string): void {
    const newest = this.client.state.rooms.get(room)?.messages.at(-1);
    if (newest === undefined) return;
    this.around.counts.marks += 1;
    this.own(this.client.markRead(room, newest.id));
  }

  type(room: string): void {
    this.client.userTyped(room);
  }

  watch(users: readonly string[]): void {
    this.unwatch();
    this.unwatch = this.client.watch(users.slice(0, WATCHED_MAX));
  }

  /** Some pages of a room's past, the room list and the inbox. */
  page(room: string): void {
    this.own(this.pages(room));
  }

  cut(): void {
    this.around.counts.cuts += 1;
    this.socket?.terminate();
  }

  /** Takes nothing from the network until the gateway has had enough of it, or `letGo`. */
  stall(): () => void {
    const { socket } = this;
    this.around.counts.slow += 1;
    socket?.pause();
    return () => socket?.resume();
  }

  private async pages(room: string): Promise<void> {
    let cursor: string | null | undefined;
    for (let pages = randomInt(1, 6); pages > 0 && cursor !== null; pages -= 1) {
      const options = { limit: PAGE, ...(typeof cursor === 'string' ? { cursor } : {}) };
      cursor = (await this.client.history(room, options)).next;
      this.around.counts.pages += 1;
    }
    await this.client.http.rooms({ limit: PAGE });
    await this.client.http.inbox({ limit: PAGE });
  }

  private saw(room: string, seq: number): void {
    this.around.counts.received += 1;
    const last = this.lastSeq.get(room) ?? 0;
    if (seq <= last) this.around.onFault(`${this.user} was shown ${seq} of ${room} after ${last}`);
    this.lastSeq.set(room, seq);
  }

  /** Refusals are part of life; a client that was closed meanwhile has said so. */
  private own(doing: Promise<unknown>): void {
    doing.catch((error: unknown) => {
      if (error instanceof RefusedError) this.around.counts.refused += 1;
      else if (isNetworkError(error)) this.around.counts.unreachable += 1;
      else if (!(error instanceof ClosedError)) this.around.onFault(`${this.user}: ${String(error)}`);
    });
  }
}

/** What fetch says when a connection that was kept ends just as it is used again; whoever wants an answer asks again. */
const isNetworkError = (error: unknown): boolean => error instanceof TypeError && error.message === 'fetch failed';
