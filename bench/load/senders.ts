/**
 * The load of the send rows, a process of its own: senders that each have one message on its way, and a socket that listens. Every
 * answer and every arrival is counted; what was accepted and did not arrive is a fault.
 */
import { once } from 'node:events';
import { waitUntil } from '#embedded';
import { serve } from '../program.js';
import { quantile } from '../statistics.js';
import { enter, type Seat } from './entrances.js';
import type { Door } from './raw-socket.js';
import { rawHttp } from './raw-http.js';
import { RawSocket } from './raw-socket.js';

/** How a sender sends. */
export type Way =
  | { readonly by: 'http'; readonly url: string; readonly path: string; readonly token: string; readonly room?: string }
  | { readonly by: 'socket'; readonly door: Door; readonly room: string };

export interface SendersOptions {
  readonly seconds: number;
  readonly contentBytes: number;
  /**
   * Messages a second of all senders together, each at its time, whatever became of the one before; latencies count from the time that was
   * meant, so that nobody who waits goes uncounted. Without it each sender sends when the last answer has come.
   */
  readonly perSecond?: number;
}

export interface SendersResult {
  readonly accepted: number;
  readonly seconds: number;
  readonly answerMs: Quantiles;
  readonly arrivalMs: Quantiles;
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Resolves when it was accepted. */
type Send = (content: string) => Promise<unknown>;

const ARRIVE_WITHIN_MS = 30_000;
const MARK = /#(\d+)#/;
const TEXT = 0x1;
const ACCEPTED = 202;

const senders: Send[] = [];
const sentAtMs = new Map<number, number>();
let arrivals: number[] = [];
let marks = 0;

const ACK = Buffer.from('"op":"ack"');
const ERROR = Buffer.from('"op":"error"');

async function socketSender({ door, room }: Way & { by: 'socket' }): Promise<Send> {
  let answered: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const socket = await enter({ kind: 'parley', room, door }, (chunk, from, to, opcode) => {
    if (opcode !== TEXT) return;
    const payload = chunk.subarray(from, to);
    if (payload.includes(ACK)) answered?.resolve();
    else if (payload.includes(ERROR)) answered?.reject(new Error(payload.toString()));
  });
  return (content) =>
    new Promise<void>((resolve, reject) => {
      answered = { resolve, reject };
      socket.send(JSON.stringify({ op: 'send', id: 1, room, content }));
    });
}

async function httpSender({ url, path, token, room }: Way & { by: 'http' }): Promise<Send> {
  const http = await rawHttp(url, token);
  return (content) =>
    http.timed('POST', path, ACCEPTED, JSON.stringify(room === undefined ? { content } : { room, content }));
}

const arrive = (payload: Buffer): void => {
  const mark = MARK.exec(payload.toString('latin1'))?.[1];
  const at = mark === undefined ? undefined : sentAtMs.get(Number(mark));
  if (at === undefined) return;
  sentAtMs.delete(Number(mark));
  arrivals.push(performance.now() - at);
};

const quantiles = (values: readonly number[]): Quantiles => {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), p999: quantile(sorted, 0.999) };
};

/** A paced load goes by the clock: there is no condition to wait for. */
const until = async (atMs: number): Promise<void> => {
  const leftMs = atMs - performance.now();
  if (leftMs > 0) await once(AbortSignal.timeout(Math.ceil(leftMs)), 'abort');
};

async function run({ seconds, contentBytes, perSecond }: SendersOptions): Promise<SendersResult> {
  const padding = 'x'.repeat(contentBytes);
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const answers: number[] = [];
  arrivals = [];
  const everyMs = perSecond === undefined ? 0 : (senders.length / perSecond) * 1_000;
  const lane = async (send: Send, index: number): Promise<void> => {
    // Lanes are spread over one interval, so that the whole load is even.
    let dueMs = startMs + (everyMs * index) / senders.length;
    for (; Math.max(dueMs, performance.now()) < endMs; dueMs += everyMs) {
      // A message that is late because the last answer was counts from when it was due; one that waited for the load's own timer does not.
      const isLate = everyMs > 0 && performance.now() > dueMs;
      if (everyMs > 0) await until(dueMs);
      const mark = (marks += 1);
      const sentMs = isLate ? dueMs : performance.now();
      sentAtMs.set(mark, sentMs);
      await send(`#${mark}#${padding}`);
      answers.push(performance.now() - sentMs);
    }
  };
  await Promise.all(senders.map(lane));
  const tookSeconds = (performance.now() - startMs) / 1_000;
  await arrived();
  return {
    accepted: answers.length,
    seconds: tookSeconds,
    answerMs: quantiles(answers),
    arrivalMs: quantiles(arrivals),
  };
}

const arrived = (): Promise<boolean> =>
  waitUntil('every accepted message arrives', ARRIVE_WITHIN_MS, () => sentAtMs.size === 0);

serve({
  enter: async ({
    ways,
    listener,
  }: {
    ways: readonly Way[];
    listener: readonly Seat[] | Seat | Door;
  }): Promise<void> => {
    senders.push(...(await Promise.all(ways.map((way) => (way.by === 'http' ? httpSender(way) : socketSender(way))))));
    const hear = (chunk: Buffer, from: number, to: number): void => arrive(chunk.subarray(from, to));
    if (Array.isArray(listener)) await Promise.all((listener as readonly Seat[]).map((seat) => enter(seat, hear)));
    else if ('kind' in listener) await enter(listener, hear);
    else await RawSocket.open(listener as Door, hear);
  },
  run,
});
