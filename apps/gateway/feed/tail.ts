/**
 * The last events of an active room, for readers who come back: all of the room's events after `from`, in order. Bounded by
 * count and bytes; what is older is read from the log.
 */
import type { RoomEvent } from './room-event.js';

/** Of one room. */
const TAIL_EVENTS_MAX = 512;
const TAIL_BYTES_MAX = 512 * 1024;
/** Of one room whose past several readers were brought over at once: read from the log once, and let go when nobody has needed it for a sweep or two. */
const WIDE_EVENTS_MAX = 16_384;
const WIDE_BYTES_MAX = 16 * 1024 * 1024;
const WIDE_SWEEPS = 2;
/** Of all rooms of a process; above it each room keeps only the fewest, and then tails are let go altogether. */
export const TAILS_BYTES_MAX = 256 * 1024 * 1024;
const TAIL_EVENTS_MIN = 16;
/** Dropped at a time, so that dropping costs nothing an event. */
const DROP_SHARE = 4;
/** What an event occupies besides its text. */
const EVENT_BYTES = 600;

let allTailsBytes = 0;

/** Rooms that are silent keep what they have: whoever sweeps them takes it away while this says so. */
export const tailsAreFull = (): boolean => allTailsBytes > TAILS_BYTES_MAX;

export class Tail {
  private events: RoomEvent[] = [];
  private bytes = 0;
  /** Sweeps until it is as narrow as others again. */
  private wideFor = 0;

  /** @param from everything of the room after this sequence will be here */
  constructor(public from: number) {}

  add(event: RoomEvent): void {
    if (event.seq <= this.from) return;
    this.resize(sizeOf(event));
    const last = this.events[this.events.length - 1];
    if (last === undefined || last.seq < event.seq) this.events.push(event);
    else this.events.splice(this.indexAfter(event.seq), 0, event);
    if (this.isAbove()) this.drop();
  }

  /** Puts in front what was read from the log, everything after one sequence up to another, where it fits and the tail still begins there. */
  extend(after: number, upTo: number, events: readonly RoomEvent[]): void {
    const bytes = events.reduce((sum, event) => sum + sizeOf(event), 0);
    if (upTo !== this.from || allTailsBytes + bytes > TAILS_BYTES_MAX) return;
    if (this.events.length + events.length > WIDE_EVENTS_MAX || this.bytes + bytes > WIDE_BYTES_MAX) return;
    this.events = [...events, ...this.events];
    this.from = after;
    this.resize(bytes);
  }

  /** Keeps what comes, in wider bounds, while the log is read for what was before it. */
  widen(): void {
    this.wideFor = WIDE_SWEEPS;
  }

  /** Called at every sweep. */
  settle(): void {
    if (tailsAreFull()) return this.clear();
    if (this.wideFor === 0) return;
    this.wideFor -= 1;
    while (this.isAbove()) this.drop();
  }

  /** Whether all events after this sequence are here. */
  covers(after: number): boolean {
    return after >= this.from;
  }

  after(seq: number): RoomEvent[] {
    return this.events.slice(this.indexAfter(seq));
  }

  clear(): void {
    this.from = Math.max(this.from, this.events[this.events.length - 1]?.seq ?? 0);
    this.events = [];
    this.resize(-this.bytes);
  }

  private isAbove(): boolean {
    const isWide = this.wideFor > 0;
    const max = tailsAreFull() ? TAIL_EVENTS_MIN : isWide ? WIDE_EVENTS_MAX : TAIL_EVENTS_MAX;
    return this.events.length > max || this.bytes > (isWide ? WIDE_BYTES_MAX : TAIL_BYTES_MAX);
  }

  private drop(): void {
    const dropped = this.events.splice(0, Math.ceil(this.events.length / DROP_SHARE));
    this.from = dropped[dropped.length - 1]?.seq ?? this.from;
    this.resize(-dropped.reduce((sum, event) => sum + sizeOf(event), 0));
  }

  private resize(by: number): void {
    this.bytes += by;
    allTailsBytes += by;
  }

  /** The first index whose event is after `seq`. */
  private indexAfter(seq: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.events[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The text counts twice: decoded, and encoded for its readers. */
function sizeOf(event: RoomEvent): number {
  const text = event.event?.type === 'MessageSent' ? event.event.data.content.length : 0;
  return EVENT_BYTES + 2 * text;
}
