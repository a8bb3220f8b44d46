/**
 * A crowd that joins one room at once, as a process of its own: everybody has asked before the first is answered. Every answer is
 * counted; one that says `temporary` is followed by the same request after the time that it names, as clients do.
 */
import { waitUntil } from '#embedded';
import { serve } from '../program.js';
import { eachOf } from './lanes.js';
import { MarkReader } from './marked-frames.js';
import { until } from './paced.js';
import { rawHttp, type RawHttp } from './raw-http.js';
import type { Door } from './raw-socket.js';
import { enter } from './entrances.js';
import { tookOf, type Took } from './timing.js';

/** How somebody comes. */
export type Comer =
  | { readonly by: 'socket'; readonly door: Door }
  | { readonly by: 'http'; readonly url: string; readonly token: string };

export interface Joined {
  /** From the first request to the last acknowledgement. */
  readonly seconds: number;
  readonly acknowledged: number;
  /** Answers that said `temporary`. */
  readonly refused: number;
  /** Of each, from the first request to the acknowledgement. */
  readonly tookMs: Took;
}

const OPENING_AT_ONCE = 200;
const HEARD_WITHIN_MS = 120_000;
const REPEATS_MAX = 100;
const RETRY_MS = 500;
const TEXT = 0x1;
const CLOSE = 0x8;
const ACCEPTED = 202;
const ACK = Buffer.from('"op":"ack"');
const ERROR = Buffer.from('"op":"error"');
const marks = new MarkReader();

interface Answer {
  readonly accepted: boolean;
  /** False where somebody was a member already. */
  readonly changed: boolean;
  readonly temporary: boolean;
  readonly retryMs: number;
  readonly text: string;
}

interface Joiner {
  ask(room: string): Promise<Answer>;
  /** The highest number of a marked message that came. */
  heard(): number;
  stop(): void;
}

const joiners: Joiner[] = [];
let fault: Error | undefined;
/** Whoever waits for answers waits in vain once a socket is gone. */
let onFault: (fault: Error) => void = () => undefined;

function failed(why: string): void {
  fault ??= new Error(why);
  onFault(fault);
}

async function bySocket({ door }: Comer & { by: 'socket' }): Promise<Joiner> {
  let asked = 0;
  let last = -1;
  let waiting: { readonly id: number; readonly resolve: (answer: Answer) => void } | undefined;
  const answered = (payload: Buffer): void => {
    const text = payload.toString();
    const { id, op, changed, temporary, retryMs } = JSON.parse(text) as Record<string, unknown>;
    if (waiting === undefined || waiting.id !== id) return failed(`an answer that nobody waits for: ${text}`);
    const { resolve } = waiting;
    waiting = undefined;
    const retry = typeof retryMs === 'number' ? retryMs : RETRY_MS;
    resolve({
      accepted: op === 'ack',
      changed: changed !== false,
      temporary: temporary === true,
      retryMs: retry,
      text,
    });
  };
  const socket = await enter({ kind: 'parley', room: '', door }, (chunk, from, to, opcode) => {
    const payload = chunk.subarray(from, to);
    if (opcode === CLOSE) failed(`a socket was closed: ${closeReason(payload)}`);
    if (opcode !== TEXT) return;
    if (payload.includes(ACK) || payload.includes(ERROR)) answered(payload);
    else last = Math.max(last, marks.read(chunk, from, to));
  });
  socket.onEnd = (why) => failed(`a socket ended: ${why}`);
  return {
    ask: (room) =>
      new Promise((resolve) => {
        waiting = { id: ++asked, resolve };
        socket.send(JSON.stringify({ op: 'join', id: asked, room }));
      }),
    heard: () => last,
    stop: () => socket.destroy(),
  };
}

async function byHttp({ url, token }: Comer & { by: 'http' }): Promise<Joiner> {
  const http: RawHttp = await rawHttp(url, token);
  return {
    ask: async (room) => {
      const { status, head, text } = await http.ask('POST', `/api/rooms/${room}/join`, '{}');
      const seconds = Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1] ?? NaN);
      const accepted = status === ACCEPTED;
      const { changed } = accepted ? (JSON.parse(text()) as { changed: boolean }) : { changed: false };
      return {
        accepted,
        changed,
        temporary: Number.isFinite(seconds),
        retryMs: seconds * 1_000,
        text: `${status} ${text()}`,
      };
    },
    heard: () => Infinity,
    stop: () => http.stop(),
  };
}

async function join(room: string): Promise<Joined> {
  let [refused, acknowledged, lastMs] = [0, 0, 0];
  const tookMs: number[] = [];
  const startMs = performance.now();
  const broken = new Promise<never>((_, reject) => (onFault = reject));
  examine();
  const joined = Promise.all(
    joiners.map(async (joiner) => {
      for (let times = 1; ; times += 1) {
        const answer = await joiner.ask(room);
        // Whoever repeats may find that the first request was done after all.
        if (answer.accepted && (answer.changed || times > 1)) break;
        if (!answer.temporary || times === REPEATS_MAX) throw new Error(`not joined: ${answer.text}`);
        refused += 1;
        await until(performance.now() + answer.retryMs);
      }
      lastMs = performance.now();
      acknowledged += 1;
      tookMs.push(lastMs - startMs);
    }),
  );
  await Promise.race([joined, broken]);
  return { seconds: (lastMs - startMs) / 1_000, acknowledged, refused, tookMs: tookOf(tookMs) };
}

/** RFC 6455, section 5.5.1: a code and a text, or nothing. */
const closeReason = (payload: Buffer): string =>
  payload.length < 2 ? 'without a code' : `${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`;

const examine = (): void => {
  if (fault !== undefined) throw fault;
};

serve({
  enter: async (comers: readonly Comer[]): Promise<void> => {
    await eachOf(comers, OPENING_AT_ONCE, async (comer) => {
      joiners.push(await (comer.by === 'socket' ? bySocket(comer) : byHttp(comer)));
    });
    examine();
  },
  join,
  /** Until the marked message of that number is with everybody who has a socket. */
  untilAllHave: async (index: number): Promise<void> => {
    await waitUntil(`everybody has message ${index}`, HEARD_WITHIN_MS, () => {
      examine();
      return joiners.every((joiner) => joiner.heard() >= index);
    });
  },
  leave: (): void => {
    for (const joiner of joiners.splice(0)) joiner.stop();
  },
});
