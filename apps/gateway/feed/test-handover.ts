/**
 * A small world for every interleaving of the read side: two feeds over one memory twin, a reader that connects, is cut off and
 * resumes on the other one, and a room that goes on meanwhile. Each question to log and views, each answer, each live copy and each
 * notice is a step.
 */
import { CLOSE, Subjects, type ServerFrame } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { MemoryLog } from '#event-log/memory';
import {
  checkHistory,
  describeViolations,
  ScheduledWire,
  type ClientStep,
  type Schedule,
  type Touch,
  type World,
} from '#testing';
import { openReader } from './opening.js';
import { Reader } from './reader.js';
import { LINES, memoryViews, TestFeed, TestSink, Writing } from './test-feed.js';
import type { FeedViews } from './views.js';

const ROOM = 'den';
const READER = 'bob';
const SUBJECTS = new Subjects(1);
/** Enough for a sweep to send cursors. */
const SWEEP_MS = 4_000;

/** What goes on beside the reader. */
export type Happening = 'send' | 'leave' | 'join' | 'sweep a' | 'sweep b';
/** What the reader does. */
export type Move = 'connect to a' | 'connect to b' | 'cut';
type FeedName = 'a' | 'b';

export interface HandOver {
  /** The reader is a member when it begins; else only `join` makes it one. */
  readonly member: boolean;
  /** The reader's way before anything is explored. */
  readonly before: readonly Move[];
  readonly moves: readonly Move[];
  /** Each goes on by itself, one thing after the other. */
  readonly courses: readonly (readonly Happening[])[];
  /** The views do not come further than where things begin. */
  readonly viewsLag?: boolean;
  /** Live copies of the timeline that are lost, counted from where things begin. */
  readonly lost?: readonly number[];
  /** The end of a turn of the event loop, in which feeds write what they have, is a step like any other. */
  readonly ticks?: 'steps';
}

/** Replaces a part at the wiring. */
export interface Planted {
  readonly log?: (log: EventLog) => EventLog;
  readonly feed?: (feed: TestFeed) => void;
}

export const handOverOf =
  (handOver: HandOver, planted: Planted = {}) =>
  async (schedule: Schedule<Touch>): Promise<World> => {
    const world = new HandOverWorld(handOver, planted, schedule);
    await schedule.finish(world.prepare());
    return world;
  };

interface Connection {
  readonly feed: TestFeed;
  readonly reader: Reader;
  readonly opened: Promise<void>;
}

class HandOverWorld implements World {
  private readonly log: MemoryLog;
  private readonly writing: Writing;
  private readonly feeds = new Map<FeedName, TestFeed>();
  private readonly running: Promise<void>[] = [];
  private readonly steps: ClientStep[] = [];
  private readonly faults: unknown[] = [];
  private readonly stopTails = new AbortController();
  private present: Connection | undefined;
  private cursor: string | undefined;
  private viewsUpTo: readonly number[] | undefined;
  private phase: 'before' | 'explored' | 'after' = 'before';
  private copies = 0;
  private messages = 0;
  private ticks = 0;
  private sessions = 0;

  constructor(
    private readonly handOver: HandOver,
    private readonly planted: Planted,
    private readonly schedule: Schedule<Touch>,
  ) {
    this.log = new MemoryLog({ partitions: 1, faults: { dropLive: (entry) => this.loses(entry) }, now: () => 1_000 });
    this.writing = new Writing(this.log);
    // The feed's own ticks; the schedule has kept the real one.
    globalThis.setImmediate = ((run: () => void) => this.onTick(run)) as typeof setImmediate;
  }

  async prepare(): Promise<void> {
    const { member, before, viewsLag } = this.handOver;
    await this.writing.room(ROOM, 'ann');
    await this.happen('send');
    if (member) await this.happen('join');
    const tails = this.log.connect({ wire: new ScheduledWire(this.schedule, 'tails', true) });
    tails.publishTails(0, this.stopTails.signal).catch((error: unknown) => this.faults.push(error));
    for (const name of ['a', 'b'] as const) this.feeds.set(name, await this.feedOf(name));
    for (const move of before) await this.move(move);
    await this.present?.opened;
    if (viewsLag === true) this.viewsUpTo = [await this.log.lastSequence(0)];
  }

  start(): void {
    this.phase = 'explored';
    const { before, moves, courses } = this.handOver;
    let at: FeedName = before.findLast((move) => move !== 'cut') === 'connect to b' ? 'b' : 'a';
    const process = (move: Move): Touch => {
      if (move !== 'cut') at = move === 'connect to b' ? 'b' : 'a';
      return { process: at };
    };
    this.running.push(this.take('reader', moves, process, (move) => this.move(move)));
    for (const [i, course] of courses.entries())
      this.running.push(this.take(`course ${i + 1}`, course, touchOf, (happening) => this.happen(happening)));
  }

