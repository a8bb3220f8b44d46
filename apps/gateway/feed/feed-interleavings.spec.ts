/**
 * Many random histories on the memory twin: people talk, come and go, connect, are cut and resume at one of two gateways,
 * while live copies are lost, reads take their time and views lag. The history checker then judges every client.
 */
import { expect, test } from '@jest/globals';
import { LIMITS, type ServerFrame } from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { waitUntil } from '#embedded';
import { MemoryLog } from '#event-log/memory';
import {
  checkHistory,
  type ClientHistory,
  type ClientStep,
  describeViolations,
  recordedNow,
  withParts,
} from '#testing';
import { LINES, TestFeed, type TestReader, TestSink, Writing } from './test-feed.js';

const HISTORIES = 80;
const WITHIN_MS = 240_000;
const STEPS = 120;
const USERS = ['ann', 'bob', 'cid', 'dan'];
const ROOMS = ['r1', 'r2', 'r3'];

/** Numbers that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** A leaving that is lost on the way is learned from the next notice, and until then what came after it is delivered: so none is lost here. */
const isLeaving = ({ decoded }: StoredEntry): boolean =>
  decoded.kind === 'event' && decoded.event.type === 'MemberLeft';

const ticks = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A log whose reads take some ticks, so that anything can happen in between. */
function slow(log: MemoryLog, random: (below: number) => number): EventLog {
  const late =
    <A extends unknown[], R>(read: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await ticks(random(3));
      const result = await read.apply(log, args);
      await ticks(random(3));
      return result;
    };
  return withParts(log, {
    last: late(log.last),
    readSubject: late(log.readSubject),
    lastSequence: late(log.lastSequence),
    live: late(log.live),
  });
}

class Person {
  readonly steps: ClientStep[] = [];
  private present: { feed: TestFeed; reader: TestReader } | undefined;
  private cursor: string | undefined;
  private opening: Promise<void> | undefined;

  constructor(readonly user: string) {}

  get history(): ClientHistory {
    return { client: this.user, user: this.user, sends: [], steps: this.steps, complete: this.present !== undefined };
  }

  get isAtPresent(): boolean {
    return this.present?.reader.reader.mayHaveCursor === true;
  }

  async toggle(feeds: readonly TestFeed[], random: (below: number) => number): Promise<void> {
    await this.opening;
    if (this.present === undefined) this.opening = this.connect(feeds[random(feeds.length)] as TestFeed);
    else this.cut();
  }

  async connected(feeds: readonly TestFeed[]): Promise<void> {
    await this.opening;
    if (this.present === undefined) await this.connect(feeds[0] as TestFeed);
  }

  private async connect(feed: TestFeed): Promise<void> {
    const sink = new TestSink(LINES, (frame) => this.take(frame));
    const reader = await feed.open(this.user, { since: this.cursor }, 'origin', sink);
    this.present = { feed, reader };
  }

  private cut(): void {
    if (this.present === undefined) return;
    this.present.feed.feed.leave(this.present.reader.reader);
    this.steps.push({ kind: 'closed', at: recordedNow(), code: 1006 });
    this.present = undefined;
  }

  private take(frame: ServerFrame): void {
    this.steps.push({ kind: 'frame', at: recordedNow(), frame });
    if ('cursor' in frame) this.cursor = frame.cursor;
  }
}

/** Time passes, so that every sweep is one that sends cursors. */
function sweep(feeds: readonly TestFeed[]): void {
  for (const feed of feeds) {
    feed.nowMs += LIMITS.cursorMs;
    feed.feed.sweep();
  }
}

async function live(seed: number): Promise<string> {
  const random = randomFrom(seed);
  let calm = false;
  const log = new MemoryLog({
    partitions: 2,
    faults: { dropLive: (entry) => !calm && !isLeaving(entry) && random(10) === 0 },
  });
  const views = { at: [0, 0] as number[] };
  const feeds = await Promise.all(
    [0, 1].map(() => new TestFeed({ log, seen: () => slow(log, random), viewsUpTo: () => views.at }).start()),
  );
  for (const feed of feeds) feed.startTails();
  const writing = new Writing(log);
  const people = USERS.map((user) => new Person(user));
  const members = new Map(ROOMS.map((room) => [room, new Set<string>(['ann'])]));
  for (const room of ROOMS) await writing.room(room, 'ann');
  let messages = 0;
  for (let step = 0; step < STEPS; step++) {
    const room = ROOMS[random(ROOMS.length)] as string;
    const inside = members.get(room) as Set<string>;
    const person = people[random(people.length)] as Person;
    const what = random(20);
    if (what < 9 && inside.size > 0)
      await writing.send(room, [...inside][random(inside.size)] as string, `m${++messages}`);
    else if (what < 13 && inside.has(person.user)) {
      inside.delete(person.user);
      await writing.leave(room, person.user);
    } else if (what < 13) {
      inside.add(person.user);
      await writing.join(room, person.user);
    } else if (what < 14 && inside.has(person.user)) await writing.mute(room, person.user, false);
    else if (what < 17) await person.toggle(feeds, random);
    else if (what < 18) views.at = await Promise.all([0, 1].map((p) => log.lastSequence(p)));
    else sweep(feeds);
    await ticks(random(4));
  }
  for (const person of people) await person.connected(feeds);
  // One more entry in each partition: a notice brings whatever was lost last.
  calm = true;
  for (const room of ROOMS) await writing.roster(room, members.get(room)?.size ?? 0);
  await ticks(200);
  await waitUntil('every reader to be at the present', 5_000, () => people.every((person) => person.isAtPresent));
  sweep(feeds);
  const clients = people.map((person) => person.history);
  const faults = feeds.flatMap((feed) => feed.faults);
  const entries: StoredEntry[] = [];
  for (const p of [0, 1])
    entries.push(...(await log.readSubject(p, `chat.${p}.>`, { after: 0, upTo: 1e9, max: 1e9 })).entries);
  for (const feed of feeds) await feed.stop();
  const feedViolations = checkHistory({ log: entries, clients, rooms: [], inboxes: [] }).filter(
    ({ kind }) => kind !== 'unsent' && kind !== 'over-capacity' && kind !== 'roster-differs',
  );
  return describeViolations(feedViolations) + faults.map(String).join('\n');
}

test(
  `${HISTORIES} random histories: no hole, no repeat, nothing outside a membership, no cursor ahead of delivery`,
  async () => {
    for (let seed = 1; seed <= HISTORIES; seed++) expect(`seed ${seed}:${await live(seed)}`).toBe(`seed ${seed}:`);
  },
  WITHIN_MS,
);
