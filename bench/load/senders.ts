/**
 * The load of the send rows, a process of its own: senders that each have one message on its way, and a socket that listens. Every
 * answer and every arrival is counted; what was accepted and did not arrive is a fault.
 */
import { waitUntil } from '#embedded';
import { serve } from '../program.js';
import { quantile } from '../statistics.js';
import { enter, type Seat } from './entrances.js';
import { type Pace, PacedRun } from './paced.js';
import type { Door } from './raw-socket.js';
import { rawHttp } from './raw-http.js';
import { RawSocket } from './raw-socket.js';

/** How a sender sends. */
export type Way =
  | { readonly by: 'http'; readonly url: string; readonly path: string; readonly token: string; readonly room?: string }
  | { readonly by: 'socket'; readonly door: Door; readonly room: string };

export interface SendersOptions extends Pace {
  readonly contentBytes: number;
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

let running: PacedRun | undefined;

async function run({ contentBytes, ...pace }: SendersOptions): Promise<SendersResult> {
  const padding = 'x'.repeat(contentBytes);
  const answers: number[] = [];
  arrivals = [];
  running = new PacedRun(pace);
  const seconds = await running.over(senders, async (send, sinceMs) => {
    const mark = (marks += 1);
    sentAtMs.set(mark, sinceMs);
    await send(`#${mark}#${padding}`);
    answers.push(performance.now() - sinceMs);
  });
  await arrived();
  return { accepted: answers.length, seconds, answerMs: quantiles(answers), arrivalMs: quantiles(arrivals) };
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
  /** Of a run whose end depends on something else. */
  end: (): void => running?.end(),
});
