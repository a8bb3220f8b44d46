/**
 * Sockets that stop reading, as a process of its own. What became of each is found out by reading on: most at the end, a few at a time
 * meanwhile, because a close code can be read for 2 s only, until the server cuts the connection. What one reads has to be in order,
 * without a hole, for as long as it is not ended.
 */
import { waitUntil } from '#embedded';
import { serve } from '../program.js';
import { enter, type Seat } from './entrances.js';
import { eachOf } from './lanes.js';
import { MarkReader } from './marked-frames.js';
import type { RawSocket } from './raw-socket.js';

/** How many of them ended in which way. */
export interface Outcomes {
  /** They had everything as soon as they read on. */
  readonly caughtUp: number;
  /** By the close code that they read. */
  readonly told: Readonly<Record<number, number>>;
  /** Ended before they could read a close code. */
  readonly cut: number;
}

const OPENING_AT_ONCE = 100;
const OUTCOME_WITHIN_MS = 60_000;
const CLOSE = 0x8;
const marks = new MarkReader();

class SlowReader {
  last = -1;
  code: number | undefined;
  ended = false;
  reads = true;
  private socket: RawSocket | undefined;

  async come(seat: Seat): Promise<void> {
    this.socket = await enter(seat, (chunk, from, to, opcode) => {
      if (opcode === CLOSE) this.code = chunk.readUInt16BE(from);
      else this.take(seat, marks.read(chunk, from, to));
    });
    this.socket.onEnd = () => (this.ended = true);
  }

  stopReading(): void {
    this.reads = false;
    this.socket?.pause();
  }

  readOn(): void {
    this.reads = true;
    this.socket?.readOn();
  }

  leave(): void {
    this.socket?.destroy();
  }

  private take({ room }: Seat, index: number): void {
    if (index < 0) return;
    if (this.last >= 0 && index !== this.last + 1)
      fault ??= `${room}: message ${index} came to a slow reader where ${this.last + 1} was due`;
    this.last = index;
  }
}

let readers: SlowReader[] = [];
let fault: string | undefined;

serve({
  enter: async (seats: readonly Seat[]): Promise<void> => {
    const come = seats.map(() => new SlowReader());
    await eachOf(come, OPENING_AT_ONCE, (reader, index) => reader.come(seats[index]!));
    readers.push(...come);
  },
  stopReading: (): void => readers.forEach((reader) => reader.stopReading()),
  /** So many of those that still do not read. */
  someReadOn: (count: number): void =>
    readers
      .filter(({ reads }) => !reads)
      .slice(0, count)
      .forEach((reader) => reader.readOn()),
  /** All read on, until each has ended or has the message of that number. */
  outcomes: async (index: number): Promise<Outcomes> => {
    for (const reader of readers) reader.readOn();
    await waitUntil('each slow reader has ended or caught up', OUTCOME_WITHIN_MS, () =>
      readers.every(({ ended, code, last }) => ended || code !== undefined || last >= index),
    );
    if (fault !== undefined) throw new Error(fault);
    const told: Record<number, number> = {};
    for (const { code } of readers) if (code !== undefined) told[code] = (told[code] ?? 0) + 1;
    const [withCode, caughtUp] = [readers.filter(({ code }) => code !== undefined), readers.filter(isCaughtUp(index))];
    const cut = readers.length - withCode.length - caughtUp.length;
    for (const reader of readers) reader.leave();
    readers = [];
    return { caughtUp: caughtUp.length, told, cut };
  },
});

const isCaughtUp =
  (index: number) =>
  ({ code, last }: SlowReader): boolean =>
    code === undefined && last >= index;