  async judge(): Promise<string> {
    await Promise.all(this.running);
    this.phase = 'after';
    await this.connected();
    // One more entry: its notice brings whatever was lost last.
    await this.writing.roster(ROOM, 1);
    await this.schedule.takeAll();
    await this.happen('sweep a');
    await this.happen('sweep b');
    await this.schedule.takeAll();
    const { entries } = await this.log.readSubject(0, '>', { after: 0, upTo: Infinity, max: 1_000 });
    const client = { client: READER, user: READER, sends: [], steps: this.steps, complete: true };
    const violations = checkHistory({ log: entries, clients: [client], rooms: [], inboxes: [] }).filter(
      ({ kind }) => kind !== 'roster-differs' && kind !== 'unsent',
    );
    await this.end();
    return [describeViolations(violations), ...this.faults.map(String)].filter(Boolean).join('\n');
  }

  private async connected(): Promise<void> {
    for (let tries = 0; tries < 2; tries++) {
      if (!this.present || this.present.reader.isClosed) await this.move('connect to b');
      await this.schedule.finish(this.present?.opened ?? Promise.resolve());
    }
  }

  private async end(): Promise<void> {
    this.stopTails.abort();
    for (const feed of this.feeds.values()) {
      this.faults.push(...feed.faults.filter((fault) => !mayGiveUp(fault)));
      await this.schedule.finish(feed.feed.stop());
    }
  }

  private async take<S extends string>(
    who: string,
    all: readonly S[],
    touch: (each: S) => Touch,
    run: (each: S) => Promise<void>,
  ): Promise<void> {
    for (const [i, each] of all.entries()) {
      await this.schedule.step(`${who} ${i + 1}: ${each}`, touch(each));
      await run(each);
    }
  }

  private async happen(happening: Happening): Promise<void> {
    switch (happening) {
      case 'send':
        return void (await this.writing.send(ROOM, 'ann', `message ${++this.messages}`));
      case 'join':
        return void (await this.writing.join(ROOM, READER));
      case 'leave':
        return void (await this.writing.leave(ROOM, READER));
      case 'sweep a':
      case 'sweep b': {
        const feed = this.feeds.get(happening === 'sweep a' ? 'a' : 'b')!;
        feed.nowMs += SWEEP_MS;
        return feed.feed.sweep();
      }
    }
  }

  private async move(move: Move): Promise<void> {
    if (move === 'cut') return this.cut();
    const feed = this.feeds.get(move === 'connect to a' ? 'a' : 'b')!;
    const sink = new TestSink(LINES, (frame) => this.receive(frame));
    const reader = new Reader(`s${++this.sessions}`, sink, 'origin');
    const opened = openReader(feed.feed, reader, READER, { since: this.cursor });
    const ended = opened.catch((error: unknown) => {
      // As a transport does: the client resumes with the cursor that it has.
      reader.close(CLOSE.replayFailed, String(error));
      if (!mayGiveUp(error)) this.faults.push(error);
    });
    this.present = { feed, reader, opened: ended };
    if (this.phase === 'before') await ended;
  }

  private cut(): void {
    this.present?.feed.feed.leave(this.present.reader);
    this.present = undefined;
    this.steps.push({ kind: 'closed', at: 0, code: 1006 });
  }

  private receive(frame: ServerFrame): void {
    this.steps.push({ kind: 'frame', at: 0, frame });
    if ('cursor' in frame) this.cursor = frame.cursor;
  }

  private async feedOf(name: FeedName): Promise<TestFeed> {
    const wire = new ScheduledWire(this.schedule, name);
    const seen = this.log.connect({ wire });
    const views = this.viewsOver(wire);
    const feed = new TestFeed({ log: this.log, seen: () => this.planted.log?.(seen) ?? seen, views });
    this.planted.feed?.(feed);
    return feed.start();
  }

  private viewsOver(wire: ScheduledWire): FeedViews {
    const views = memoryViews(this.log, () => this.viewsUpTo);
    // Views that stand still answer the same at any time.
    const touch = (): Touch => ({ partition: 0, subjects: this.viewsUpTo ? [] : ['>'], writes: false });
    return {
      roomsOfUser: (userId) => wire.through('rooms of the user', touch(), () => views.roomsOfUser(userId)),
      anchor: (roomId, seq) => wire.through(`anchor ${seq}`, touch(), () => views.anchor(roomId, seq)),
      periods: (roomId, userId) => wire.through('periods', touch(), () => views.periods(roomId, userId)),
    };
  }

  private onTick(run: () => void): void {
    const touches = this.schedule.taken.at(-1)?.touches;
    if (this.handOver.ticks !== 'steps' || this.phase !== 'explored' || !touches || !('process' in touches))
      return this.schedule.tick(run);
    this.schedule.offer(`${touches.process} tick ${++this.ticks}`, touches, run);
  }

  private loses({ subject }: StoredEntry): boolean {
    if (this.phase !== 'explored' || subject !== SUBJECTS.timeline(ROOM)) return false;
    return this.handOver.lost?.includes(++this.copies) === true;
  }
}

/** Where a copy of a change of membership stays away for longer than the feed tries, it lets the reader resume. */
const mayGiveUp = (error: unknown): boolean =>
  error instanceof Error && error.message.endsWith('a reader cannot be brought to the present');

function touchOf(happening: Happening): Touch {
  if (happening === 'sweep a' || happening === 'sweep b') return { process: happening === 'sweep a' ? 'a' : 'b' };
  const subjects =
    happening === 'send' ? [SUBJECTS.timeline(ROOM)] : [SUBJECTS.roster(ROOM), SUBJECTS.member(ROOM, READER)];
  return { partition: 0, subjects, writes: true };
}
