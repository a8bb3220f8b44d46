/**
 * The load of the fan-out rows, as a process of its own: raw sockets in rooms, and a closed loop that keeps a number of messages
 * outstanding in each room. Every delivery is counted, and has to be the next one of its socket: a loss, a repeat or a wrong
 * order fails the run.
 */
import { quantile } from '../statistics.js';
import { serve } from '../program.js';
import { type Books, Room } from './deliveries.js';
import { enter, type Seat } from './entrances.js';
import { MarkReader } from './marked-frames.js';
import { RawSocket } from './raw-socket.js';
import { openSource, type Source, type SourceOptions } from './sources.js';

export interface LoopOptions {
  /** Messages that are on their way in each room. */
  readonly outstanding: number;
  readonly seconds: number;
  /** After a message has reached its last socket; 0 for none. */
  readonly restMs: number;
  /** The load looks for what has come without ever sleeping, so that no write to it has to wake it. */
  readonly isAwake?: boolean;
}

export interface LoopResult {
  readonly deliveries: number;
  readonly seconds: number;
  /** From the publishing to the room's last socket. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How many frames came at once, on average: what joining them has gained. */
  readonly framesPerRead: number;
  /** On the wire, with its header; a cursor now and then is in it. */
  readonly bytesPerDelivery: number;
}

const OPENING_AT_ONCE = 50;
const STALLED_AFTER_MS = 15_000;
const STALL_LOOK_MS = 1_000;
const ROOMS_SHOWN = 5;

const rooms = new Map<string, Room>();
const sockets: RawSocket[] = [];
const marks = new MarkReader();
let source: Source | undefined;
let loop: Loop | undefined;
let fault: string | undefined;

const books: Books = {
  onComplete: (room, sentAtMs) => loop?.completed(room, sentAtMs),
  onFault: fail,
};

function fail(what: string): void {
  fault ??= what;
  loop?.fail(fault);
}

class Loop {
  private readonly startMs = performance.now();
  private readonly latencies: number[] = [];
  private readonly readsBefore = RawSocket.reads;
  private readonly bytesBefore = RawSocket.bytes;
  private deliveries = 0;
  private lastMs = this.startMs;
  private over = false;
  private hasEnded = false;
  private readonly timers: NodeJS.Timeout[];
  private finish: (result: LoopResult) => void = () => undefined;
  private giveUp: (error: Error) => void = () => undefined;
  readonly result: Promise<LoopResult>;

  constructor(
    private readonly publisher: Source,
    private readonly options: LoopOptions,
  ) {
    this.result = new Promise((resolve, reject) => ([this.finish, this.giveUp] = [resolve, reject]));
    this.timers = [
      setTimeout(() => this.end(), options.seconds * 1_000),
      setInterval(() => this.lookForStall(), STALL_LOOK_MS),
    ];
    for (const room of rooms.values()) for (let i = 0; i < options.outstanding; i += 1) this.publish(room);
    if (options.isAwake === true) this.stayAwake();
  }

  private stayAwake(): void {
    if (!this.hasEnded) setImmediate(() => this.stayAwake());
  }

  /** A message has reached the last socket of its room. */
  completed(room: Room, sentAtMs: number): void {
    this.lastMs = performance.now();
    this.latencies.push(this.lastMs - sentAtMs);
    this.deliveries += room.size;
    if (this.over) this.endWhenAllAreHere();
    else if (this.options.restMs === 0) this.publish(room);
    else setTimeout(() => this.over || this.publish(room), this.options.restMs);
  }

  fail(what: string): void {
    this.stop();
    this.giveUp(new Error(what));
  }

  private publish(room: Room): void {
    this.publisher.publish(room.id, room.send(performance.now()));
  }

  private end(): void {
    this.over = true;
    this.endWhenAllAreHere();
  }

  private endWhenAllAreHere(): void {
    for (const room of rooms.values()) if (room.isWaiting) return;
    this.stop();
    const sorted = this.latencies.sort((a, b) => a - b);
    const { deliveries, lastMs, startMs } = this;
    const [p50Ms, p99Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    const framesPerRead = deliveries / (RawSocket.reads - this.readsBefore);
    const bytesPerDelivery = (RawSocket.bytes - this.bytesBefore) / deliveries;
    this.finish({ deliveries, seconds: (lastMs - startMs) / 1_000, p50Ms, p99Ms, framesPerRead, bytesPerDelivery });
  }

  private lookForStall(): void {
    if (performance.now() - this.lastMs < STALLED_AFTER_MS) return;
    const missing = [...rooms.values()].filter((room) => room.isWaiting).map((room) => room.missing);
    fail(`nothing arrived for ${STALLED_AFTER_MS} ms: ${missing.slice(0, ROOMS_SHOWN).join('; ')}`);
  }

  private stop(): void {
    this.hasEnded = true;
    for (const timer of this.timers) clearTimeout(timer);
  }
}

async function open(seat: Seat): Promise<void> {
  const room = rooms.get(seat.room) ?? new Room(seat.room, books);
  rooms.set(seat.room, room);
  const delivered = room.enter();
  const socket = await enter(seat, (chunk, from, to) => {
    const index = marks.read(chunk, from, to);
    if (index >= 0) delivered(index);
  });
  socket.onEnd = (why) => fail(`a socket of ${seat.room} ended: ${why}`);
  sockets.push(socket);
}

serve({
  source: async (options: SourceOptions) => {
    source = await openSource(options, (error) => fail(String(error)));
  },
  enter: async (seats: readonly Seat[]) => {
    for (let i = 0; i < seats.length; i += OPENING_AT_ONCE)
      await Promise.all(seats.slice(i, i + OPENING_AT_ONCE).map(open));
  },
  run: async (options: LoopOptions): Promise<LoopResult> => {
    if (source === undefined) throw new Error('no source');
    if (fault !== undefined) throw new Error(fault);
    loop = new Loop(source, options);
    return loop.result;
  },
});
