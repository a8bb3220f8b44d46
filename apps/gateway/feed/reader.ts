/**
 * One signed-in connection, as the feed sees it.
 *
 * States: *joining* (what goes out is held until the replay has been written), *live* (written at once), *closed*. Only a
 * live reader whose rooms are all caught up may be given a cursor.
 */
import { CLOSE, type CloseCode, type EchoMode, type ServerFrame } from '#contract';
import type { FeedSink } from './encoding.js';
import type { LocalUser } from './local-user.js';

/** What a reader may have waiting for the network; above it, the reader is slow. */
export const QUEUE_BYTES_MAX = 1024 * 1024;
/** What may wait behind a replay. */
export const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** Up to where a room has been shown to a reader, and whether its user was a member there. */
export interface Shown {
  readonly upTo: number;
  readonly isMember: boolean;
}

/** What a joining reader needs and a live one does not. */
interface Joining {
  held: Buffer[];
  heldBytes: number;
  /** By room: up to where it has been shown; what changed after that has to be looked at before the reader is live. */
  readonly shown: Map<string, Shown>;
}

/** Goes on from what was shown by the one before it; undefined for none. */
type Step = (shown: Shown | undefined) => Promise<Shown>;

/** What brings a room to the present, and what has been asked for since. */
interface CatchingUp {
  readonly steps: Step[];
  done: Promise<void>;
}

const nothingHeld = (): Joining => ({ held: [], heldBytes: 0, shown: new Map() });

export class Reader {
  /** The user's truth about this reader's rooms; set when the user is entered. */
  user!: LocalUser;
  /** The last cursor that was sent; the client may resume with it. */
  cursor = '';
  /** Sweeps until another cursor need not be sent: two after the last event, so that a cursor covers it. */
  cursorsDue = 0;
  private joining: Joining | undefined = nothingHeld();
  private closed = false;
  /** Rooms that are being brought to the present from the log. */
  private catchingUp: Map<string, CatchingUp> | undefined;

  constructor(
    /** The connection's own name. */
    readonly session: string,
    readonly sink: FeedSink,
    readonly echo: EchoMode,
    /** The session that the token belongs to, where it is one of Parley's own. */
    readonly signIn: string | undefined = undefined,
  ) {}

  get isJoining(): boolean {
    return this.joining !== undefined;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  get mayHaveCursor(): boolean {
    return this.joining === undefined && this.catchingUp === undefined && !this.closed;
  }

  /** Events: in their order, behind a replay that is under way. */
  write(bytes: Buffer, isLast = false): void {
    if (this.closed || bytes.length === 0) return;
    this.cursorsDue = 2;
    if (this.joining !== undefined) return this.hold(this.joining, bytes);
    this.writeNow(bytes, isLast);
  }

  /** Past everything that is held: the replay itself, answers, transient frames. */
  writeNow(bytes: Buffer, isLast = false): void {
    if (this.closed) return;
    this.sink.write(bytes, isLast);
    if (this.sink.queuedBytes > QUEUE_BYTES_MAX) this.close(CLOSE.slowReader, 'slow reader');
  }

  send(frame: ServerFrame): void {
    const bytes = this.sink.encoding.frame(frame);
    if (bytes !== undefined) this.writeNow(bytes);
  }

  /** What was held goes out; from here on everything is written at once. */
  goLive(): void {
    const held = this.joining?.held ?? [];
    this.joining = undefined;
    for (const bytes of held) this.writeNow(bytes);
  }

  /** Begins a replay again from elsewhere: what was held belongs to the one that was given up. */
  dropHeld(): void {
    if (this.joining !== undefined) this.joining = nothingHeld();
  }

  /** While joining: a room has been shown up to here; for ever, where the reader is attached. */
  noteShown(roomId: string, shown: Shown): void {
    this.joining?.shown.set(roomId, shown);
  }

  shownOf(roomId: string): Shown | undefined {
    return this.joining?.shown.get(roomId);
  }

  /** Closes the connection; the transport tells the feed when it has ended. */
  close(code: CloseCode, reason: string): void {
    if (this.closed) return;
    this.ended();
    this.sink.close(code, reason);
  }

  /** The connection has ended, whoever ended it. */
  ended(): void {
    this.closed = true;
    this.joining = undefined;
  }

  /** One at a time for a room: what is asked for while another is under way is done after it. */
  whileCatchingUp(roomId: string, step: Step): Promise<void> {
    this.catchingUp ??= new Map();
    const running = this.catchingUp.get(roomId);
    if (running !== undefined) {
      running.steps.push(step);
      return running.done;
    }
    const begun: CatchingUp = { steps: [step], done: Promise.resolve() };
    this.catchingUp.set(roomId, begun);
    begun.done = this.catchUp(roomId, begun.steps);
    return begun.done;
  }

  private async catchUp(roomId: string, steps: Step[]): Promise<void> {
    let shown: Shown | undefined;
    try {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) shown = await step(shown);
    } finally {
      // In the same moment in which nothing more was asked for: what comes next begins anew.
      this.catchingUp?.delete(roomId);
      if (this.catchingUp?.size === 0) this.catchingUp = undefined;
    }
  }

  private hold(joining: Joining, bytes: Buffer): void {
    joining.held.push(bytes);
    joining.heldBytes += bytes.length;
    if (joining.heldBytes > HELD_BYTES_MAX) this.close(CLOSE.slowReader, 'more happened than the replay could carry');
  }
}
