/**
 * A crowd of clients as a process of its own: sockets that remember their cursor and the last message of their room, are cut all at
 * once, and resume. Messages are numbered in each room: a hole fails the run; what comes again after a resume is dropped, as clients do.
 */
import { waitUntil } from '#embedded';
import { serve } from '../program.js';
import type { Door } from './raw-socket.js';
import { RawSocket } from './raw-socket.js';
import { MarkReader } from './marked-frames.js';
import { eachOf } from './lanes.js';
import { tookOf, type Took } from './timing.js';

export interface Person {
  readonly room: string;
  readonly door: Door;
}

export interface Resumed {
  /** Until the last one was caught up. */
  readonly seconds: number;
  readonly recovered: number;
  readonly count: number;
  /** Of each, from its connecting to its `caught_up`. */
  readonly tookMs: Took;
  readonly repeats: number;
}

export interface ResumeOptions {
  /** Of the gateway to resume at. */
  readonly port: number;
  /** With their cursor; without it they begin anew. */
  readonly since: boolean;
}

const AT_ONCE = 500;
const CAUGHT_UP_WITHIN_MS = 120_000;
const TEXT = 0x1;
const marks = new MarkReader();

class Client {
  private socket: RawSocket | undefined;
  private cursor = '';
  private last = -1;
  private onCaughtUp: () => void = () => undefined;
  recovered = false;
  repeats = 0;

  constructor(readonly person: Person) {}

  get lastMessage(): number {
    return this.last;
  }

  /** @returns ms until it was caught up */
  async come(door: Door, since: boolean): Promise<number> {
    const startMs = performance.now();
    const caughtUp = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.person.room}: not caught up`)), CAUGHT_UP_WITHIN_MS);
      this.onCaughtUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const socket = await RawSocket.open(door, (chunk, from, to, opcode) => {
      if (opcode === TEXT) this.take(chunk, from, to);
    });
    socket.onEnd = (why) => void (fault ??= `a socket of ${this.person.room} ended: ${why}`);
    this.socket = socket;
    socket.send(JSON.stringify({ op: 'hello', ...(since && this.cursor !== '' && { since: this.cursor }) }));
    await caughtUp;
    return performance.now() - startMs;
  }

  cut(): void {
    this.socket?.destroy();
  }

  private take(chunk: Buffer, from: number, to: number): void {
    const index = marks.read(chunk, from, to);
    if (index >= 0) return this.message(index);
    const frame = JSON.parse(chunk.toString('utf8', from, to)) as { op: string; cursor?: string; recovered?: boolean };
    if (frame.op === 'error') fault ??= `refused: ${chunk.toString('utf8', from, to)}`;
    if (frame.op === 'welcome') this.recovered = frame.recovered === true;
    else if (frame.cursor !== undefined) this.cursor = frame.cursor;
    if (frame.op === 'caught_up') this.onCaughtUp();
  }

  private message(index: number): void {
    if (index <= this.last) this.repeats += 1;
    else if (index > this.last + 1 && this.last >= 0)
      fault ??= `${this.person.room}: message ${index} came where ${this.last + 1} was due`;
    this.last = Math.max(this.last, index);
  }
}

const clients: Client[] = [];
let fault: string | undefined;

const examine = (): void => {
  if (fault !== undefined) throw new Error(fault);
};

serve({
  enter: async (people: readonly Person[]): Promise<void> => {
    const more = people.map((person) => new Client(person));
    await eachOf(more, AT_ONCE, (client) => client.come(client.person.door, false));
    clients.push(...more);
    examine();
  },
  cut: (): void => clients.forEach((client) => client.cut()),
  resume: async ({ port, since }: ResumeOptions): Promise<Resumed> => {
    fault = undefined;
    const all: number[] = [];
    const before = clients.reduce((sum, { repeats }) => sum + repeats, 0);
    const startMs = performance.now();
    await eachOf(clients, AT_ONCE, async (client) => {
      all.push(await client.come({ ...client.person.door, port }, since));
    });
    const seconds = (performance.now() - startMs) / 1_000;
    examine();
    return {
      seconds,
      recovered: clients.filter(({ recovered }) => recovered).length,
      count: clients.length,
      tookMs: tookOf(all),
      repeats: clients.reduce((sum, { repeats }) => sum + repeats, 0) - before,
    };
  },
  /** Until everybody has the message of that number. */
  untilAllHave: async (index: number): Promise<void> => {
    await waitUntil(`everybody has message ${index}`, CAUGHT_UP_WITHIN_MS, () => {
      examine();
      return clients.every(({ lastMessage }) => lastMessage >= index);
    });
  },
});
